"""Alerts: what a role must see, open until one of them has said so.

Whoever writes one calls `log.tell`; here they are read and acknowledged. An alert is told to a role
and belongs to it alone: another role's is not there. That somebody has seen it is in the log, and
so is that what it was about is over by itself.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import notices
from gateway.errors import Forbidden, NotFound
from gateway.flow import log
from gateway.people.accounts import Person
from gateway.people.roles import Permission
from recordings.tables_log import AlertRow

SEEN_SHOWN = 50
BY_ITSELF = "gateway"


def of(session: Session, who: Person) -> tuple[list[AlertRow], list[AlertRow]]:
    """This role's open alerts, newest first, and the last that were seen.

    Raises:
        Forbidden: the role is told nothing.
    """
    _reader(who)
    mine = select(AlertRow).where(AlertRow.role == who.role)
    still = session.scalars(mine.where(AlertRow.seen_at.is_(None)).order_by(AlertRow.id.desc()))
    seen = session.scalars(
        mine.where(AlertRow.seen_at.is_not(None))
        .order_by(AlertRow.seen_at.desc())
        .limit(SEEN_SHOWN)
    )
    return list(still), list(seen)


def see(session: Session, who: Person, alert_id: int, origin: str, now: int) -> None:
    """Say that it was seen; twice is the same.

    Raises:
        Forbidden: the role is told nothing.
        NotFound: there is none of that number for this role.
    """
    _reader(who)
    row = session.get(AlertRow, alert_id, with_for_update=True)
    if row is None or row.role != who.role:
        raise NotFound
    if row.seen_at is not None:
        return
    row.seen_at, row.seen_by = now, who.login
    log.note(session, "log:alert:see", actor=who.login, origin=origin, obj=f"alert:{row.id}",
             outcome="ok", now=now, detail={"kind": row.kind})  # fmt: skip
    notices.tell(session, "alerts", "seen")


def clear(session: Session, kind: str, ref: str, now: int) -> int:
    """What it was about is over by itself: nobody has to look any more. How many were open."""
    open_ones = select(AlertRow).where(
        AlertRow.kind == kind, AlertRow.ref == ref, AlertRow.seen_at.is_(None)
    )
    rows = list(session.scalars(open_ones.with_for_update()))
    for row in rows:
        row.seen_at, row.seen_by = now, BY_ITSELF
        log.note(session, "log:alert:clear", actor=BY_ITSELF, origin=log.NOBODY,
                 obj=f"alert:{row.id}", outcome="ok", now=now, detail={"kind": kind})  # fmt: skip
        notices.tell(session, "alerts", "seen")
    return len(rows)


def _reader(who: Person) -> None:
    if not who.may(Permission.ALERT_READ):
        raise Forbidden
