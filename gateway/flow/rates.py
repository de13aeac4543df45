"""15 秒应答率: how quickly the phones are answered (DOMAIN.md, Figures).

Of the calls an agent answered, those answered within 15 s of entering a queue; who gave up is in
neither number and stands beside them. The wait is the caller's own: from the first queue they were
put in. A call counts in the queue it was answered from, or given up in, and by when it came in.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from telephony.tables import CallRow

WITHIN_US = 15_000_000
FLOOR_PERCENT = 80


@dataclass(frozen=True, slots=True)
class Rate:
    """15 秒应答率, numerator and denominator; `abandoned` stands beside them."""

    within: int = 0
    answered: int = 0
    abandoned: int = 0

    @property
    def percent(self) -> int | None:
        """Rounded down, so that the floor is not reached by rounding; None without a call."""
        return self.within * 100 // self.answered if self.answered else None

    def __add__(self, other: "Rate") -> "Rate":
        return Rate(
            self.within + other.within,
            self.answered + other.answered,
            self.abandoned + other.abandoned,
        )


def by_queue(session: Session, since_at: int) -> dict[tuple[str, str], Rate]:
    """The rates of the calls that came in since `since_at`, by PBX and queue."""

    def counted(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.sum(case((condition, 1), else_=0))

    rows = session.execute(
        select(
            CallRow.pbx,
            CallRow.queue,
            counted(CallRow.answered_at - CallRow.queued_at <= WITHIN_US),
            counted(CallRow.answered_at.is_not(None)),
            counted(CallRow.outcome == "abandoned"),
        )
        .where(
            CallRow.arrived_at >= since_at,
            CallRow.queued_at.is_not(None),
            CallRow.direction == "inbound",
        )
        .group_by(CallRow.pbx, CallRow.queue)
    )
    return _named(rows)


def _named(
    rows: Iterable[tuple[str, str | None, int, int, int]],
) -> dict[tuple[str, str], Rate]:
    return {(pbx, queue or ""): Rate(*counts) for pbx, queue, *counts in rows}
