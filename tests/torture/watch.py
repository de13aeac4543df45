"""What the torture sees of the gateway from outside: its database, and the PBX's own log."""

import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from sqlalchemy import func, select

from gateway import compose, settings
from gateway.tables import LeaseRow
from telephony.tables import CallRow, JournalRow, LinkGapRow, LinkStateRow
from tests.rig.gateway import Gateway

_LISTED = b"CoreShowChannelsComplete"
_BEGINS = b'"CHAN_START","'
_INBOUND = b"from-pstn"


@dataclass(frozen=True, slots=True)
class Gap:
    """One recorded interval without the link; times in µs."""

    began_at: int
    ended_at: int | None
    backfilled_at: int | None
    reason: str


class Watch:
    """Reads beside the gateway; writes nothing."""

    def __init__(self, house: Gateway) -> None:
        self._opened = compose.opened(settings.read(house.environ))
        self._parts = self._opened.__enter__()

    def __enter__(self) -> "Watch":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._opened.__exit__(kind, error, trace)

    def link(self) -> tuple[str, int]:
        """The link that is up, by name, and since when (µs); '' while none is."""
        with self._parts.database.reading() as session:
            state = session.scalars(select(LinkStateRow)).first()
            if state is None or not state.connected:
                return "", 0
            return state.link_session, state.since_at

    def holder(self) -> int:
        """The process that has the PBX, by its id; 0 before anybody had it."""
        with self._parts.database.reading() as session:
            row = session.scalars(select(LeaseRow).where(LeaseRow.name.like("pbx:%"))).first()
            return int(row.holder.rpartition("/")[2]) if row is not None else 0

    def taken(self, link: str) -> bool:
        """Whether the snapshot asked for at the start of that link is committed."""
        with self._parts.database.reading() as session:
            rows = session.scalars(
                select(JournalRow.raw)
                .where(JournalRow.link_session == link)
                .order_by(JournalRow.id)
                .limit(200)
            )
            return any(_LISTED in raw for raw in rows)

    def gaps(self) -> list[Gap]:
        """Every interval, oldest first."""
        with self._parts.database.reading() as session:
            rows = session.scalars(select(LinkGapRow).order_by(LinkGapRow.began_at)).all()
            return [Gap(r.began_at, r.ended_at, r.backfilled_at, r.reason) for r in rows]

    def calls(self) -> tuple[int, int]:
        """Call records, and how many of them are live."""
        with self._parts.database.reading() as session:
            every = session.scalar(select(func.count()).select_from(CallRow)) or 0
            live = session.scalar(select(func.count()).where(CallRow.ended_at.is_(None))) or 0
            return every, live

    def outcomes(self) -> dict[str, int]:
        """How the calls ended: outcome and cause."""
        with self._parts.database.reading() as session:
            rows = session.execute(
                select(CallRow.outcome, CallRow.cause, func.count()).group_by(
                    CallRow.outcome, CallRow.cause
                )
            )
            return {f"{outcome} · {cause}": count for outcome, cause, count in rows}


def on_cel(path: Path) -> int:
    """How many calls from outside the PBX's log has begun: an outside number that a caller was sent
    to begins in the same context, under the caller's linkedid."""
    if not path.exists():
        return 0
    begun = (line.split(b'","') for line in path.read_bytes().splitlines() if _BEGINS in line)
    return sum(len(row) > 11 and row[6] == _INBOUND and row[10] == row[11] for row in begun)


def now() -> int:
    """µs since the epoch."""
    return time.time_ns() // 1000
