"""Urging, supervising, extending, withdrawing; and what a department says beside its answer."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.errors import BadInput, Forbidden, IllegalStep, NotFound, Recused
from gateway.flow import answering, dispatching, orders, pushing
from gateway.tables import TicketStepRow, WorkOrderRow
from gateway.tickets import assigned, clocks, recusal
from queueing import messages
from queueing.errors import Rejected
from queueing.messages import (
    ExtensionAsked,
    Message,
    Progress,
    Remarked,
    WorkOrderExtended,
    WorkOrderOffered,
    WorkOrderSupervised,
    WorkOrderUrged,
    WorkOrderWithdrawn,
)
from queueing.tables import OutboxRow
from tests.unit.gateway import dispatched, house
from tests.unit.gateway.house import NOW, who

parts, session = dispatched.parts, dispatched.session


@pytest.fixture
def order(session: Session) -> WorkOrderRow:
    """A work order at yanglao, of a ticket of agent 8001."""
    return dispatched.orders(session, "yanglao")[0]


def push(
    session: Session,
    order: WorkOrderRow,
    login: str,
    action: str,
    reason: str = "来电人再次来电",
    until: str = "",
) -> None:
    pushing.push(
        session, order.number, who(session, login), action, NOW, reason=reason, until=until
    )


def sign(session: Session, order: WorkOrderRow) -> None:
    orders.act(session, order.number, who(session, "sun"), "sign", NOW)


def sent(session: Session) -> list[tuple[str, Message]]:
    """The keys and messages in the outbox."""
    rows = session.scalars(select(OutboxRow).order_by(OutboxRow.id))
    return [(row.dedupe_key, messages.decode(row.body).message) for row in rows]


def story(session: Session, order: WorkOrderRow) -> list[tuple[str, str]]:
    rows = session.scalars(select(TicketStepRow).filter_by(ticket_id=order.ticket_id))
    return [(row.action, row.why) for row in rows if row.work_order == order.number]


def test_every_message_has_the_next_version(session: Session, order: WorkOrderRow) -> None:
    """A department that keeps the highest version has the newest word, whatever came between."""
    push(session, order, "8001", "urge")
    push(session, order, "chen", "urge")
    push(session, order, "zhao", "supervise")
    sign(session, order)
    push(session, order, "chen", "not-extend")
    push(session, order, "8001", "withdraw")
    found = sent(session)
    assert [key for key, _ in found] == [f"{order.number}/v{version}" for version in range(1, 7)]
    assert [getattr(message, "version", None) for _, message in found] == list(range(1, 7))
    kinds = [WorkOrderOffered, WorkOrderUrged, WorkOrderUrged, WorkOrderSupervised,
             WorkOrderExtended, WorkOrderWithdrawn]  # fmt: skip
    assert [type(message) for _, message in found] == kinds
    keys = set(session.scalars(select(OutboxRow.ordering_key)))
    assert keys == {f"ticket:{order.ticket_id}"}


def test_an_urge_counts_and_carries_the_whole_order(session: Session, order: WorkOrderRow) -> None:
    """催办: the newest message alone tells the department all it has to know."""
    push(session, order, "8001", "urge")
    push(session, order, "8001", "urge", reason="第三次来电")
    (_, offer), _, (_, urged) = sent(session)
    assert isinstance(offer, WorkOrderOffered)
    assert isinstance(urged, WorkOrderUrged)
    assert (urged.times, urged.reason, urged.by) == (2, "第三次来电", "8001")
    assert urged.model_dump(include=set(WorkOrderOffered.model_fields)) == (
        offer.model_dump(exclude={"attachments", "forms"}) | {"version": 3}
    )
    assert story(session, order)[-1] == ("urge", "第三次来电")
    view = assigned.order(session, who(session, "sun"), order.number)
    assert [step.why for step in view.pushes] == ["来电人再次来电", "第三次来电"]


def test_a_withdrawn_order_is_dispatched_elsewhere(session: Session, order: WorkOrderRow) -> None:
    """撤回, 改派: the department can do nothing with it any more, and another one leads."""
    sign(session, order)
    push(session, order, "8001", "withdraw", reason="属工伤")
    ticket = house.only(session)
    assert (ticket.state, order.state, order.returned_at) == ("returned", "returned", None)
    with pytest.raises(IllegalStep):
        orders.act(session, order.number, who(session, "sun"), "reply", NOW, result="已补发")
    again = dispatching.dispatch(session, ticket.id, who(session, "8001"), ["gongshang"], "", NOW)
    assert (ticket.state, again[0].lead) == ("dispatched", True)


def test_a_granted_extension_moves_the_day(session: Session, order: WorkOrderRow) -> None:
    """延期: the order is due at the end of the new day, in the row and in the message."""
    sign(session, order)
    push(session, order, "chen", "extend", until="2026-12-10")
    (_, told) = sent(session)[-1]
    assert isinstance(told, WorkOrderExtended)
    assert told.granted
    assert told.due_at == datetime(2026, 12, 10, 23, 59, 59, tzinfo=clocks.CHINA)
    assert clocks.china(order.due_at or 0) == told.due_at
    assert story(session, order)[-1] == ("extend", "2026-12-10：来电人再次来电")


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"reason": " "}, "reason"),
        ({"reason": "急" * 1_001}, "reason"),
        ({"until": ""}, "until"),
        ({"until": "tomorrow"}, "until"),
        ({"until": "2026-11-23"}, "until"),
        ({"until": "2028-01-01"}, "until"),
        ({"until": "9999-12-31"}, "until"),
    ],
)
def test_what_cannot_be_decided_is_said(
    session: Session, order: WorkOrderRow, said: dict[str, str], field: str
) -> None:
    """A push without a reason, or to a day that is none, says which field is wrong."""
    sign(session, order)
    with pytest.raises(BadInput) as refused:
        push(session, order, "chen", "extend", **said)
    assert list(refused.value.fields) == [field]


@pytest.mark.parametrize(
    ("login", "action", "error"),
    [
        ("8001", "supervise", Forbidden),
        ("8001", "extend", Forbidden),
        ("zhao", "urge", Forbidden),
        ("zhao", "withdraw", Forbidden),
        ("sun", "urge", Forbidden),
        ("8002", "urge", NotFound),
        ("chen", "extend", IllegalStep),
    ],
)
def test_who_may_not_push_changes_nothing(
    session: Session, order: WorkOrderRow, login: str, action: str, error: type[Exception]
) -> None:
    """Each push is its role's, on tickets they may see; nothing is sent where it is refused."""
    with pytest.raises(error):
        push(session, order, login, action, until="2026-12-10")
    assert len(sent(session)) == 1
    assert order.version == 1


def test_whom_the_matter_is_about_does_not_push(session: Session, order: WorkOrderRow) -> None:
    """回避 holds for pushes as for any other handling."""
    recusal.name(session, order.ticket_id, "chen", "zhao", NOW)
    with pytest.raises(Recused):
        push(session, order, "chen", "urge")


def test_an_unknown_order_is_not_found(session: Session) -> None:
    """A number that is none of ours says so."""
    with pytest.raises(NotFound):
        pushing.push(session, "WO-0", who(session, "chen"), "urge", NOW, reason="x")


def test_a_push_is_of_the_ticket_it_was_asked_on(session: Session, order: WorkOrderRow) -> None:
    """A form that names another ticket's order does nothing to it."""
    agent = who(session, "8001")
    with pytest.raises(NotFound):
        pushing.push(session, order.number, agent, "urge", NOW, reason="x",
                     of_ticket=order.ticket_id + 1)  # fmt: skip
    assert order.version == 1
    pushing.push(session, order.number, agent, "urge", NOW, reason="x",
                 of_ticket=order.ticket_id)  # fmt: skip
    assert order.version == 2


def told(order: WorkOrderRow, kind: type[Any], **said: Any) -> Any:
    about = {"work_order": order.number, "version": 1, "department": order.department}
    return kind(**about, by="孙科长", **said)


def test_what_a_department_tells_stands_in_the_story(session: Session, order: WorkOrderRow) -> None:
    """Progress, a wish for more time and a remark reach the ticket's owner and move nothing."""
    sign(session, order)
    before = (house.only(session).state, order.state)
    until = "2026-12-01T16:30:00+00:00"
    for message in (
        told(order, Progress, text="已联系银行"),
        told(order, ExtensionAsked, until=until, reason="银行回单未到"),
        told(order, Remarked, text="请工伤科一并核查"),
    ):
        answering.apply(session, [message], NOW)
    assert story(session, order)[-3:] == [
        ("progress", "已联系银行"),
        ("ask-extension", "申请延至 Until 2026-12-02：银行回单未到"),
        ("remark", "请工伤科一并核查"),
    ]
    assert (house.only(session).state, order.state) == before
    assert order.replied_at is None


def test_progress_before_the_signature_is_refused(session: Session, order: WorkOrderRow) -> None:
    """Who tells how it goes must first have taken responsibility; the reason is told."""
    with pytest.raises(Rejected, match="签收"):
        answering.apply(session, [told(order, Progress, text="x")], NOW)
