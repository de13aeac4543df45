"""Acts on the PBX: on record before it is asked, and undone on record when it says no."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gateway.errors import BadInput, ControlFailed, Forbidden, IllegalStep, NotFound
from gateway.flow import breaks, calling, intake, promises, silence
from gateway.flow.control import Asking
from gateway.parts import Parts
from gateway.people.accounts import Person
from gateway.people.roles import Role
from gateway.tables import (
    AgentPauseRow,
    PlacedCallRow,
    RecordingPauseRow,
    TicketCallRow,
    TicketRow,
    TicketStepRow,
)
from recordings.tables import AuditLineRow
from telephony.facts import Ended, NotPlaced, Placed, Reached
from telephony.tables import CallLegRow, CallRow
from tests.rig.acting import Acting, acting, asked_at
from tests.unit.gateway import house
from tests.unit.gateway.house import NOW, S

PHONE = "PJSIP/8001"


@pytest.fixture
def pbx() -> Iterator[Acting]:
    with acting() as up:
        yield up


@pytest.fixture
def parts(tmp_path: Path, pbx: Acting, database_url: str) -> Iterator[Parts]:
    more = {"HOTLINE_PBX_CONTROL_URL": pbx.url, "HOTLINE_DATABASE_URL": database_url}
    with house.house(tmp_path, **more) as made:
        yield made


@pytest.fixture
def agent(parts: Parts) -> Asking:
    with parts.database.begin() as session:
        who = house.person(session, "8001", Role.AGENT, extension=PHONE)
    return Asking(parts, who, "-")


@pytest.fixture
def due(parts: Parts) -> int:
    """A ticket that asks to be called back."""
    with parts.database.begin() as session:
        call = house.call(session)
        ticket = house.queued(session, call)
        house.ended(session, call, "abandoned")
        return ticket.id


def actions(parts: Parts, ticket: int) -> list[str]:
    with parts.database.reading() as session:
        return list(
            session.scalars(
                select(TicketStepRow.action)
                .where(TicketStepRow.ticket_id == ticket)
                .order_by(TicketStepRow.id)
            )
        )


def log(parts: Parts) -> list[tuple[str, str, str]]:
    with parts.database.reading() as session:
        rows = session.scalars(select(AuditLineRow).order_by(AuditLineRow.id))
        return [(row.action, row.actor, row.outcome) for row in rows]


def talking(parts: Parts, *, recorded: bool = True) -> int:
    """A call that 8001 has now; its ticket is theirs."""
    with parts.database.begin() as session:
        call = house.call(session, "1795400000.7")
        house.queued(session, call)
        if recorded:
            call.recording_started_at = NOW
        session.add(CallLegRow(call_id=call.id, leg="x", interface=PHONE, member="",
                               answered_at=NOW, result="answered", held_us=0))  # fmt: skip
        house.answered(session, call, PHONE)
        return call.id


def over(parts: Parts, call_id: int) -> None:
    with parts.database.begin() as session:
        house.ended(session, session.get_one(CallRow, call_id), "answered")


def outgoing(session: Session, uniqueid: str, **more: object) -> int:
    """The call's record, as the board writes it."""
    row = CallRow(pbx="pbx1", linkedid=uniqueid, direction="outbound", caller_number="",
                  caller_name="", dialled="", state="summoning", arrived_at=NOW + S)  # fmt: skip
    session.add(row)
    session.flush()
    fact = Placed(pbx="pbx1", linkedid=uniqueid, at=NOW + S, call_id=row.id, interface=PHONE)
    intake.take(session, [fact])
    return row.id


def ended(session: Session, call_id: int, outcome: str) -> None:
    row = session.get_one(CallRow, call_id)
    row.state, row.ended_at, row.outcome = "ended", NOW + 9 * S, outcome
    fact = Ended(pbx="pbx1", linkedid=row.linkedid, at=NOW + 9 * S, call_id=call_id,
                 outcome=outcome, cause="caller")  # fmt: skip
    intake.take(session, [fact])


def test_what_is_asked_is_on_record_before_the_pbx_hears_of_it(
    parts: Parts, pbx: Acting, agent: Asking, due: int
) -> None:
    """Whatever dies after the PBX was asked: the call's name leads to its ticket, the silence to
    who wanted it, and the log to both."""
    seen: list[tuple[int, ...]] = []

    def look() -> None:
        with parts.database.reading() as session:
            seen.append(
                tuple(
                    session.scalar(select(func.count()).select_from(table)) or 0
                    for table in (PlacedCallRow, RecordingPauseRow, AgentPauseRow, AuditLineRow)
                )
            )

    pbx.look = look
    row = calling.place(agent, due)
    assert (row.purpose, pbx.asked[-1]["ChannelId"]) == ("callback", row.uniqueid)
    talking(parts)
    silence.pause(agent, "id_number")
    breaks.pause(agent, "meal")
    assert seen == [(1, 0, 0, 1), (1, 1, 0, 2), (1, 1, 1, 3)]


def test_an_answered_call_back_settles_the_ticket(parts: Parts, agent: Asking, due: int) -> None:
    """One ticket, two calls; nobody waits any more. Told twice, nothing more happens."""
    uniqueid = calling.place(agent, due).uniqueid
    with parts.database.begin() as session:
        call_id = outgoing(session, uniqueid)
        for _ in range(2):
            intake.take(session, [Reached(pbx="pbx1", linkedid=uniqueid, at=NOW + 2 * S,
                                          call_id=call_id, interface=PHONE)])  # fmt: skip
        ended(session, call_id, "answered")
        assert session.get_one(TicketCallRow, call_id).ticket_id == due
        assert session.scalar(select(func.count()).select_from(TicketRow)) == 1
        assert session.get_one(TicketRow, due).call_back == "done"
        assert session.scalars(select(PlacedCallRow.settled_at)).one() == NOW + 9 * S
    assert actions(parts, due)[:4] == ["open", "abandon", "place-callback", "reach"]


@pytest.mark.parametrize("outcome", ["busy", "no_answer", "failed", "no_agent"])
def test_a_call_back_that_nobody_took_stays_due(
    parts: Parts, agent: Asking, due: int, outcome: str
) -> None:
    """The attempt is in the story with its reason, and the next one may be made."""
    uniqueid = calling.place(agent, due).uniqueid
    with pytest.raises(IllegalStep):
        calling.place(agent, due)
    with parts.database.begin() as session:
        ended(session, outgoing(session, uniqueid), outcome)
        assert session.get_one(TicketRow, due).call_back == "due"
    assert actions(parts, due)[-2:] == ["place-callback", "not-reach"]
    calling.place(agent, due)


def test_a_phone_that_is_not_there_frees_the_agent(parts: Parts, agent: Asking, due: int) -> None:
    """There is no call and none will come; said twice, it stands once in the story."""
    uniqueid = calling.place(agent, due).uniqueid
    with parts.database.begin() as session:
        intake.take(session, [NotPlaced(pbx="pbx1", linkedid=uniqueid, at=NOW)] * 2)
        assert session.scalars(select(PlacedCallRow.failed)).one() == "unreachable"
    assert actions(parts, due).count("not-reach") == 1
    calling.place(agent, due)


def test_what_the_pbx_refuses_is_undone_on_record(
    parts: Parts, pbx: Acting, agent: Asking, due: int
) -> None:
    """Two lines in the log, the attempt in the story, and the message says what to do."""
    pbx.why = "Permission denied"
    with pytest.raises(ControlFailed, match=r"manager\.conf"):
        calling.place(agent, due)
    assert [line[2] for line in log(parts)] == ["ok", "failed"]
    assert actions(parts, due)[-1] == "not-reach"
    call_id = talking(parts)
    with pytest.raises(ControlFailed):
        silence.pause(agent, "id_number")
    with pytest.raises(ControlFailed):
        breaks.pause(agent, "meal")
    with parts.database.reading() as session:
        assert silence.open_of(session, call_id) is None
        assert breaks.open_of(session, "pbx1", PHONE) is None
        assert session.scalars(select(RecordingPauseRow.ended_by)).one() == "failed"


def test_a_pbx_that_is_away_or_not_to_be_asked(parts: Parts, agent: Asking, due: int) -> None:
    """Away: told so, and the attempt counted. Off: told so, and nothing was noted."""
    nobody = asked_at(parts.settings, "ami://u:s@127.0.0.1:1")
    with pytest.raises(ControlFailed, match="没有应答"):
        calling.place(replace(agent, parts=replace(parts, settings=nobody)), due)
    with parts.database.reading() as session:
        assert session.scalars(select(PlacedCallRow.failed)).one() == "away"
    off = asked_at(parts.settings, "")
    with pytest.raises(ControlFailed, match="HOTLINE_PBX_CONTROL_URL"):
        breaks.pause(replace(agent, parts=replace(parts, settings=off)), "meal")
    with parts.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(AgentPauseRow)) == 0


@pytest.mark.parametrize(
    "phone", ["", "anonymous", "138&139", "12", "1" * 40, "１３８００１３８０００"]
)
def test_a_number_that_is_none_is_refused_by_its_field(
    parts: Parts, pbx: Acting, agent: Asking, due: int, phone: str
) -> None:
    """Nothing is asked of the PBX, and the agent sees which field to mend."""
    with parts.database.begin() as session:
        session.get_one(TicketRow, due).caller_phone = phone
    with pytest.raises(BadInput) as refused:
        calling.place(agent, due)
    assert set(refused.value.fields) == {"caller_phone"}
    assert pbx.asked == []


def test_a_number_as_people_write_it_is_dialled(
    parts: Parts, pbx: Acting, agent: Asking, due: int
) -> None:
    """Spaces, dashes and brackets are for eyes."""
    with parts.database.begin() as session:
        session.get_one(TicketRow, due).caller_phone = "(0991) 235-0000"
    calling.place(agent, due)
    assert pbx.asked[-1]["Exten"] == "09912350000"
    assert pbx.asked[-1]["Channel"] == PHONE


def test_the_silence_is_who_why_from_when_to_when(parts: Parts, agent: Asking) -> None:
    """Asked for by the agent who has the caller; it ends with the call if nobody ends it."""
    with pytest.raises(IllegalStep):
        silence.pause(agent, "id_number")
    call_id = talking(parts)
    with pytest.raises(BadInput):
        silence.pause(agent, "lunch")
    silence.pause(agent, "id_number")
    with pytest.raises(IllegalStep):
        silence.pause(agent, "id_number")
    assert silence.resume(agent).ended_by == "8001"
    silence.pause(agent, "bank_card")
    over(parts, call_id)
    with parts.database.reading() as session:
        rows = session.scalars(select(RecordingPauseRow).order_by(RecordingPauseRow.id)).all()
        assert [(row.reason, row.paused_by, row.ended_by) for row in rows] == [
            ("id_number", "8001", "8001"), ("bank_card", "8001", "call"),
        ]  # fmt: skip
        assert all(row.ended_at is not None and row.ended_at >= row.began_at for row in rows)
    assert [line[0] for line in log(parts)] == [
        "control:recording:pause", "control:recording:resume", "control:recording:pause",
    ]  # fmt: skip


def test_a_call_without_a_recording_has_none_to_pause(parts: Parts, agent: Asking) -> None:
    """The page offers nothing that would not be true."""
    talking(parts, recorded=False)
    with pytest.raises(IllegalStep, match="没有录音"):
        silence.pause(agent, "id_number")


def test_a_forgotten_silence_ends_by_itself(parts: Parts, pbx: Acting, agent: Asking) -> None:
    """After the limit, or when the gateway that was to end it is gone; not before."""
    talking(parts)
    silence.pause(agent, "id_number")
    silence.keep(parts, "pbx1")
    assert pbx.asked[-1]["State"] == "1"
    later = replace(parts, clock=lambda: parts.clock() + silence.LIMIT_US + S)
    silence.keep(later, "pbx1")
    assert pbx.asked[-1]["State"] == "0"
    silence.pause(agent, "id_number")
    silence.keep(parts, "pbx1", restarted_at=parts.clock() + 1)
    with parts.database.reading() as session:
        assert list(session.scalars(select(RecordingPauseRow.ended_by))) == ["limit", "restart"]
    assert log(parts)[-1] == ("control:recording:resume", "gateway", "ok")


def test_a_wrap_up_counts_from_the_end_of_the_call(
    parts: Parts, pbx: Acting, agent: Asking
) -> None:
    """Asked for while talking, it has no end yet; afterwards it ends by itself, not before."""
    call_id = talking(parts)
    assert breaks.pause(agent, "wrapup").until_at is None
    over(parts, call_id)
    with parts.database.reading() as session:
        row = breaks.open_of(session, "pbx1", PHONE)
        assert row is not None
        assert row.until_at == NOW + 9 * S + breaks.WRAP_UP_US
    at = row.until_at
    breaks.keep(replace(parts, clock=lambda: at - 1), "pbx1")
    assert pbx.asked[-1]["Paused"] == "true"
    breaks.keep(replace(parts, clock=lambda: at), "pbx1")
    assert pbx.asked[-1]["Paused"] == "false"
    with parts.database.reading() as session:
        assert session.scalars(select(AgentPauseRow.ended_by)).one() == "time"


def test_a_silence_that_cannot_be_ended_leaves_nobody_paused(
    parts: Parts, pbx: Acting, agent: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The PBX refuses to resume a recording, at each look: a colleague's wrap-up ends in its time
    all the same, and the recording is asked for again."""
    talking(parts)
    silence.pause(agent, "id_number")
    with parts.database.begin() as session:
        other = house.person(session, "8002", Role.AGENT, extension="PJSIP/8002")
    breaks.pause(Asking(parts, other, "-"), "wrapup")
    later = replace(parts, clock=lambda: parts.clock() + silence.LIMIT_US + breaks.WRAP_UP_US)

    def refuse() -> None:
        pbx.why = "No such channel" if pbx.asked[-1]["Action"] == "MixMonitorMute" else ""

    def ended() -> str | None:
        with parts.database.reading() as session:
            return session.scalars(select(AgentPauseRow.ended_by)).one()

    async def look_thrice() -> None:
        keeping = asyncio.create_task(promises.keep(later, later.settings.pbxs[0]))
        async with asyncio.timeout(10):
            while sum(act["Action"] == "MixMonitorMute" for act in pbx.asked) < 4:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)

    pbx.look = refuse
    monkeypatch.setattr(promises, "LOOK_S", 0.05)
    asyncio.run(look_thrice())
    assert ended() == "time"
    with parts.database.reading() as session:
        assert session.scalars(select(RecordingPauseRow.ended_at)).one() is None


def test_who_may_pause_whom(parts: Parts, agent: Asking) -> None:
    """An agent themself, a supervisor others, nobody a phone that is not there."""
    with parts.database.begin() as session:
        other = house.person(session, "8002", Role.AGENT, extension="PJSIP/8002")
        chief = house.person(session, "chief", Role.SUPERVISOR)
        leader = house.person(session, "leader", Role.LEADER)

    def by(who: Person) -> Asking:
        return Asking(parts, who, "-")

    with pytest.raises(Forbidden):
        breaks.pause(by(other), "meal", "8001")
    with pytest.raises(Forbidden):
        breaks.pause(by(leader), "meal", "8001")
    with pytest.raises(NotFound):
        breaks.pause(by(chief), "meal", "leader")
    assert breaks.pause(by(chief), "meeting", "8001").asked_by == "chief"
    assert breaks.pause(agent, "meal").reason == "meal"
    breaks.ready(by(chief), "8001")
    with parts.database.reading() as session:
        rows = session.scalars(select(AgentPauseRow).order_by(AgentPauseRow.id)).all()
        assert [row.ended_by for row in rows] == ["replaced", "chief"]


def test_a_result_is_asked_about_and_a_finished_ticket_is_not(parts: Parts, due: int) -> None:
    """回拨 first of all, 回访 once there is a result, nothing after an answer on the spot."""
    with parts.database.reading() as session:
        row = session.get_one(TicketRow, due)
        assert calling.purpose_of(row) == "callback"
        for state, purpose in (("draft", "contact"), ("dispatched", "contact"),
                               ("replied", "followup"), ("closed", "followup"),
                               ("answered", None), ("refused", None)):  # fmt: skip
            row.state, row.call_back = state, "none"
            assert calling.purpose_of(row) == purpose
