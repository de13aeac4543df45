"""Claim → publish → confirm → mark: what carries the outbox to the broker.

Any number of relays may run side by side. One round claims at most `batch` rows in a transaction
of its own, publishes them all at once outside any transaction, and marks what became of them in
another. Between publish and mark anything may die: the lease runs out and the row is published
again under the same dedupe key.
Always holds: only `confirmed` ends a row well; `unknown` is tried again for ever, with back-off;
`unroutable` is parked at once and `refused` after `REFUSALS` attempts, both with their reason;
while the broker is away no row is touched.
"""

import asyncio
import logging
from typing import Final, NoReturn

from queueing import due, parked
from queueing.due import Claimed, Failed
from queueing.outbox import Begin, Clock
from queueing.topology import WORKORDERS
from queueing.transport import Outcome, Transport
from queueing.waiting import finish

logger = logging.getLogger(__name__)

BATCH: Final = 64
LEASE_US: Final = 30_000_000  # three times the longest publish: a slow answer is no lost lease
REFUSALS: Final = 5
IDLE_S: Final = 0.2  # how long a committed row may wait for an idle relay
AWAY_S: Final = 1.0  # between looks at a broker that is away
BACKOFF_US: Final = (250_000, 500_000, 1_000_000, 2_000_000, 4_000_000)
SAID: Final[dict[str, str]] = {
    "unroutable": "没有接收队列 no queue takes it",
    "refused": "队列拒收 the queue refuses it",
    "unknown": "未收到确认，将重发 no confirmation, to be published again",
}


class Relay:
    """Carries rows out; `run` until it is cancelled, which lets a round in hand end first."""

    def __init__(
        self, begin: Begin, transport: Transport, clock: Clock, *, reading: Begin | None = None
    ) -> None:
        self._begin = begin
        self._reading = reading or begin
        self._transport = transport
        self._clock = clock

    async def run(self) -> NoReturn:
        """Round after round; a failing database or broker only makes it wait."""
        while True:
            try:
                carried = await self.run_once()
            except Exception as problem:  # noqa: BLE001 - rows wait, whatever it was
                # Its name alone: a database error quotes the row it failed on.
                logger.error("relay round failed: %s", type(problem).__name__)  # noqa: TRY400
                await asyncio.sleep(AWAY_S)
                continue
            if carried is None:
                await asyncio.sleep(AWAY_S)
            elif carried == 0:
                await asyncio.sleep(IDLE_S)

    async def run_once(self) -> int | None:
        """One round: how many rows it took in hand; None when the broker is away."""
        if not await self._transport.ready():
            return None
        return await finish(self._round())

    async def _round(self) -> int:
        claimed = await asyncio.to_thread(self._claim)
        if claimed:
            at = self._clock()
            outcomes = await asyncio.gather(*(self._publish(row) for row in claimed))
            await asyncio.to_thread(self._mark, at, list(zip(claimed, outcomes, strict=True)))
        return len(claimed)

    def _claim(self) -> list[Claimed]:
        with self._reading() as session:
            if due.look(session, self._clock()) is None:
                return []
        with self._begin() as session:
            return due.claim(session, now=self._clock(), lease_us=LEASE_US, limit=BATCH)

    async def _publish(self, row: Claimed) -> Outcome:
        return await self._transport.publish(WORKORDERS, row.routing_key, row.body, row.dedupe_key)

    def _mark(self, at: int, outcomes: list[tuple[Claimed, Outcome]]) -> None:
        now, failed = self._clock(), []
        with self._begin() as session:
            confirmed = [(row, at) for row, outcome in outcomes if outcome.verdict == "confirmed"]
            due.confirm(session, confirmed, now)
            for row, outcome in outcomes:
                if outcome.verdict == "confirmed":
                    continue
                reason = _reason(row, outcome)
                logger.warning("outbox row %d: %s", row.id, reason)
                final = outcome.verdict == "refused" and row.attempts >= REFUSALS
                if outcome.verdict == "unroutable" or final:
                    parked.park_claimed(session, row, reason=reason, now=now)
                else:
                    wait = BACKOFF_US[min(row.attempts, len(BACKOFF_US)) - 1]
                    failed.append(Failed(row, now + wait, reason))
            due.put_back(session, failed)


def _reason(row: Claimed, outcome: Outcome) -> str:
    return f"{SAID[outcome.verdict]} ({row.routing_key}): {outcome.detail}"
