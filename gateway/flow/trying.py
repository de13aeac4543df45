"""A test message to a department's own system: whether what is sent there arrives.

It takes the way of every work order (outbox, relay, confirmed by the broker), under an ordering key
of its own, so that it waits behind none. That the broker has it is seen here; that the department
has read it, its own program shows. In the log, for it is a word to somebody outside.
"""

import time

from sqlalchemy.orm import Session

from gateway.database import Database
from gateway.errors import BadInput, Forbidden
from gateway.flow import log
from gateway.people.accounts import Person
from gateway.people.roles import Permission
from gateway.tables import DepartmentRow
from queueing import outbox
from queueing.messages import ConnectionTested
from queueing.tables import OutboxRow

LOOK_S = 0.05
TEXT = "测试消息，不需回复。 A test message; it needs no answer."


def send_for(session: Session, who: Person, code: str, origin: str, now: int) -> int:
    """The same as `send`, for a person at a page.

    Raises:
        Forbidden: the role does not test departments.
        BadInput: as `send`.
    """
    if not who.may(Permission.DEPARTMENT_TEST):
        raise Forbidden
    return send(session, code, by=who.login, origin=origin, now=now)


def send(session: Session, code: str, *, by: str, origin: str, now: int) -> int:
    """Have a test message sent once this transaction is committed; the outbox's id of it.

    Raises:
        BadInput: there is no such department, or it has no system of its own.
    """
    plain = code.isascii() and code.isprintable()  # what else stands in an address no database asks
    row = session.get(DepartmentRow, code) if plain else None
    if row is None:
        raise BadInput({"code": "没有这个部门。 There is no such department."})
    if row.mode == "desk":
        raise BadInput({"code": f"{code} 在网页办理，没有可测试的系统。 {code} works by our page."})
    made = outbox.put(
        session,
        ConnectionTested(department=code, text=TEXT),
        department=code,
        ordering_key=f"tests:{code}",
        dedupe_key=f"test/{code}/{now}",
        now=now,
    )
    log.note(session, "queueing:department:test", actor=by, origin=origin,
             obj=f"department:{code}", outcome="ok", now=now)  # fmt: skip
    session.flush()
    return made.id


def arrived(database: Database, outbox_id: int, seconds: float) -> bool:
    """Whether the broker confirms within so long that the department's queue holds it."""
    deadline = time.monotonic() + seconds
    while True:
        with database.reading() as session:
            row = session.get(OutboxRow, outbox_id)
            if row is not None and row.confirmed_at is not None:
                return True
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_S)
