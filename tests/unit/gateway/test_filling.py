"""The form of a ticket that departments have in hand: what they were told, they are told anew."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.errors import StaleTicket
from gateway.flow import filling, orders
from gateway.flow.filling import REASON
from gateway.parts import Parts
from gateway.tables import TicketRow, WorkOrderRow
from gateway.tickets import assigned
from queueing.messages import WorkOrderChanged
from queueing.tables import OutboxRow
from tests.unit.gateway import dispatched, house
from tests.unit.gateway.house import NOW, who

parts, session, both = dispatched.parts, dispatched.session, dispatched.both


def fill(session: Session, version: int | None = None, **fields: str) -> None:
    ticket = house.only(session)
    filling.fill(session, ticket.id, who(session, "8001"), fields, version, NOW)


def told(session: Session) -> list[WorkOrderChanged]:
    """The changes that were sent, oldest first."""
    return [one for one in dispatched.sent(session) if isinstance(one, WorkOrderChanged)]


def test_who_has_an_order_is_told_of_a_corrected_form(
    session: Session, both: list[WorkOrderRow]
) -> None:
    """Protects: nobody works on a demand, or rings a number, that was corrected since; each
    department has the whole order under its next version, and its desk says what happened."""
    fill(session, demand="书面答复", caller_phone="13900139000", evidence="照片两张")
    found = told(session)
    assert [(one.department, one.version, one.changed) for one in found] == [
        ("yanglao", 2, ["demand", "caller"]), ("gongshang", 2, ["demand", "caller"]),
    ]  # fmt: skip
    for one in found:
        assert one.caller is not None
        assert (one.demand, one.caller.phone) == ("书面答复", "13900139000")
        assert (one.by, one.reason) == ("8001", REASON)
    view = assigned.order(session, who(session, "qian"), both[1].number)
    assert [(step.action, step.why) for step in view.pushes] == [
        ("change", f"诉求、来电人 demand, caller：{REASON}")
    ]
    keys = set(session.scalars(select(OutboxRow.ordering_key)))
    assert keys == {f"ticket:{both[0].ticket_id}"}


def test_who_has_answered_is_not_told(session: Session, both: list[WorkOrderRow]) -> None:
    """Protects: a department that gave its part back is told nothing more; the other still is."""
    orders.act(session, both[0].number, who(session, "sun"), "return", NOW, reason="不属我科")
    fill(session, demand="电话答复")
    assert [one.department for one in told(session)] == ["gongshang"]


def test_what_concerns_no_department_is_not_told(
    session: Session, both: list[WorkOrderRow]
) -> None:
    """Protects: a form that saves itself again, and fields that departments never saw, wake no
    department's program; the story has no empty lines."""
    before = dispatched.story(session)
    fill(session, summary="三月未到账", evidence="照片", caller_address="某街")
    fill(session, demand="", caller_phone=house.only(session).caller_phone)
    assert told(session) == []
    assert dispatched.story(session) == before
    assert [one.version for one in both] == [1, 1]


def test_a_confidential_caller_stays_unnamed(session: Session) -> None:
    """保密: a corrected number of a caller whom departments may not know is not told them."""
    dispatched.orders(session, "yanglao", confidential="1")
    fill(session, caller_phone="13900139000")
    assert told(session) == []
    fill(session, demand="书面答复")
    (message,) = told(session)
    assert (message.changed, message.caller) == (["demand"], None)


def test_the_form_and_its_message_are_one_act(parts: Parts) -> None:
    """Protects: neither without the other: a form that is not saved tells nobody."""
    with house.undone(parts) as session:
        dispatched.orders(session, "yanglao")
        with pytest.raises(StaleTicket):
            fill(session, version=99, demand="书面答复")
        assert told(session) == []
        assert session.scalars(select(TicketRow.demand)).one() == ""


def test_before_dispatch_there_is_nobody_to_tell(session: Session) -> None:
    """Protects: filling in a form is no message by itself."""
    dispatched.accepted(session)
    fill(session, demand="书面答复")
    assert session.scalars(select(OutboxRow)).all() == []
