"""What a relay asks of the database and writes down: claims, marks and leases, a transaction each.

Every step is one that a thread of its own may take; what is decided here is only what becomes of a
row by the broker's word: confirmed ends it well, `unknown` is tried again for ever with back-off,
`unroutable` is parked at once and `refused` after `REFUSALS` attempts, both with their reason.
Always holds: a claim looks first while there was nothing, and takes no writer's turn for that.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

from sqlalchemy.orm import Session

from queueing import due, parked
from queueing.due import Claimed, Failed
from queueing.outbox import Begin, Clock
from queueing.persistence import AWAY
from queueing.transport import Outcome

logger = logging.getLogger(__name__)

LEASE_US: Final = 60_000_000
ASIDE_US: Final = 5_000_000  # before a row that was given back is claimed again
REFUSALS: Final = 5
BACKOFF_US: Final = (250_000, 500_000, 1_000_000, 2_000_000, 4_000_000)
SAID: Final[dict[str, str]] = {
    "unroutable": "没有接收队列 no queue takes it",
    "refused": "队列拒收 the queue refuses it",
    "unknown": "未收到确认，将重发 no confirmation, to be published again",
}

Done = tuple[Claimed, int, Outcome]
"""A row, when it was published (µs), and the broker's word."""


Among = Callable[[Session], Sequence[str]]
"""The departments a relay carries to, as they are at each claim."""


class Ledger:
    """One relay's book in the database of `begin`; `reading` is for what writes nothing. It claims
    for the departments `among`; for all where that is None."""

    def __init__(
        self, begin: Begin, reading: Begin, clock: Clock, among: Among | None = None
    ) -> None:
        self._begin = begin
        self._reading = reading
        self._clock = clock
        self._among = among

    def claim(
        self, now: int, most: int, *, floor: int, shunned: Sequence[str], look: bool
    ) -> list[Claimed]:
        """At most so many rows for `LEASE_US`; `look` first where there may be nothing."""
        if look:
            with self._reading() as session:
                codes = self._codes(session)
                if codes == [] or due.look(session, now, floor, codes) is None:
                    return []
        with self._begin() as session:
            return due.claim(
                session, now=now, lease_us=LEASE_US, limit=most, floor=floor, shunned=shunned,
                among=self._codes(session),
            )  # fmt: skip

    def _codes(self, session: Session) -> Sequence[str] | None:
        return None if self._among is None else self._among(session)

    def mark(self, done: Sequence[Done], aside: Sequence[Claimed]) -> list[int]:
        """Write down what became of these, and give those back; when the failed ones are to be
        tried again (µs). What cannot be written down of one row keeps the others from nothing: its
        lease runs out, and it is published again. Raises what a database raises that is away."""
        try:
            return self._marked(done, aside)
        except AWAY:
            raise
        except Exception as problem:  # noqa: BLE001 - one of them; which, is found out by trying
            logger.error("outbox, marking: %s", type(problem).__name__)  # noqa: TRY400
        again = self._each(partial(self._marked, (), [row]) for row in aside)
        return again + self._each(partial(self._marked, [one], ()) for one in done)

    def _each(self, steps: Iterable[Callable[[], list[int]]]) -> list[int]:
        again: list[int] = []
        for step in steps:
            try:
                again += step()
            except AWAY:
                raise
            except Exception as problem:  # noqa: BLE001 - said above; the others go on
                logger.error("outbox, one row: %s", type(problem).__name__)  # noqa: TRY400
        return again

    def _marked(self, done: Sequence[Done], aside: Sequence[Claimed]) -> list[int]:
        now, failed = self._clock(), []
        told: Counter[str] = Counter()
        with self._begin() as session:
            confirmed = [(row, at) for row, at, outcome in done if outcome.verdict == "confirmed"]
            due.confirm(session, confirmed, now)
            for row, _, outcome in done:
                if outcome.verdict == "confirmed":
                    continue
                reason = _reason(row, outcome)
                told[reason] += 1
                final = outcome.verdict == "refused" and row.attempts >= REFUSALS
                if outcome.verdict == "unroutable" or final:
                    parked.park_claimed(session, row, reason=reason, now=now)
                else:
                    wait = BACKOFF_US[min(row.attempts, len(BACKOFF_US)) - 1]
                    failed.append(Failed(row, now + wait, reason))
            due.put_back(session, failed)
            due.hold(session, aside, now + ASIDE_US)
        for reason, count in told.items():
            logger.warning("outbox, %d rows: %s", count, reason)
        return [one.claimable_at for one in failed]

    def hold(self, rows: Sequence[Claimed], until: int) -> None:
        """Keep these until then (µs); with `until` now they are given back."""
        with self._begin() as session:
            due.hold(session, rows, until)


def _reason(row: Claimed, outcome: Outcome) -> str:
    return f"{SAID[outcome.verdict]} ({row.routing_key}): {outcome.detail}".replace("\0", "")
