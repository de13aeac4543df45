"""Work orders: dispatched with their message, answered once, by page and by queue alike."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.errors import BadInput, Forbidden, HotlineError, IllegalStep, NotFound
from gateway.flow import answering, dispatching, orders
from gateway.parts import Parts
from gateway.people.roles import Role
from gateway.tables import TicketRow, TicketStepRow, WorkOrderRow
from gateway.tickets import acts, assigned, views
from gateway.tickets.lifecycle import TicketState
from queueing import messages
from queueing.errors import Rejected
from queueing.messages import Replied, Returned, Signed, WorkOrderOffered
from queueing.tables import OutboxRow
from tests.unit.gateway import house
from tests.unit.gateway.house import NOW, who


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    with house.house(tmp_path_factory.mktemp("house")) as made:
        with made.database.begin() as session:
            house.person(session, "8001", Role.AGENT, extension="PJSIP/8001")
            house.person(session, "8002", Role.AGENT, extension="PJSIP/8002")
            house.person(session, "sun", Role.OFFICER, department="yanglao")
            house.person(session, "he", Role.OFFICER, department="gongshang")
        yield made


@pytest.fixture
def session(parts: Parts) -> Iterator[Session]:
    """A transaction that is undone."""
    with house.undone(parts) as opened:
        yield opened


def accepted(session: Session, **fields: str) -> TicketRow:
    """An accepted ticket of agent 8001."""
    ticket = house.queued(session, house.call(session))
    agent = who(session, "8001")
    form = {"kind": "policy", "summary": "养老金未到账", "caller_name": "王秀英", **fields}
    acts.fill(session, ticket.id, agent, form, None, NOW)
    return acts.accept(session, ticket.id, agent, "示范市", NOW)


def dispatched(session: Session, *departments: str, **fields: str) -> list[WorkOrderRow]:
    ticket = accepted(session, **fields)
    return dispatching.dispatch(session, ticket.id, who(session, "8001"), departments, "", NOW)


def sent(session: Session) -> list[WorkOrderOffered]:
    """The messages in the outbox."""
    rows = session.scalars(select(OutboxRow).order_by(OutboxRow.id))
    found = [messages.decode(row.body).message for row in rows]
    assert all(isinstance(message, WorkOrderOffered) for message in found)
    return found  # type: ignore[return-value]


def test_the_order_and_its_message_are_one_act(session: Session) -> None:
    """What the department gets is in the outbox in the transaction that made the work order."""
    first, second = dispatched(session, "yanglao", "gongshang")
    assert [(one.work_order, one.department, one.lead) for one in sent(session)] == [
        (first.number, "yanglao", True),
        (second.number, "gongshang", False),
    ]
    assert house.only(session).state == "dispatched"


def test_a_confidential_caller_is_not_named_to_departments(session: Session) -> None:
    """保密: departments see the matter and not the person, in the message and on the page."""
    (order,) = dispatched(session, "yanglao", confidential="1")
    (message,) = sent(session)
    assert message.caller is None
    body = session.scalars(select(OutboxRow.body)).one().decode()
    assert "王秀英" not in body
    assert "13800138013" not in body
    view = assigned.order(session, who(session, "sun"), order.number)
    assert (view.caller_name, view.caller_phone) == ("", "")


@pytest.mark.parametrize(
    "departments", [(), ("nowhere",), ("yanglao", "yanglao")], ids=["none", "unknown", "twice"]
)
def test_a_bad_choice_of_departments_changes_nothing(
    session: Session, departments: tuple[str, ...]
) -> None:
    """The agent is told what is wrong; no number is used up and no message lies about."""
    ticket = accepted(session)
    with pytest.raises(BadInput):
        dispatching.dispatch(session, ticket.id, who(session, "8001"), departments, "", NOW)
    assert ticket.state == "accepted"
    assert sent(session) == []


def test_a_draft_is_not_dispatched(session: Session) -> None:
    """派单 before 受理 is refused, and leaves nothing behind."""
    ticket = house.queued(session, house.call(session))
    acts.fill(session, ticket.id, who(session, "8001"), {"summary": "x"}, None, NOW)
    with pytest.raises(IllegalStep):
        dispatching.dispatch(session, ticket.id, who(session, "8001"), ["yanglao"], "", NOW)
    assert session.scalars(select(WorkOrderRow)).all() == []


def test_the_ticket_is_replied_when_all_departments_are(session: Session) -> None:
    """主办 and 协办: the first reply is only a line of the story, the last one makes it 已反馈."""
    first, second = dispatched(session, "yanglao", "gongshang")
    ticket = house.only(session)
    for login, order in (("sun", first), ("he", second)):
        assert ticket.state != TicketState.REPLIED
        orders.act(session, order.number, who(session, login), "sign", NOW)
        orders.act(session, order.number, who(session, login), "reply", NOW, result="已补发")
    assert ticket.state == "replied"
    acts.close(session, ticket.id, who(session, "8002"), "已电话告知", NOW)
    assert (ticket.state, ticket.closed_at) == ("closed", NOW)


def test_a_returned_order_is_dispatched_again(session: Session) -> None:
    """退单 with a reason brings it back to the agent; the other department then leads."""
    (order,) = dispatched(session, "yanglao")
    ticket = house.only(session)
    with pytest.raises(BadInput):
        orders.act(session, order.number, who(session, "sun"), "return", NOW)
    orders.act(session, order.number, who(session, "sun"), "return", NOW, reason="属工伤")
    assert (ticket.state, order.return_reason) == ("returned", "属工伤")
    again = dispatching.dispatch(session, ticket.id, who(session, "8001"), ["gongshang"], "", NOW)
    assert (ticket.state, again[0].lead) == ("dispatched", True)


def test_nobody_acts_on_another_departments_order(session: Session) -> None:
    """Another department's order is not found; an agent may not act as a department."""
    (order,) = dispatched(session, "yanglao")
    with pytest.raises(NotFound):
        orders.act(session, order.number, who(session, "he"), "sign", NOW)
    with pytest.raises(Forbidden):
        orders.act(session, order.number, who(session, "8001"), "sign", NOW)
    with pytest.raises(NotFound):
        assigned.order(session, who(session, "he"), order.number)
    assert assigned.orders(session, who(session, "he")) == []


def test_a_desk_with_many_finished_orders_still_sees_the_new_one(session: Session) -> None:
    """Two hundred answered work orders do not push the one to be signed off the list."""
    (new,) = dispatched(session, "yanglao")
    for number in range(assigned.ORDERS + 5):
        session.add(
            WorkOrderRow(number=f"OLD-{number}", ticket_id=new.ticket_id, department="yanglao",
                         lead=False, state="replied", question="?", offered_at=NOW, due_at=1)
        )  # fmt: skip
    session.flush()
    sun = who(session, "sun")
    assert [view.order.number for view in assigned.orders(session, sun, "offered")] == [new.number]
    assert assigned.order_counts(session, sun) == {"offered": 1, "replied": assigned.ORDERS + 5}
    assert len(assigned.orders(session, sun, "replied")) == assigned.ORDERS


def test_what_is_too_long_for_a_message_is_refused_by_name(session: Session) -> None:
    """A question that no message can carry is told as such, and nothing is half dispatched."""
    ticket = accepted(session)
    with pytest.raises(BadInput) as refused:
        dispatching.dispatch(
            session, ticket.id, who(session, "8001"), ["yanglao"], "问" * 20_001, NOW
        )
    assert set(refused.value.fields) == {"question"}
    (order,) = dispatching.dispatch(
        session, ticket.id, who(session, "8001"), ["yanglao"], "问" * 20_000, NOW
    )
    orders.act(session, order.number, who(session, "sun"), "sign", NOW)
    with pytest.raises(BadInput):
        orders.act(session, order.number, who(session, "sun"), "reply", NOW, result="答" * 20_001)
    assert order.state == "signed"


def test_replies_by_queue_do_the_same(session: Session) -> None:
    """A department's own system signs and replies with the same effect as its page."""
    (order,) = dispatched(session, "yanglao")
    reference: dict[str, Any] = {"work_order": order.number, "version": 1, "department": "yanglao"}
    answering.apply(session, [Signed(**reference, by="孙")], NOW)
    answering.apply(session, [Replied(**reference, by="孙", result="已补发", measures="")], NOW)
    assert (order.state, order.result, house.only(session).state) == (
        "replied", "已补发", "replied",
    )  # fmt: skip


@pytest.mark.parametrize("department", ["gongshang", "yanglao"])
def test_a_reply_that_makes_no_sense_is_rejected(session: Session, department: str) -> None:
    """Another department's order, or a reply before the signature: parked with its reason."""
    (order,) = dispatched(session, "yanglao")
    reference: dict[str, Any] = {"work_order": order.number, "version": 1, "department": department}
    message = Replied(**reference, by="孙", result="已补发", measures="")
    with pytest.raises(Rejected):
        answering.apply(session, [message], NOW)
    assert (order.state, house.only(session).state) == ("offered", "dispatched")


ACTS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["sign", "reply", "return", "dispatch"])),
    max_size=14,
)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(ACTS)
def test_whatever_departments_do_ticket_and_orders_agree(
    parts: Parts, acts_done: list[tuple[int, str]]
) -> None:
    """Any order of signing, returning, replying and dispatching again: the ticket says replied
    only when every part that was not returned is, and a refused act changes nothing."""
    with house.undone(parts) as session:
        made = dispatched(session, "yanglao", "gongshang")
        ticket, agent = house.only(session), who(session, "8001")
        officers = {"yanglao": who(session, "sun"), "gongshang": who(session, "he")}
        for place, action in acts_done:
            before = (ticket.state, [one.state for one in made])
            order = made[place % len(made)]
            try:  # no savepoint: a refusal itself has to leave everything as it was
                if action == "dispatch":
                    made += dispatching.dispatch(
                        session, ticket.id, agent, [order.department], "", NOW
                    )
                else:
                    orders.act(session, order.number, officers[order.department], action,
                               NOW, result="r", reason="r")  # fmt: skip
            except HotlineError:
                assert before == (ticket.state, [one.state for one in made])
            standing = [one.state for one in made if one.state != "returned"]
            if ticket.state == "replied":
                assert standing
                assert set(standing) == {"replied"}
            assert sum(one.lead for one in made if one.state != "returned") <= 1


def test_a_returned_message_is_a_returned_order(session: Session) -> None:
    """退单 by the department's own system carries its reason to the story."""
    (order,) = dispatched(session, "yanglao")
    reference: dict[str, Any] = {"work_order": order.number, "version": 1, "department": "yanglao"}
    answering.apply(session, [Returned(**reference, by="孙", reason="属工伤")], NOW)
    last = views.ticket(session, who(session, "8001"), order.ticket_id).steps[-1]
    assert (last.action, last.why, last.actor) == ("return", "属工伤", "孙")


def test_what_comes_after_the_end_is_kept_as_late(session: Session) -> None:
    """A department that answers a closed ticket is heard: the story says late and what it said, the
    owner is told, nothing else changes; before the end the same step is refused."""
    (order,) = dispatched(session, "yanglao")
    reference: dict[str, Any] = {"work_order": order.number, "version": 1, "department": "yanglao"}
    answer = Replied(**reference, by="孙", result="又查到一笔", measures="补发")
    answering.apply(session, [Signed(**reference, by="孙")], NOW)
    answering.apply(session, [Replied(**reference, by="孙", result="已补发", measures="")], NOW)
    with pytest.raises(Rejected) as refused:
        answering.apply(session, [answer], NOW)
    assert refused.value.code == "illegal-step"
    ticket = house.only(session)
    acts.close(session, ticket.id, who(session, "8002"), "已电话告知", NOW)
    told = len(session.info["notices"])
    answering.apply(session, [answer], NOW)
    assert (order.state, order.result, ticket.state) == ("replied", "已补发", "closed")
    last = session.scalars(select(TicketStepRow).order_by(TicketStepRow.id.desc())).first()
    assert last is not None
    assert (last.action, last.work_order, last.actor) == ("late", order.number, "孙")
    assert "又查到一笔" in last.why
    assert "补发" in last.why
    topics = {notice.topic for notice in session.info["notices"][told:]}
    assert {f"person:{ticket.owner}", "department:yanglao"} <= topics
