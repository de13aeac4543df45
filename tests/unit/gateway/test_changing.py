"""Changing an order that is out, remarks passed on in joint handling, and the officer's words."""

from collections.abc import Iterator

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.errors import BadInput, Forbidden, HotlineError, IllegalStep, NotFound, Recused
from gateway.flow import answering, changing, dispatching, orders
from gateway.flow.changing import Wanted
from gateway.parts import Parts
from gateway.people.roles import Role
from gateway.tables import TicketStepRow, WorkOrderRow
from gateway.tickets import acts, assigned, clocks, recusal
from queueing import messages
from queueing.errors import Rejected
from queueing.messages import Message, Remarked, WorkOrderChanged, WorkOrderRemarked
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
WHY = "来电人补充"


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
    ticket = house.queued(session, house.call(session))
    agent = who(session, "8001")
    acts.fill(session, ticket.id, agent, {"kind": "policy", "summary": "未到账"}, None, NOW)
    acts.accept(session, ticket.id, agent, "示范市", NOW)
    return dispatching.dispatch(session, ticket.id, agent, ["yanglao", "gongshang"], "", NOW)


def change(
    session: Session, order: WorkOrderRow, login: str, wanted: Wanted, why: str = WHY
) -> None:
    changing.change(session, order.number, who(session, login), wanted, NOW, reason=why)


def act(session: Session, order: WorkOrderRow, login: str, action: str, **said: str) -> None:
    orders.act(session, order.number, who(session, login), action, NOW, **said)


def told(session: Session) -> list[Message]:
    """What was sent after the two offers, oldest first."""
    rows = session.scalars(select(OutboxRow).order_by(OutboxRow.id))
    return [messages.decode(row.body).message for row in rows][2:]


def story(session: Session) -> list[tuple[str, str]]:
    rows = session.scalars(select(TicketStepRow).order_by(TicketStepRow.id))
    return [(row.action, row.why) for row in rows]


def test_a_change_is_the_whole_order_and_what_is_new_in_it(
    session: Session, both: list[WorkOrderRow]
) -> None:
    """变更: the department has the order as it now stands, and is told where to look."""
    order, other = both
    change(session, order, "chen", Wanted(question="请核查三月和四月", due="2026-12-10"))
    (message,) = told(session)
    assert isinstance(message, WorkOrderChanged)
    assert (message.version, message.changed) == (2, ["summary", "due_at"])
    assert (message.summary, message.reason, message.by) == ("请核查三月和四月", WHY, "chen")
    assert message.due_at == clocks.china(order.due_at or 0)
    assert f"{message.due_at:%Y-%m-%d %H:%M}" == "2026-12-10 23:59"
    assert other.version == 1
    assert story(session)[-1] == ("change", f"请部门答复、期限 question, due：{WHY}")
    view = assigned.order(session, who(session, "sun"), order.number)
    assert [step.action for step in view.pushes] == ["change"]


def test_the_demand_is_every_departments(session: Session, both: list[WorkOrderRow]) -> None:
    """Protects: departments of one ticket are not told two different demands; whoever has given its
    part back is told nothing more."""
    order, other = both
    change(session, order, "8001", Wanted(demand="书面答复"))
    found = [(m.department, m.demand, m.changed) for m in told(session)
             if isinstance(m, WorkOrderChanged)]  # fmt: skip
    assert found == [("yanglao", "书面答复", ["demand"]), ("gongshang", "书面答复", ["demand"])]
    act(session, other, "qian", "return", reason="不属我科")
    change(session, order, "8001", Wanted(demand="电话答复"))
    assert [m.department for m in told(session)[2:]] == ["yanglao"]


@pytest.mark.parametrize(
    ("login", "wanted", "why", "error"),
    [
        ("8001", Wanted(due="2026-12-10"), WHY, Forbidden),
        ("zhao", Wanted(question="x"), WHY, Forbidden),
        ("sun", Wanted(question="x"), WHY, Forbidden),
        ("8002", Wanted(question="x"), WHY, NotFound),
        ("8001", Wanted(), WHY, BadInput),
        ("8001", Wanted(question="未到账"), WHY, BadInput),
        ("8001", Wanted(question="x"), " ", BadInput),
        ("8001", Wanted(question="x" * 20_001), WHY, BadInput),
        ("8001", Wanted(demand="x" * 20_001), WHY, BadInput),
        ("chen", Wanted(due="soon"), WHY, BadInput),
        ("chen", Wanted(due="2020-01-01"), WHY, BadInput),
        ("chen", Wanted(due="9999-12-31"), WHY, BadInput),
    ],
)
def test_what_may_not_be_changed_changes_nothing(
    session: Session,
    both: list[WorkOrderRow],
    login: str,
    wanted: Wanted,
    why: str,
    error: type[HotlineError],
) -> None:
    """Each change is its role's; one that says nothing, or nothing new, is no message."""
    with pytest.raises(error):
        change(session, both[0], login, wanted, why)
    assert told(session) == []
    assert both[0].version == 1


def test_what_was_answered_is_not_changed(session: Session, both: list[WorkOrderRow]) -> None:
    """Protects: an answer stands to the question it was given to; 回避 holds here as well."""
    order, other = both
    act(session, order, "sun", "sign")
    act(session, order, "sun", "reply", result="已补发")
    with pytest.raises(IllegalStep):
        change(session, order, "8001", Wanted(question="x"))
    recusal.name(session, order.ticket_id, "chen", "zhao", NOW)
    with pytest.raises(Recused):
        change(session, other, "chen", Wanted(question="x"))


def test_a_remark_reaches_the_other_departments(session: Session, both: list[WorkOrderRow]) -> None:
    """会办: what one department remarks, by its own system or at its desk, the others get under
    their own orders, whole, and it stands on their desk; its author gets nothing back."""
    order, other = both
    said = Remarked(work_order=order.number, version=1, department="yanglao", by="孙科长",
                    text="甲" * 1_000 + "乙")  # fmt: skip
    answering.apply(session, [said], NOW)
    found = told(session)
    assert all(isinstance(message, WorkOrderRemarked) for message in found)
    parts = [(m.work_order, m.version, m.from_department, m.by, m.part, m.parts, m.text)
             for m in found if isinstance(m, WorkOrderRemarked)]  # fmt: skip
    assert parts == [
        (other.number, 2, "yanglao", "孙科长", 1, 2, "甲" * 1_000),
        (other.number, 3, "yanglao", "孙科长", 2, 2, "乙"),
    ]
    act(session, other, "qian", "remark", result="同意")
    (last,) = told(session)[2:]
    assert isinstance(last, WorkOrderRemarked)
    assert (last.work_order, last.by, last.text) == (order.number, "qian", "同意")
    view = assigned.order(session, who(session, "qian"), other.number)
    assert [(step.action, step.work_order) for step in view.pushes] == [
        ("remark", order.number), ("remark", other.number),
    ]  # fmt: skip


def test_a_remark_is_not_told_to_who_has_answered(
    session: Session, both: list[WorkOrderRow]
) -> None:
    """Protects: a program that is done with an order is not woken for it again."""
    order, other = both
    act(session, other, "qian", "return", reason="不属我科")
    act(session, order, "sun", "remark", result="已知悉")
    assert told(session) == []
    assert story(session)[-1] == ("remark", "已知悉")


def test_the_officer_says_what_a_program_can_say(
    session: Session, both: list[WorkOrderRow]
) -> None:
    """Protects: at the desk page as by AMQP: a wish for more time, progress; the order stays."""
    order, _ = both
    act(session, order, "sun", "sign")
    before = order.state, house.only(session).state
    act(session, order, "sun", "ask-extension", until="2026-12-20", reason="须外单位协助")
    act(session, order, "sun", "progress", result="正在核实")
    assert story(session)[-2:] == [
        ("ask-extension", "申请延至 Until 2026-12-20：须外单位协助"), ("progress", "正在核实"),
    ]  # fmt: skip
    assert (order.state, house.only(session).state) == before


@pytest.mark.parametrize(
    ("action", "said", "field"),
    [
        ("ask-extension", {"until": "2026-12-20", "reason": " "}, "reason"),
        ("ask-extension", {"until": "", "reason": "x"}, "until"),
        ("ask-extension", {"until": "tomorrow", "reason": "x"}, "until"),
        ("ask-extension", {"until": "2026-11-20", "reason": "x"}, "until"),
        ("ask-extension", {"until": "9999-12-31", "reason": "x"}, "until"),
        ("progress", {}, "result"),
        ("remark", {"result": " "}, "result"),
        ("remark", {"result": "x" * 20_001}, "result"),
    ],
)
def test_an_officer_who_says_nothing_is_told_where(
    session: Session, both: list[WorkOrderRow], action: str, said: dict[str, str], field: str
) -> None:
    """Protects: a form with something missing names the field, and nothing was written."""
    order, _ = both
    act(session, order, "sun", "sign")
    lines = story(session)
    with pytest.raises(BadInput) as refused:
        act(session, order, "sun", action, **said)
    assert list(refused.value.fields) == [field]
    assert story(session) == lines


def test_before_signing_nobody_asks_for_time(session: Session, both: list[WorkOrderRow]) -> None:
    """Protects: whoever asks for more time has taken responsibility first, by page or program."""
    order, _ = both
    for action in ("ask-extension", "progress"):
        with pytest.raises(IllegalStep):
            act(session, order, "sun", action, until="2026-12-20", reason="x", result="x")
    said = messages.Progress(work_order=order.number, version=1, department="yanglao", by="x",
                             text="x")  # fmt: skip
    with pytest.raises(Rejected):
        answering.apply(session, [said], NOW)
