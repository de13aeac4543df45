"""Call → ticket → recording: one ticket a call, linked whichever comes first."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from gateway.errors import NotFound
from gateway.flow import intake, linking
from gateway.parts import Parts
from gateway.people.roles import Role
from gateway.tables import RecordingLinkRow, TicketRow, TicketStepRow
from gateway.tickets import acts, desks, views
from telephony.batch import Batch
from telephony.board import Board
from telephony.tables import CallLegRow
from tests.unit.gateway import house
from tests.unit.telephony.house import messages, trace


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    with house.house(tmp_path) as made:
        yield made


def test_a_ticket_stands_from_the_queue_on(parts: Parts) -> None:
    """The moment the caller waits there is a draft that knows who rings and from where."""
    with parts.database.begin() as session:
        ticket = house.queued(session, house.call(session))
        assert (ticket.state, ticket.caller_phone, ticket.queue, ticket.owner) == (
            "draft", "13800138013", "hotline", "",
        )  # fmt: skip


def test_a_fact_told_twice_makes_no_second_ticket(parts: Parts) -> None:
    """Overflow to a second queue, or a batch told again: still one ticket."""
    with parts.database.begin() as session:
        row = house.call(session)
        assert house.queued(session, row).id == house.queued(session, row).id
        assert session.scalar(select(func.count()).select_from(TicketRow)) == 1


def test_the_first_agent_who_answers_owns_it(parts: Parts) -> None:
    """首问负责: a second agent after a transfer does not take it away."""
    with parts.database.begin() as session:
        house.person(session, "8001", Role.AGENT, extension="PJSIP/8001")
        house.person(session, "8002", Role.AGENT, extension="PJSIP/8002")
        row = house.call(session)
        house.queued(session, row)
        house.answered(session, row, "PJSIP/8001")
        house.answered(session, row, "PJSIP/8002")
        assert house.only(session).owner == "8001"
        actors = session.scalars(select(TicketStepRow.actor).order_by(TicketStepRow.id))
        assert list(actors) == ["pbx", "8001", "8002"]


def test_whoever_speaks_to_the_caller_sees_the_ticket(parts: Parts) -> None:
    """A call handed on: the second agent's desk shows the ticket, though the first one owns it."""
    with parts.database.begin() as session:
        house.person(session, "8001", Role.AGENT, extension="PJSIP/8001")
        second = house.person(session, "8002", Role.AGENT, extension="PJSIP/8002")
        third = house.person(session, "8003", Role.AGENT, extension="PJSIP/8003")
        row = house.call(session)
        ticket = house.queued(session, row)
        house.answered(session, row, "PJSIP/8001")
        with pytest.raises(NotFound):
            views.ticket(session, second, ticket.id)
        house.answered(session, row, "PJSIP/8002")
        session.add(CallLegRow(call_id=row.id, leg="2", interface="PJSIP/8002", member="",
                               result="answered",
                               answered_at=house.NOW))  # fmt: skip
        session.flush()
        assert views.ticket(session, second, ticket.id).row.owner == "8001"
        desk = desks.desk(session, second)
        assert desk.current is not None
        assert desk.current.row.id == ticket.id
        with pytest.raises(NotFound):
            views.ticket(session, third, ticket.id)


def test_the_longest_number_and_name_a_pbx_can_say(parts: Parts) -> None:
    """A caller's data is never too long for a ticket: the batch would be offered again for ever."""
    with parts.database.begin() as session:
        row = house.call(session, phone="9" * 80)
        row.caller_name = "名" * 160
        ticket = house.queued(session, row)
        assert (len(ticket.caller_phone), len(ticket.caller_name)) == (80, 120)


def test_who_gave_up_is_to_be_called_back(parts: Parts) -> None:
    """An abandoned call leaves a ticket that asks for a call back; an answered one does not."""
    with parts.database.begin() as session:
        gave_up, spoke = house.call(session, "1.1"), house.call(session, "1.2")
        first, second = house.queued(session, gave_up), house.queued(session, spoke)
        house.ended(session, gave_up, "abandoned")
        house.ended(session, spoke, "answered")
        assert (first.call_back, second.call_back) == ("due", "none")


@pytest.mark.parametrize("first", ["call", "recording", "ticket"])
def test_a_recording_finds_its_call_and_ticket(parts: Parts, first: str) -> None:
    """Whichever of the three is there first, in the end all are linked."""
    with parts.database.begin() as session:
        if first == "recording":
            linking.captured(session, house.recording(session))
        row = house.call(session)
        if first == "call":
            linking.captured(session, house.recording(session))
        ticket = house.queued(session, row)
        if first == "ticket":
            linking.captured(session, house.recording(session))
        house.ended(session, row, "answered")
        link = session.scalars(select(RecordingLinkRow)).one()
        assert (link.call_id, link.ticket_id) == (row.id, ticket.id)


def test_a_recording_of_an_unknown_call_is_kept_unlinked(parts: Parts) -> None:
    """Evidence is never dropped for want of a call; the count shows it."""
    with parts.database.begin() as session:
        linking.captured(session, house.recording(session))
        assert session.scalars(select(RecordingLinkRow)).all() == []


def test_watchers_are_told_after_the_commit_alone(parts: Parts) -> None:
    """A pop-up for a call whose transaction failed would be a lie."""
    told: list[str] = []
    parts.hub.publish = lambda noted: told.extend(n.kind for n in noted)  # type: ignore[method-assign]
    parts.database._told = parts.hub.publish
    with pytest.raises(ZeroDivisionError), parts.database.begin() as session:
        house.queued(session, house.call(session))
        raise ZeroDivisionError
    assert told == []
    with parts.database.begin() as session:
        house.queued(session, house.call(session))
        assert told == []
    assert "open" in told


def test_the_ticket_follows_the_caller_to_the_next_agent(parts: Parts) -> None:
    """A real transfer from 8004 to 8002: the ticket lies before whoever has the caller, to be
    worked on; the first goes on owning it (首问负责), and the story says who passed the call on."""
    stream = messages(trace("blind-to-agent.ami"))
    until = next(n for n, message in enumerate(stream) if message.name == "HangupRequest")
    with parts.database.begin() as session:
        first, second, third = (
            house.person(session, login, Role.AGENT, extension=f"PJSIP/{login}")
            for login in ("8004", "8002", "8003")
        )
        board = Board.load(session, "pbx1")
        intake.take(session, board.take(session, Batch("s", 0, house.NOW, tuple(stream[:until]))))
        ticket = house.only(session)
        desk = desks.desk(session, second)
        assert desk.current is not None
        assert desk.current.row.id == ticket.id
        assert views.ticket(session, second, ticket.id).row.owner == "8004"
        acts.fill(session, ticket.id, second, {"summary": "转来"}, None, house.NOW)
        assert desks.desk(session, first).current is None
        with pytest.raises(NotFound):
            views.ticket(session, third, ticket.id)
        with pytest.raises(NotFound):
            acts.fill(session, ticket.id, third, {"summary": "别人的"}, None, house.NOW)
        steps = session.execute(
            select(TicketStepRow.actor, TicketStepRow.action).order_by(TicketStepRow.id)
        )
        assert [tuple(step) for step in steps][1:] == [
            ("8004", "answer-call"), ("8004", "pass-on"), ("8002", "answer-call"),
        ]  # fmt: skip
