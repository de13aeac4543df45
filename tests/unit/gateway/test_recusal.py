"""回避: whoever the matter is about neither handles it, nor decides, nor asks, nor listens."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from gateway.errors import BadInput, Forbidden, IllegalStep, NotFound, Recused
from gateway.flow import answering, dispatching, linking, listening, orders, playing, recusing
from gateway.flow.playing import Begun, Permitted
from gateway.flow.recusing import Doing
from gateway.flow.refusal import Refused
from gateway.parts import Parts
from gateway.people.accounts import Person
from gateway.people.roles import Role
from gateway.tables import TicketJoinRow, TicketRow, TicketStepRow
from gateway.tickets import acts, joining, recusal
from queueing.errors import Rejected
from queueing.messages import Signed
from recordings import audit
from recordings.asking import Wanted
from recordings.tables import AuditLineRow, GrantRow, RequestRow
from telephony.tables import CallLegRow
from tests.unit.gateway import house
from tests.unit.gateway.house import NOW

HERE = "127.0.0.1"


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    with house.house(tmp_path) as made:
        yield made


@pytest.fixture
def session(parts: Parts) -> Iterator[Session]:
    with parts.database.begin() as opened:
        yield opened


@pytest.fixture
def people(session: Session) -> dict[str, Person]:
    """One of each role, two supervisors, and an agent with a phone."""
    made = {
        str(role): house.person(
            session, str(role), role, department="yanglao" if role is Role.OFFICER else None,
            extension="PJSIP/8001" if role is Role.AGENT else None,
        )
        for role in Role
    }  # fmt: skip
    made["chen"] = house.person(session, "chen", Role.SUPERVISOR)
    return made


def ticket(session: Session, number: int) -> TicketRow:
    """A ticket with its call, its agent, and the call's recording."""
    linkedid = f"1795400000.{number}"
    row = house.call(session, linkedid)
    made = house.queued(session, row)
    house.answered(session, row, "PJSIP/8001")
    session.add(CallLegRow(call_id=row.id, leg="x", interface="PJSIP/8001", member="",
                           result="answered"))  # fmt: skip
    linking.captured(session, house.recording(session, linkedid))
    return made


def asked(session: Session, who: Person, number: str = "#1", **more: Any) -> RequestRow | Refused:
    wanted = Wanted("complaint", "核对", number)
    return listening.ask(session, who, [1], wanted, origin=HERE, now=NOW, **more)


def granted(session: Session, people: dict[str, Person], number: str = "#1") -> GrantRow:
    """A yes for the supervisor to hear recording 1."""
    request = asked(session, people["supervisor"], number)
    assert isinstance(request, RequestRow)
    grant = decided(session, people["authoriser"], request.id)
    assert isinstance(grant, GrantRow)
    return grant


def decided(session: Session, who: Person, request_id: int) -> GrantRow | Refused | None:
    return listening.decide(session, who, request_id, granted=True, note="", lasts_s=600,
                            origin=HERE, now=NOW)  # fmt: skip


def play(session: Session, who: Person, grant: GrantRow) -> int:
    begun = playing.begin(session, who, grant.id, 1, origin=HERE, now=NOW)
    assert isinstance(begun, Begun)
    return begun.play.id


def name(session: Session, by: Person, of: int, login: str) -> list[str] | Refused:
    return recusing.name(Doing(session, by, HERE, NOW), of, login)


def join(session: Session, by: Person, of: int, into: str) -> list[str] | Refused:
    return recusing.join(Doing(session, by, HERE, NOW), of, into)


def newest(session: Session) -> tuple[str, str, str, str]:
    audit.settle(session)  # as the commit would
    line = session.query(AuditLineRow).order_by(AuditLineRow.id.desc()).first()
    assert line is not None
    return (line.action, line.actor, line.obj, line.outcome)


def refused(done: object) -> bool:
    return isinstance(done, Refused) and isinstance(done.error, Recused)


def test_the_agent_complained_of_does_not_handle_it(
    session: Session, people: dict[str, Person]
) -> None:
    """Named in the register form by name or extension, the agent changes nothing any more; a
    colleague's supervisor goes on, and praise keeps nobody out."""
    row = ticket(session, 1)
    agent, supervisor = people["agent"], people["supervisor"]
    for said in ("agent", "工号8001", "坐席 agent（女）"):
        acts.fill(session, row.id, supervisor, {"kind": "complaint", "subject_staff": said}, None,
                  NOW)  # fmt: skip
        with pytest.raises(Recused):
            acts.fill(session, row.id, agent, {"summary": "改"}, None, NOW)
        with pytest.raises(Recused):
            acts.close(session, row.id, agent, "已告知", NOW)
        with pytest.raises(Recused):
            acts.called_back(session, row.id, agent, NOW)
    acts.fill(session, row.id, supervisor, {"kind": "praise"}, None, NOW)
    acts.fill(session, row.id, agent, {"summary": "谢谢"}, None, NOW)
    for said in ("agents", "80011", ""):
        acts.fill(session, row.id, supervisor, {"kind": "complaint", "subject_staff": said}, None,
                  NOW)  # fmt: skip
        acts.fill(session, row.id, agent, {"summary": said or "空"}, None, NOW)


def test_the_officer_complained_of_does_not_answer_it(
    session: Session, people: dict[str, Person]
) -> None:
    """A work order of a matter about the officer is for a colleague of the department."""
    row = ticket(session, 1)
    form = {"kind": "complaint", "complaint_class": "attitude", "summary": "推诿",
            "subject_staff": "officer"}  # fmt: skip
    acts.fill(session, row.id, people["supervisor"], form, None, NOW)
    acts.accept(session, row.id, people["supervisor"], "示范市", NOW)
    (order,) = dispatching.dispatch(
        session, row.id, people["supervisor"], ["yanglao"], "请核实", NOW
    )
    for action in ("sign", "reply", "return"):
        with pytest.raises(Recused):
            orders.act(session, order.number, people["officer"], action, NOW, result="x",
                       reason="x")  # fmt: skip
    colleague = house.person(session, "colleague", Role.OFFICER, department="yanglao")
    assert orders.act(session, order.number, colleague, "sign", NOW).state == "signed"


@pytest.mark.parametrize("login", ["supervisor", "authoriser"])
def test_nobody_it_is_about_asks_decides_or_hears(
    session: Session, people: dict[str, Person], login: str
) -> None:
    """Each in turn, at each use, named after the yes was given: 403, and a line that names them."""
    ticket(session, 1)
    request = asked(session, people["supervisor"])
    assert isinstance(request, RequestRow)
    grant = granted(session, people)
    running = play(session, people["supervisor"], grant)
    name(session, people["leader"], 1, login)
    tries: dict[str, list[tuple[str, str, Callable[[], object]]]] = {
        "supervisor": [
            ("request:ask", "recording:1", lambda: asked(session, people["supervisor"])),
            ("play:begin", "recording:1", lambda: playing.begin(
                session, people[login], grant.id, 1, origin=HERE, now=NOW)),
            ("recording:play", "recording:1", lambda: house.next_range(
                session, people[login], running, 1, origin=HERE, now=NOW)),
            ("player:open", "recording:1", lambda: playing.may_begin(
                session, people[login], grant.id, 1, origin=HERE, now=NOW)),
        ],
        "authoriser": [
            ("request:decide", f"request:{request.id}",
             lambda: decided(session, people["authoriser"], request.id)),
        ],
    }  # fmt: skip
    for act, obj, attempt in tries[login]:
        assert refused(attempt()), act
        assert newest(session) == (f"recordings:{act}", login, obj, "denied")


def test_a_ticket_joined_later_bites_in_mid_play(
    session: Session, people: dict[str, Person]
) -> None:
    """The yes was given, the play is going on; then a complaint about the listener turns out to be
    the same matter, two joins away: the next range is refused."""
    ticket(session, 1)
    second, third = ticket(session, 2), ticket(session, 3)
    grant = granted(session, people)
    listener = people["supervisor"]
    running = play(session, listener, grant)

    def next_range() -> object:
        return house.next_range(session, listener, running, 1, origin=HERE, now=NOW)

    name(session, people["leader"], third.id, "supervisor")
    assert isinstance(next_range(), Permitted)
    assert join(session, people["chen"], third.id, f"#{second.id}") == [f"ticket:{second.id}"]
    assert isinstance(next_range(), Permitted)
    assert join(session, people["chen"], 1, f"#{second.id}") == [f"ticket:{second.id}"]
    assert refused(next_range())
    other = people["chen"]
    assert isinstance(asked(session, other), RequestRow), "who it is not about is not kept out"


def test_the_ticket_one_asks_for_counts_as_well(
    session: Session, people: dict[str, Person]
) -> None:
    """A recording of one call, asked for by another ticket: whoever that one is about is out."""
    ticket(session, 1)
    other = ticket(session, 2)
    grant = granted(session, people, f"#{other.id}")
    name(session, people["leader"], other.id, "supervisor")
    assert refused(playing.begin(session, people["supervisor"], grant.id, 1, origin=HERE, now=NOW))


def test_the_agents_of_the_call_complained_of(session: Session, people: dict[str, Person]) -> None:
    """A complaint about an earlier call names whoever talked in it, without knowing who."""
    ticket(session, 1)
    complaint = ticket(session, 2)
    doing = Doing(session, people["supervisor"], HERE, NOW)
    assert recusing.name_call(doing, complaint.id, 1) == ["agent"]
    assert [one.because for one in recusal.listed(session, [complaint.id])] == ["call"]
    with pytest.raises(BadInput):
        recusing.name_call(doing, complaint.id, 99)


def test_lifting_is_for_others(session: Session, people: dict[str, Person]) -> None:
    """Nobody lets themselves back in; somebody else does, also where the form named the wrong
    person, and whom it never named cannot be lifted."""
    row = ticket(session, 1)
    supervisor, chen = people["supervisor"], people["chen"]
    acts.fill(
        session, row.id, chen, {"kind": "complaint", "subject_staff": "supervisor"}, None, NOW
    )

    def lift(by: Person, login: str) -> object:
        return recusing.lift(Doing(session, by, HERE, NOW), row.id, login)

    assert refused(lift(supervisor, "supervisor"))
    assert newest(session) == ("tickets:recusal:lift", "supervisor", "ticket:1", "denied")
    assert refused(name(session, supervisor, row.id, "chen")), "nor turns it on somebody else"
    with pytest.raises(IllegalStep):
        lift(chen, "agent")
    assert lift(chen, "supervisor") == ["supervisor"]
    assert recusal.of_ticket(session, row.id) == frozenset()
    name(session, chen, row.id, "supervisor")
    assert recusal.of_ticket(session, row.id) == {"supervisor"}, "by hand it counts again"
    lift(chen, "supervisor")
    assert recusal.of_ticket(session, row.id) == frozenset()


def test_who_may_name_and_join(session: Session, people: dict[str, Person]) -> None:
    """A supervisor and the leader, on tickets that are there, and accounts that are."""
    ticket(session, 1)
    ticket(session, 2)
    for login, who in people.items():
        if login in ("supervisor", "leader", "chen"):
            continue
        for act in (name, join):
            with pytest.raises(Forbidden):
                act(session, who, 1, "#2")
    with pytest.raises(NotFound):
        name(session, people["leader"], 9, "agent")
    with pytest.raises(BadInput):
        name(session, people["leader"], 1, "nobody")


def test_joining_is_once_and_for_good(session: Session, people: dict[str, Person]) -> None:
    """Not to itself, not to nothing, not twice, not in a ring; and both stories say it."""
    for number in (1, 2, 3):
        ticket(session, number)
    by = people["supervisor"]
    for nowhere in ("", "#1", "#99", "none"):
        with pytest.raises(BadInput):
            join(session, by, 1, nowhere)
    join(session, by, 1, "#2")
    for of, into in ((1, "#2"), (2, "#1"), (1, "#3")):
        with pytest.raises(IllegalStep):
            join(session, by, of, into)
    assert joining.others(session, 2) == [1]
    steps = [(step.ticket_id, step.action, step.why) for step in acts_of(session)]
    assert [one for one in steps if one[1].startswith("join")] == [
        (1, "join", "→ #2"), (2, "joined", "← #1")
    ]  # fmt: skip


def acts_of(session: Session) -> list[TicketStepRow]:
    return session.query(TicketStepRow).order_by(TicketStepRow.id).all()


@pytest.fixture(scope="module")
def seven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    """A house with seven tickets."""
    with house.house(tmp_path_factory.mktemp("seven")) as made:
        with made.database.begin() as session:
            house.person(session, "agent", Role.AGENT, extension="PJSIP/8001")
            for number in range(1, 8):
                ticket(session, number)
        yield made


@settings(deadline=None, max_examples=50)
@given(edges=st.lists(st.tuples(st.integers(1, 7), st.integers(1, 7)), max_size=9))
def test_one_matter_is_what_is_connected(seven: Parts, edges: list[tuple[int, int]]) -> None:
    """However tickets were joined, rings included, a matter is their connected component."""
    kept = {one: into for one, into in edges if one != into}
    with seven.database.begin() as session:
        session.query(TicketJoinRow).delete()
        session.add_all(
            TicketJoinRow(ticket_id=one, into_id=into, joined_by="x", joined_at=NOW)
            for one, into in kept.items()
        )
    with seven.database.reading() as session:
        for start in range(1, 8):
            matter = {start}
            for _ in kept:
                matter |= {end for pair in kept.items() if matter & set(pair) for end in pair}
            assert recusal.joined(session, [start]) == matter


def test_a_system_that_names_whom_it_is_about_is_refused(
    session: Session, people: dict[str, Person]
) -> None:
    """The department's own system says who signed: an account's login or name, or the very words
    of the form, is refused and the ticket stays; a colleague, or the department's own name, which
    forms hold often, is taken."""
    row = ticket(session, 1)
    form = {"kind": "complaint", "complaint_class": "attitude", "summary": "推诿",
            "subject_staff": "officer，养老保险科 孙建国"}  # fmt: skip
    acts.fill(session, row.id, people["supervisor"], form, None, NOW)
    acts.accept(session, row.id, people["supervisor"], "示范市", NOW)
    (order,) = dispatching.dispatch(
        session, row.id, people["supervisor"], ["yanglao"], "请核实", NOW
    )

    def sign(by: str) -> Signed:
        return Signed(work_order=order.number, version=1, department="yanglao", by=by)

    for by in ("officer", " 孙建国 "):
        with pytest.raises(answering.ReplyRecused) as refusal:
            answering.apply(session, [sign(by)], NOW)
        assert order.state == "offered"
        recusing.reply_kept_out(session, refusal.value, NOW)
        line = ("tickets:ticket:handle", "department:yanglao", "ticket:1", "denied")
        assert newest(session) == line
    recusing.reply_kept_out(session, Rejected("another reason"), NOW + 1)
    assert newest(session) == line
    answering.apply(session, [sign("养老保险科")], NOW)
    assert order.state == "signed"
