"""A ticket whose work orders are with departments, for the tests of what happens to them there.

A module takes the fixtures by their names (`session = dispatched.session`). They share one house
with everybody who has to do with a work order; each test's doings are undone.
"""

from collections.abc import Iterator

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.flow import dispatching
from gateway.parts import Parts
from gateway.people.roles import Role
from gateway.tables import TicketRow, TicketStepRow, WorkOrderRow
from gateway.tickets import acts
from queueing import messages
from queueing.messages import Message
from queueing.tables import OutboxRow
from tests.unit.gateway import house
from tests.unit.gateway.house import NOW, who

PEOPLE = (
    ("8001", Role.AGENT, None),
    ("8002", Role.AGENT, None),
    ("chen", Role.SUPERVISOR, None),
    ("zhao", Role.LEADER, None),
    ("sun", Role.OFFICER, "yanglao"),
    ("qian", Role.OFFICER, "gongshang"),
)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    with house.house(tmp_path_factory.mktemp("house")) as made:
        with made.database.begin() as session:
            for login, role, department in PEOPLE:
                house.person(session, login, role, department, extension=f"PJSIP/{login}")
        yield made


@pytest.fixture
def session(parts: Parts) -> Iterator[Session]:
    """A transaction that is undone."""
    with house.undone(parts) as opened:
        yield opened


@pytest.fixture
def both(session: Session) -> list[WorkOrderRow]:
    """The work orders of yanglao, which leads, and gongshang, of one ticket of agent 8001."""
    return orders(session, "yanglao", "gongshang")


def accepted(session: Session, **fields: str) -> TicketRow:
    """An accepted ticket of agent 8001."""
    ticket = house.queued(session, house.call(session))
    form = {"kind": "policy", "summary": "未到账", "caller_name": "王秀英", **fields}
    acts.fill(session, ticket.id, who(session, "8001"), form, None, NOW)
    return acts.accept(session, ticket.id, who(session, "8001"), "示范市", NOW)


def orders(session: Session, *departments: str, **fields: str) -> list[WorkOrderRow]:
    """The same, dispatched."""
    ticket = accepted(session, **fields)
    return dispatching.dispatch(session, ticket.id, who(session, "8001"), departments, "", NOW)


def sent(session: Session) -> list[Message]:
    """The messages in the outbox, oldest first."""
    rows = session.scalars(select(OutboxRow.body).order_by(OutboxRow.id))
    return [messages.decode(body).message for body in rows]


def story(session: Session) -> list[tuple[str, str]]:
    """What was done, and why, oldest first."""
    rows = session.scalars(select(TicketStepRow).order_by(TicketStepRow.id))
    return [(row.action, row.why) for row in rows]
