"""Every real trace through the gateway's flow: one ticket follows the caller through all of it."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gateway.flow import intake, linking
from gateway.parts import Parts
from gateway.people.roles import Role
from gateway.tables import PlacedCallRow, RecordingLinkRow, TicketRow, TicketStepRow
from gateway.tickets import acts
from recordings import keys, naming
from telephony.batch import Batch
from telephony.board import Board
from telephony.message import Message
from telephony.tables import CallLegRow, CallRow
from tests.unit.gateway import house
from tests.unit.telephony.house import messages, trace
from tests.unit.telephony.test_stories import STORIES

UNQUEUED = {"informed"}
"""A number that queues nobody opens no ticket."""
OUTGOING = {name for name in STORIES if name.startswith("out-")}
"""Calls placed from a ticket: they open none."""
LOST = ("blind-not-answered", "blind-given-up", "blind-to-queue-given-up")
EXTENSIONS = ("8001", "8002", "8003", "8004")


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    with house.house(tmp_path_factory.mktemp("house")) as made:
        yield made


class _Undo(Exception):
    """Each story is told to an empty house."""


@pytest.fixture
def session(parts: Parts) -> Iterator[Session]:
    with contextlib.suppress(_Undo), parts.database.begin() as session:
        yield session
        raise _Undo


def play(session: Session, stream: Sequence[Message], size: int = 7) -> None:
    """A stream in small batches, as the switchboard takes them."""
    board = Board.load(session, "pbx1")
    for seq, start in enumerate(range(0, len(stream), size)):
        batch = Batch("s", seq, house.NOW, tuple(stream[start : start + size]))
        intake.take(session, board.take(session, batch))
        board.confirm()


def agents(session: Session) -> None:
    for extension in EXTENSIONS:
        house.person(session, extension, Role.AGENT, extension=f"PJSIP/{extension}")


@pytest.mark.parametrize("name", sorted(STORIES.keys() - UNQUEUED - OUTGOING))
def test_one_ticket_follows_the_caller(session: Session, name: str) -> None:
    """Whatever the call did: one ticket a caller, owned by who answered first, whose story tells
    each agent's part in order of time; every leg has its agent and its times; the recording, told
    after the call, hangs on call and ticket; who got nobody is called back, and no other."""
    agents(session)
    play(session, messages(trace(f"{name}.ami")))
    calls = session.scalars(select(CallRow).order_by(CallRow.id)).all()
    assert session.scalar(select(func.count()).select_from(TicketRow)) == len(calls)
    for call in calls:
        linking.captured(session, house.recording(session, call.linkedid))
        ticket = house.ticket_of(session, call.id)
        assert ticket is not None
        legs = session.scalars(
            select(CallLegRow).where(CallLegRow.call_id == call.id).order_by(CallLegRow.id)
        ).all()
        assert ticket.owner == (call.first_agent or "").removeprefix("PJSIP/")
        assert _story(session, ticket) == _parts(legs)
        for leg in legs:
            assert leg.interface.startswith("PJSIP/")
            assert leg.ended_at is not None
            assert call.arrived_at <= (leg.answered_at or leg.offered_at or 0) <= leg.ended_at
        link = session.scalars(
            select(RecordingLinkRow).where(RecordingLinkRow.call_id == call.id)
        ).one()
        assert link.ticket_id == ticket.id
        alone = call.outcome == "abandoned" or name in LOST
        assert ticket.call_back == ("due" if alone else "none")


def _story(session: Session, ticket: TicketRow) -> list[tuple[int, str]]:
    """When and by whom the call was answered; the outside number is an agent's equal here."""
    steps = session.scalars(
        select(TicketStepRow).where(TicketStepRow.ticket_id == ticket.id).order_by(TicketStepRow.id)
    ).all()
    assert [step.at for step in steps] == sorted(step.at for step in steps)
    return [
        (step.at, step.actor.removeprefix("PJSIP/"))
        for step in steps
        if step.action == "answer-call"
    ]


def _parts(legs: Sequence[CallLegRow]) -> list[tuple[int, str]]:
    """The same, as the legs have it."""
    return sorted(
        (leg.answered_at, leg.interface.removeprefix("PJSIP/"))
        for leg in legs
        if leg.answered_at is not None
    )


@pytest.mark.parametrize("name", sorted(OUTGOING))
def test_a_call_placed_from_a_ticket_stays_with_it(session: Session, name: str) -> None:
    """Whatever came of it: no second ticket; the one that asked has call and recording, and is
    done with calling back only when the person was reached."""
    agents(session)
    stream = messages(trace(f"{name}.ami"))
    ticket = TicketRow(opened_at=house.NOW, channel="phone", queue="hotline", call_back="due",
                       caller_phone="13900139000", caller_name="", owner="8001")  # fmt: skip
    session.add(ticket)
    session.flush()
    placed = PlacedCallRow(
        pbx="pbx1", uniqueid=stream[0].get("Linkedid"), ticket_id=ticket.id, purpose="callback",
        interface="PJSIP/8001", number="13900139000", asked_by="8001", asked_at=house.NOW,
    )  # fmt: skip
    session.add(placed)
    play(session, stream)
    call = session.scalars(select(CallRow)).one()
    linking.captured(session, house.recording(session, call.linkedid))
    session.expire_all()
    assert house.only(session).id == ticket.id
    assert (placed.call_id, placed.settled_at) == (call.id, call.ended_at)
    assert house.ticket_of(session, call.id) is ticket
    assert session.scalars(select(RecordingLinkRow.ticket_id)).one() == ticket.id
    reached = call.outcome == "answered"
    steps = session.scalars(select(TicketStepRow.action)).all()
    lost = "lose" in steps
    assert ticket.call_back == ("done" if reached and not lost else "due")
    assert ("reach" in steps, "not-reach" in steps) == (reached, not reached)


@pytest.mark.parametrize("name", LOST)
def test_who_is_lost_in_a_transfer_is_to_be_called_back(session: Session, name: str) -> None:
    """Refused by the colleague or given up while waiting for one: the ticket asks for a call back
    and says why, and it stays with the agent who answered first."""
    agents(session)
    play(session, messages(trace(f"{name}.ami")))
    ticket = house.only(session)
    last = session.scalars(select(TicketStepRow.action).order_by(TicketStepRow.id)).all()[-1]
    call = session.scalars(select(CallRow)).one()
    assert (ticket.call_back, last, call.outcome) == ("due", "lose", "answered")
    assert f"PJSIP/{ticket.owner}" == call.first_agent


def test_a_matter_settled_before_the_transfer_asks_for_nothing(session: Session) -> None:
    """即时办结 on the call, and then lost: what was closed stays closed."""
    stream = messages(trace("blind-given-up.ami"))
    until = next(n for n, message in enumerate(stream) if message.name == "BlindTransfer")
    agents(session)
    board = Board.load(session, "pbx1")
    intake.take(session, board.take(session, Batch("s", 0, house.NOW, tuple(stream[:until]))))
    board.confirm()
    ticket = house.only(session)
    ticket.state = "answered"
    acts.story(session, ticket, "8001", "answer", house.NOW)
    intake.take(session, board.take(session, Batch("s", 1, house.NOW, tuple(stream[until:]))))
    assert (ticket.state, ticket.call_back) == ("answered", "none")


def _moved(data: bytes, to: int) -> bytes:
    """A stream whose first second is `to`: its times, and the ids the PBX makes of them."""
    first = int(messages(data)[0].get("Timestamp").partition(".")[0])
    return re.sub(rb"\b1795\d{6}(?=\.)", lambda m: b"%d" % (int(m[0]) + to - first), data)


@pytest.mark.parametrize(
    "midnight",
    [
        datetime(2026, 12, 1, tzinfo=keys.CHINA),  # midnight, and the change of the month's key
        datetime(2026, 12, 1, tzinfo=UTC),  # the PBX's midnight, where its clock is in UTC
        datetime(2027, 1, 1, tzinfo=keys.CHINA),
        datetime(2026, 11, 1, 6, tzinfo=UTC),  # New York puts its clocks back
        datetime(2028, 2, 29, tzinfo=keys.CHINA),
    ],
)
def test_a_call_over_midnight_is_one_call_of_the_day_it_came_in(
    session: Session, midnight: datetime
) -> None:
    """Whatever turns while they talk, waiting and talking are as long as they were, and the
    recording's month is the call's: that of its first moment."""
    turn = int(midnight.timestamp())
    play(session, messages(_moved(trace("answered.ami"), turn - 1)))
    call = session.scalars(select(CallRow)).one()
    assert call.answered_at is not None
    assert call.ended_at is not None
    assert call.talk_ms is not None
    assert call.arrived_at < call.answered_at < turn * house.S < call.ended_at
    assert (call.wait_ms, call.talk_ms) == (29, 2978)
    assert house.only(session).opened_at == call.queued_at
    began = naming.recorded_at(call.linkedid, call.ended_at, call.talk_ms)
    assert keys.key_id_at(began) == keys.key_id_at(call.arrived_at)
