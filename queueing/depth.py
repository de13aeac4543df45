"""How much waits and since when, for pages and for `hotline reconcile`. Reads only."""

from dataclasses import dataclass

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from queueing.tables import OPEN, EmbeddedRow, InboxRow, OutboxDueRow, OutboxRow, ParkedRow


@dataclass(frozen=True, slots=True)
class DepartmentDepth:
    """One department's messages not there yet; `oldest_at` (µs) is None when none waits."""

    department: str
    waiting: int
    oldest_at: int | None
    parked: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Messages committed in a span of time, and what became of them; replies applied in it."""

    committed: int
    confirmed: int
    parked: int
    replies: int


def waiting(session: Session) -> tuple[int, int | None]:
    """How many messages are still to be sent, and since when (µs) the first of them."""
    number, first = session.execute(select(func.count(), func.min(OutboxDueRow.id))).one()
    since = session.scalar(select(OutboxRow.committed_at).where(OutboxRow.id == first))
    return number, since


def by_department(session: Session) -> list[DepartmentDepth]:
    """Every department that has something waiting or parked."""
    first = (
        select(
            OutboxDueRow.department,
            func.count().label("number"),
            func.min(OutboxDueRow.id).label("id"),
        )
        .group_by(OutboxDueRow.department)
        .subquery()
    )
    unsent = {
        row.department: (row.number, row.committed_at)
        for row in session.execute(
            select(first.c.department, first.c.number, OutboxRow.committed_at).join(
                OutboxRow, OutboxRow.id == first.c.id
            )
        )
    }
    parked = {
        row.department: row.number
        for row in session.execute(
            select(ParkedRow.department, func.count().label("number"))
            .where(*OPEN)
            .group_by(ParkedRow.department)
        )
    }
    depths = []
    for code in sorted(unsent.keys() | parked.keys()):
        count, oldest = unsent.get(code, (0, None))
        depths.append(DepartmentDepth(code, count, oldest, parked.get(code, 0)))
    return depths


def lying(session: Session) -> dict[str, tuple[int, int]]:
    """What lies in the database's own queues: by queue how many, and since when (µs) the first."""
    found = session.execute(
        select(EmbeddedRow.queue, func.count(), func.min(EmbeddedRow.enqueued_at)).group_by(
            EmbeddedRow.queue
        )
    )
    return {queue: (count, oldest) for queue, count, oldest in found}


def figures(session: Session, since_at: int, until_at: int) -> Figures:
    """Counts over `since_at` ≤ committed (or applied) < `until_at`, µs."""
    sent = session.execute(
        select(
            func.count(),
            func.coalesce(func.sum(case((OutboxRow.state == "confirmed", 1), else_=0)), 0),
            func.coalesce(func.sum(case((OutboxRow.state == "parked", 1), else_=0)), 0),
        ).where(OutboxRow.committed_at >= since_at, OutboxRow.committed_at < until_at)
    ).one()
    replies = session.scalar(
        select(func.count()).where(InboxRow.applied_at >= since_at, InboxRow.applied_at < until_at)
    )
    return Figures(int(sent[0]), int(sent[1]), int(sent[2]), replies or 0)
