"""Where work orders are, as the tables say: joined by order, in three statements."""

from collections.abc import Iterator

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from gateway.errors import NotFound
from gateway.flow import answering, dispatching, outgoing, pushing, whereabouts
from gateway.parts import Parts
from gateway.people.roles import Role
from gateway.tables import WorkOrderRow
from gateway.tickets import acts
from queueing import due, inbox, messages, parked
from queueing.messages import Signed
from queueing.tables import OutboxRow, ParkedRow
from tests.unit.gateway import house
from tests.unit.gateway.house import NOW, S, who

PEOPLE = (("8001", Role.AGENT, None), ("8002", Role.AGENT, None), ("sun", Role.OFFICER, "yanglao"))


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
    """Two work orders of one ticket of agent 8001."""
    ticket = house.queued(session, house.call(session))
    agent = who(session, "8001")
    acts.fill(session, ticket.id, agent, {"kind": "policy", "summary": "未到账"}, None, NOW)
    acts.accept(session, ticket.id, agent, "示范市", NOW)
    return dispatching.dispatch(session, ticket.id, agent, ["yanglao", "gongshang"], "", NOW)


def carry(session: Session, now: int) -> None:
    """What a relay does with one row of each ticket: published at `now`, confirmed 1 s later."""
    claimed = due.claim(session, now=now, lease_us=60 * S, limit=10)
    due.confirm(session, [(row, now) for row in claimed], now + S)
    session.expire_all()


def test_the_way_of_an_order_is_in_the_tables(session: Session, both: list[WorkOrderRow]) -> None:
    """Protects: each step is that of its own order, with the relay's and the department's times."""
    order, other = both
    carry(session, NOW + S)
    reply = Signed(work_order=order.number, version=1, department="yanglao", by="孙经办")
    body = messages.encode(reply, event_id="e1", source="urn:d", time_us=NOW)
    now = NOW + 9 * S
    inbox.apply(session, messages.decode(body),
                lambda s, said: answering.apply(s, said, now), now)  # fmt: skip
    found = whereabouts.of_orders(session, both, NOW + 20 * S)
    assert [(one.stage, (one.at or NOW - S) - NOW) for one in found[order.number].steps] == [
        ("committed", 0), ("published", S), ("confirmed", 2 * S),
        ("delivered", 9 * S), ("signed", 9 * S), ("replied", -S),
    ]  # fmt: skip
    assert found[order.number].gaps == ()
    assert found[other.number].current == "published"
    assert [gap.kind for gap in found[other.number].gaps] == ["backlog"]


def test_what_is_parked_is_a_gap_of_its_order(session: Session, both: list[WorkOrderRow]) -> None:
    """Protects: a parked message, a dead letter, a reply not taken, and what was discarded, each at
    the order it is of; what another department says of it is not believed."""
    order, other = both
    row = session.scalars(
        select(OutboxRow).filter_by(dedupe_key=outgoing.key(order.number, 1))
    ).one()
    (claimed,) = due.claim(session, now=NOW, lease_us=S, limit=1)
    assert claimed.id == row.id
    parked.park_claimed(session, claimed, reason="没有接收队列 no queue takes it", now=NOW)
    for department in ("yanglao", "gongshang"):
        parked.park_reply(
            session, routing_key=f"reply.{department}.v1", body=department.encode(), reason="不符",
            now=NOW + 5, code="illegal-step", work_order=order.number,
        )  # fmt: skip
    session.expire_all()
    found = whereabouts.of_orders(session, both, NOW)
    gaps = found[order.number].gaps
    assert [(gap.kind, gap.event) for gap in gaps] == [("parked", "offered"), ("reply-parked", "")]
    assert "no queue" in gaps[0].reason
    assert found[other.number].gaps == ()
    for number in session.scalars(select(ParkedRow.id)).all():
        parked.discard(session, number, by="guan", reason="已电话告知", now=NOW + 7)
    (gap,) = whereabouts.of_orders(session, both, NOW)[order.number].gaps
    assert (gap.kind, gap.reason) == ("discarded", "已电话告知")


def test_three_statements_however_many_orders_and_messages(
    session: Session, both: list[WorkOrderRow]
) -> None:
    """Protects: a ticket with many orders, urged many times, asks the database no oftener."""
    agent = who(session, "8001")
    for order in both:
        for turn in range(5):
            pushing.push(session, order.number, agent, "urge", NOW, reason=str(turn))
    session.flush()
    said: list[str] = []
    bind = session.get_bind()
    event.listen(bind, "before_cursor_execute", lambda *asked: said.append(asked[2]))
    found = whereabouts.of_orders(session, both, NOW + 60 * S)
    assert len(said) == 3
    assert [gap.event for gap in found[both[0].number].gaps] == ["offered", *["urged"] * 5]


def test_who_may_not_read_the_ticket_finds_no_order(
    session: Session, both: list[WorkOrderRow]
) -> None:
    """Protects: where an order is, is part of its ticket."""
    assert whereabouts.of_order(session, who(session, "8001"), both[0].number, NOW).steps
    with pytest.raises(NotFound):
        whereabouts.of_order(session, who(session, "8002"), both[0].number, NOW)
    with pytest.raises(NotFound):
        whereabouts.of_order(session, who(session, "8001"), "WO-0", NOW)
