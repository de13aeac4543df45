"""The log as the gateway writes and reads it: who did what, from where, and how it ended.

Acts are named `source:subject:action` (`people:session:open`); `deeds` lists them all. A line
is written in the transaction of its act; a refusal is an act too, and is committed before it is
told. Detail holds codes and ids, never a telephone or identity number (DESIGN §3, promise 10).
Only the auditor reads the log.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import notices
from gateway.errors import Forbidden
from gateway.flow import deeds
from gateway.people.accounts import Person
from gateway.people.roles import Permission, Role
from recordings import audit, verifying
from recordings.lines import noted
from recordings.tables import AuditLineRow
from recordings.tables_log import AlertRow
from recordings.tally import Verdict

PAGE = 50
NOBODY = "-"  # the actor of an act whose doer is not known


def note(
    session: Session,
    action: str,
    *,
    actor: str,
    origin: str,
    obj: str,
    outcome: str,
    now: int,
    grant: int | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Note one line, written with the commit. `outcome` is ok, denied or failed; `origin` the
    address it came from. Who needs the line's number asks `audit.numbered` right after."""
    deeds.check(action)
    line = noted(action, actor=actor, origin=origin, obj=obj, outcome=outcome, grant=grant,
                 detail=detail, at=now)  # fmt: skip
    audit.defer(session, line)
    notices.tell(session, "log", "line")


def note_now(
    session: Session,
    action: str,
    *,
    actor: str,
    origin: str,
    obj: str,
    outcome: str,
    now: int,
    detail: dict[str, Any] | None = None,
) -> int:
    """Write one line at once and answer its number: for an act that signs or proves its own line.

    The log is locked from here to the commit.
    """
    deeds.check(action)
    line = audit.append(session, action, actor=actor, origin=origin, obj=obj, outcome=outcome,
                        detail=detail, at=now)  # fmt: skip
    notices.tell(session, "log", "line")
    return line.id


def tell(session: Session, role: Role, kind: str, ref: str, text: str, now: int) -> bool:
    """Alert a role: it stays before their eyes until one of them has seen it.

    `ref` is what it is about, by id; False where the same alert is open already.
    """
    same = select(AlertRow.id).where(
        AlertRow.role == role,
        AlertRow.kind == kind,
        AlertRow.ref == ref,
        AlertRow.seen_at.is_(None),
    )
    if session.scalar(same.limit(1)) is not None:
        return False
    session.add(AlertRow(kind=kind, ref=ref[:200], text=text, at=now, role=role))
    notices.tell(session, "alerts", "told")
    return True


def lines(
    session: Session,
    who: Person,
    *,
    before: int | None = None,
    action: str = "",
    actor: str = "",
    limit: int = PAGE,
) -> list[AuditLineRow]:
    """The log, newest first; `before` is the line number to go on from."""
    _reader(who)
    return audit.page(session, before=before, action=action, actor=actor, limit=limit)


def verify(
    session: Session,
    who: Person,
    notes: Sequence[str] = (),
    verifier_keys: Sequence[str] = (),
    name: str = "",
) -> Verdict:
    """Whether the log fits itself and these checkpoints of the log of that name."""
    _reader(who)
    return verifying.verify(session, notes, verifier_keys, origin=name)


def _reader(who: Person) -> None:
    if not who.may(Permission.LOG_READ):
        raise Forbidden
