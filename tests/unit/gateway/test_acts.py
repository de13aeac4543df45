"""What people do with a ticket, and what is refused: nothing half-done, nothing lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from gateway.errors import BadInput, Forbidden, IllegalStep, NotFound, StaleTicket
from gateway.parts import Parts
from gateway.people.accounts import Person
from gateway.people.roles import Role
from gateway.tables import TicketRow
from gateway.tickets import acts, desks, views
from gateway.tickets.acts import _checked
from tests.unit.gateway import house
from tests.unit.gateway.house import NOW

FORM = {"kind": "policy", "summary": "养老金何时发放"}


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    with house.house(tmp_path) as made:
        yield made


@pytest.fixture
def session(parts: Parts) -> Iterator[Session]:
    with parts.database.begin() as opened:
        yield opened


@pytest.fixture
def agent(session: Session) -> Person:
    return house.person(session, "8001", Role.AGENT, extension="PJSIP/8001")


@pytest.fixture
def ticket(session: Session) -> TicketRow:
    return house.queued(session, house.call(session))


def test_the_form_saves_itself_and_counts_versions(
    session: Session, agent: Person, ticket: TicketRow
) -> None:
    """What is typed is kept field by field; a page made before somebody else's save is told so."""
    acts.fill(session, ticket.id, agent, FORM, 1, NOW)
    assert (ticket.summary, ticket.version, ticket.owner) == (FORM["summary"], 2, "8001")
    acts.fill(session, ticket.id, agent, FORM, 2, NOW)
    assert ticket.version == 2  # nothing new, nothing counted
    with pytest.raises(StaleTicket):
        acts.fill(session, ticket.id, agent, {"summary": "另一页"}, 1, NOW)
    assert ticket.summary == FORM["summary"]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"kind": "nonsense"}, "kind"),
        ({"state": "closed"}, "state"),
        ({"owner": "somebody"}, "owner"),
        ({"caller_phone": "1" * 81}, "caller_phone"),
        ({"summary": "字" * 20_001}, "summary"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(
    session: Session, agent: Person, ticket: TicketRow, fields: dict[str, str], named: str
) -> None:
    """A field that does not exist, or cannot hold its value, is told by name; the rest stays."""
    with pytest.raises(BadInput) as refused:
        acts.fill(session, ticket.id, agent, {"summary": "原样", **fields}, None, NOW)
    assert named in refused.value.fields
    assert (ticket.summary, ticket.version) == ("", 1)


def test_earlier_matters_are_those_of_who_called(
    session: Session, agent: Person, ticket: TicketRow
) -> None:
    """A number typed into the form must not open anybody's earlier matters; the caller's own show
    whatever was typed."""
    earlier = house.queued(session, house.call(session, "1795300000.1"))
    stranger = house.queued(session, house.call(session, "1795300000.2", "13911112222"))
    acts.fill(session, ticket.id, agent, {"caller_phone": "13911112222"}, None, NOW)
    acts.fill(session, earlier.id, agent, {"caller_phone": "010-1"}, None, NOW)
    shown = views.history(session, agent, views.ticket(session, agent, ticket.id))
    assert [one.row for one in shown] == [earlier]
    back = views.history(session, agent, views.ticket(session, agent, stranger.id))
    assert back == []


def test_of_anothers_earlier_ticket_only_where_it_stands(
    session: Session, agent: Person, ticket: TicketRow
) -> None:
    """The words of a matter are for who works on it; that a confidential one exists, too."""
    other = house.person(session, "8002", Role.AGENT, extension="PJSIP/8002")
    chief = house.person(session, "chief", Role.SUPERVISOR)
    open_, secret = (
        house.queued(session, house.call(session, f"1795300000.{number}")) for number in (1, 2)
    )
    acts.fill(session, open_.id, other, FORM, None, NOW)
    acts.fill(session, secret.id, other, {**FORM, "confidential": "1"}, None, NOW)
    view = views.ticket(session, agent, ticket.id)
    (shown,) = views.history(session, agent, view)
    assert shown == views.Earlier("policy", "draft", open_.opened_at, None)
    for who in (other, chief):
        rows = [one.row for one in views.history(session, who, view)]
        assert rows == [secret, open_]


def test_calls_without_a_number_have_no_history(session: Session, agent: Person) -> None:
    """Everybody who withholds the number would otherwise be one caller."""
    for number in ("", "anonymous"):
        for turn in (1, 2):
            row = house.call(session, f"1795300000.{turn}{number}", number)
            made = house.queued(session, row)
        assert views.history(session, agent, views.ticket(session, agent, made.id)) == []


@given(st.dictionaries(st.text(), st.text()))
def test_no_input_crashes_the_form(fields: dict[str, str]) -> None:
    """Whatever a browser or a program sends is taken or named, never a fault of ours."""
    try:
        assert set(_checked(fields)) <= acts.FILLABLE
    except BadInput as refused:
        assert set(refused.fields) <= set(fields)


def test_accepting_gives_number_and_date_in_one_act(
    session: Session, agent: Person, ticket: TicketRow
) -> None:
    """受理: the caller is told a number and a promised date at once; the draft is registered."""
    acts.fill(session, ticket.id, agent, FORM, None, NOW)
    acts.accept(session, ticket.id, agent, "示范市", NOW)
    assert ticket.acceptance_no == "(示范市)社保受理[2026] 000001号"
    assert ticket.due_at is not None
    assert [step.action for step in views.ticket(session, agent, ticket.id).steps] == [
        "open", "register", "accept",
    ]  # fmt: skip


def test_a_refused_acceptance_uses_up_no_number(
    session: Session, agent: Person, ticket: TicketRow
) -> None:
    """Acceptance numbers have no gaps: what is refused takes none."""
    with pytest.raises(BadInput) as refused:
        acts.accept(session, ticket.id, agent, "示范市", NOW)
    assert set(refused.value.fields) == {"kind", "summary"}
    acts.fill(session, ticket.id, agent, FORM, None, NOW)
    acts.accept(session, ticket.id, agent, "示范市", NOW)
    with pytest.raises(IllegalStep):
        acts.accept(session, ticket.id, agent, "示范市", NOW)
    other = house.queued(session, house.call(session, "2.1"))
    acts.fill(session, other.id, agent, FORM, None, NOW)
    acts.accept(session, other.id, agent, "示范市", NOW)
    assert other.acceptance_no == "(示范市)社保受理[2026] 000002号"


def test_a_date_beyond_the_known_holidays_stays_open(
    session: Session, agent: Person, ticket: TicketRow
) -> None:
    """A year whose holidays are not published is not guessed; the story says why."""
    late = NOW + 38 * 24 * 3600 * 1_000_000  # the last day of 2026
    acts.fill(session, ticket.id, agent, FORM, None, late)
    acts.accept(session, ticket.id, agent, "示范市", late)
    assert ticket.due_at is None
    assert "2027" in views.ticket(session, agent, ticket.id).steps[-1].why


def test_what_acceptance_fixed_is_not_changed_afterwards(
    session: Session, agent: Person, ticket: TicketRow
) -> None:
    """Class and confidentiality went out with the work order; the summary may still grow."""
    acts.fill(session, ticket.id, agent, FORM, None, NOW)
    acts.accept(session, ticket.id, agent, "示范市", NOW)
    with pytest.raises(IllegalStep, match="level"):
        acts.fill(session, ticket.id, agent, {"level": "major"}, None, NOW)
    acts.fill(session, ticket.id, agent, {"evidence": "有录像"}, None, NOW)
    assert (ticket.level, ticket.evidence) == ("ordinary", "有录像")


def test_refusing_needs_the_reason_and_where_to_go(
    session: Session, agent: Person, ticket: TicketRow
) -> None:
    """不予受理: the caller is told why, and where to go instead; half of it is not enough."""
    acts.fill(session, ticket.id, agent, FORM, None, NOW)
    with pytest.raises(BadInput) as refused:
        acts.refuse(session, ticket.id, agent, "不属社保事项", "", NOW)
    assert set(refused.value.fields) == {"refer_to"}
    acts.refuse(session, ticket.id, agent, "不属社保事项", "12366 税务", NOW)
    assert (ticket.state, ticket.closed_at) == ("refused", NOW)


def test_answered_on_the_spot_is_closed_and_fixed(
    session: Session, agent: Person, ticket: TicketRow
) -> None:
    """即时办结 ends the ticket: its form is a record from then on."""
    acts.fill(session, ticket.id, agent, FORM, None, NOW)
    acts.answer(session, ticket.id, agent, "每月 15 日发放", NOW)
    assert ticket.state == "answered"
    with pytest.raises(IllegalStep):
        acts.fill(session, ticket.id, agent, {"summary": "改写"}, None, NOW)


def test_another_agents_ticket_is_not_found(
    session: Session, agent: Person, ticket: TicketRow
) -> None:
    """An agent sees and changes their own tickets, a supervisor everybody's, an officer none."""
    acts.fill(session, ticket.id, agent, FORM, None, NOW)
    other = house.person(session, "8002", Role.AGENT)
    with pytest.raises(NotFound):
        acts.fill(session, ticket.id, other, FORM, None, NOW)
    with pytest.raises(NotFound):
        views.ticket(session, other, ticket.id)
    assert views.search(session, other).items == []
    boss = house.person(session, "boss", Role.SUPERVISOR)
    assert views.ticket(session, boss, ticket.id).row is ticket
    officer = house.person(session, "officer", Role.OFFICER, department="yanglao")
    for denied in (views.ticket, lambda s, w, t: acts.register(s, t, w, NOW)):
        with pytest.raises(Forbidden):
            denied(session, officer, ticket.id)


def test_called_back_once(session: Session, agent: Person, ticket: TicketRow) -> None:
    """An abandoned caller is called back by one agent, whose ticket it then is."""
    with pytest.raises(IllegalStep):
        acts.called_back(session, ticket.id, agent, NOW)
    ticket.call_back = "due"
    assert desks.desk(session, agent).call_backs_due == [ticket]
    acts.called_back(session, ticket.id, agent, NOW)
    assert (ticket.call_back, ticket.owner) == ("done", "8001")
    assert desks.desk(session, agent).call_backs_due == []


def test_search_takes_percent_and_underscore_literally(
    session: Session, agent: Person, ticket: TicketRow
) -> None:
    """A clerk who looks for 50% finds 50%, not everything."""
    acts.fill(session, ticket.id, agent, {"summary": "补贴 50% 未到账"}, None, NOW)
    assert views.search(session, agent, text="50%").total == 1
    assert views.search(session, agent, text="5_%").total == 0
    assert views.search(session, agent, text="补贴").items == [ticket]
