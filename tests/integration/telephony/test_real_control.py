"""What we ask of a real Asterisk 22, by the account that the shipped manager.conf gives us."""

import asyncio
import secrets
import time
import wave
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from telephony import backfill, cel
from telephony.address import Address
from telephony.control import Control
from telephony.errors import ActRefused, LoginRefused
from telephony.facts import Placed, Reached
from telephony.outgoing import TOKEN_BYTES, uniqueid_of
from telephony.session import Timing
from telephony.tables import CallLegRow, CallRow, LinkStateRow
from tests.integration.telephony.conftest import Gateway
from tests.rig import cel_file
from tests.rig.asterisk import PHONES_AT, Pbx
from tests.rig.phone import phones
from tests.rig.scenarios.play import play
from tests.rig.scenarios.scene import OUTSIDE
from tests.unit.telephony.house import PBX

STORIES = {
    "out-answered": ("answered", "caller", ["answered"]),
    "out-agent-first": ("answered", "agent", ["answered"]),
    "out-busy": ("busy", "caller", ["answered"]),
    "out-no-answer": ("no_answer", "agent", ["answered"]),
    "out-no-agent": ("no_agent", "agent", ["withdrawn"]),
    "out-transferred": ("answered", "caller", ["answered", "answered"]),
}


@pytest.fixture
def control(pbx: Pbx) -> Control:
    return Control(Address.parse(pbx.control_url))


@pytest.mark.parametrize("name", STORIES)
def test_a_call_we_placed_live_and_from_cel(pbx: Pbx, sqlite_url: str, name: str) -> None:
    """One record with its outcome, the agent's leg, the file named as we said; and what the PBX's
    own log tells of it is the same record, made good over a database that heard nothing."""
    gateway = Gateway(pbx, sqlite_url)
    pbx.phones(None)
    since = time.time_ns() // 1000

    async def scenario() -> None:
        await asyncio.to_thread(play, pbx, name)
        await gateway.settled()

    try:
        gateway.run(scenario)
    finally:
        pbx.phones("answer")
    outcome, cause, legs = STORIES[name]
    with gateway.store.begin() as session:
        call = session.scalars(select(CallRow)).one()
        assert (call.direction, call.outcome, call.cause) == ("outbound", outcome, cause)
        assert session.scalars(select(CallLegRow.result).order_by(CallLegRow.id)).all() == legs
        assert session.get_one(LinkStateRow, PBX).unknown_events == 0
        talked = outcome == "answered"
        assert call.recording_expected == talked
        # Where nobody talked the PBX may leave an empty file, or none.
        assert (pbx.spool / "ready" / f"{call.linkedid}.wav").exists() or not talked
        if outcome != "no_agent":
            assert call.caller_number == OUTSIDE[1:]
        (known,) = [c for c in cel.calls(cel_file.read(pbx.cel)) if c.linkedid == call.linkedid]
        replayed, facts = backfill._replay(PBX, known, known.events[-1])
        assert known.started_at >= since - 1_000_000
        number, ended_at = call.caller_number, call.ended_at or 0
    assert (replayed.outcome, replayed.caller_number) == (outcome, number)
    assert any(isinstance(fact, Placed) for fact in facts)
    assert any(isinstance(fact, Reached) for fact in facts) == talked
    assert replayed.ended_at is not None
    assert abs(replayed.ended_at - ended_at) < 50_000


def test_a_phone_that_is_not_there_is_told_and_is_no_call(
    pbx: Pbx, sqlite_url: str, control: Control
) -> None:
    """The PBX takes the order and can ring nothing: one fact says so, nor is one on CEL."""
    gateway = Gateway(pbx, sqlite_url)
    uniqueid = uniqueid_of(secrets.token_bytes(TOKEN_BYTES))

    async def scenario() -> None:
        await asyncio.to_thread(
            control.originate, uniqueid=uniqueid, interface="PJSIP/8999", number="13900139000"
        )
        await gateway.until(lambda: bool(gateway.taker.facts))

    gateway.run(scenario)
    (fact,) = gateway.taker.facts
    assert (type(fact).__name__, fact.linkedid, fact.call_id) == ("NotPlaced", uniqueid, 0)
    assert uniqueid not in {call.linkedid for call in cel.calls(cel_file.read(pbx.cel))}


def test_a_gateway_that_was_away_finds_the_call_it_placed(
    pbx: Pbx, sqlite_url: str, control: Control
) -> None:
    """Gone after asking, back while they talk: from the snapshot the same call, to its true end."""
    gateway = Gateway(pbx, sqlite_url)
    pbx.phones(None)
    uniqueid = uniqueid_of(secrets.token_bytes(TOKEN_BYTES))
    with phones((PHONES_AT, pbx.phone_port), pbx.sip_port, answers=False) as desks:
        control.originate(uniqueid=uniqueid, interface="PJSIP/8001", number=OUTSIDE[1:])
        desks.rung("8001").answer()
        person = desks.rung(OUTSIDE[1:]).answer()
        time.sleep(1)

        async def after() -> None:
            await gateway.until(lambda: bool(gateway.taker.board.live))
            await asyncio.sleep(0.5)
            await asyncio.to_thread(person.hang_up)
            await gateway.settled()

        gateway.run(after)
    pbx.phones("answer")
    with gateway.store.begin() as session:
        call = session.scalars(select(CallRow)).one()
        assert (call.linkedid, call.outcome, call.cause) == (uniqueid, "answered", "caller")
        assert call.first_agent == call.last_agent == "PJSIP/8001"
        assert call.far_channel


def loudness(wav: Path) -> list[float]:
    """The root mean square of each tenth of a second."""
    with wave.open(str(wav)) as file:
        samples = array("h", file.readframes(file.getnframes()))
        tenth = file.getframerate() // 10
    pieces = [samples[at : at + tenth] for at in range(0, len(samples) - tenth, tenth)]
    return [(sum(x * x for x in piece) / len(piece)) ** 0.5 for piece in pieces]


def test_a_muted_recording_is_silent_there_and_nowhere_else(
    pbx: Pbx, sqlite_url: str, control: Control
) -> None:
    """Two seconds of the file hold no sound at all, though somebody spoke all the time, and its
    length is the call's."""
    gateway = Gateway(pbx, sqlite_url)
    muted: list[float] = []

    def name() -> str:
        with gateway.store.begin() as session:
            rows = session.scalars(select(CallRow).where(CallRow.state == "talking")).all()
            return rows[0].linkedid if rows else ""

    async def scenario() -> None:
        caller = pbx.begin_calls(1, 1, 7000)
        await gateway.until(lambda: bool(name()))
        linkedid, began = name(), time.monotonic()
        for state in (True, False):
            await asyncio.sleep(2)
            await asyncio.to_thread(control.mute, linkedid, muted=state)
            muted.append(time.monotonic() - began)
        await asyncio.to_thread(caller.communicate)
        await gateway.settled()
        muted.append(0.0)

    gateway.run(scenario)
    with gateway.store.begin() as session:
        linkedid = session.scalars(select(CallRow.linkedid)).one()
    heard = loudness(pbx.spool / "ready" / f"{linkedid}.wav")
    began, ended = int(muted[0] * 10), int(muted[1] * 10)
    assert max(heard[began + 3 : ended - 3]) == 0, "a word was recorded"
    assert len(heard[began + 3 : ended - 3]) > 10
    spoken = heard[3 : began - 3] + heard[ended + 5 : 60]
    assert sum(level > 50 for level in spoken) > len(spoken) / 2, "the rest is silent too"
    assert len(heard) > 60


def test_a_paused_phone_is_not_rung_and_the_reason_is_told(pbx: Pbx, control: Control) -> None:
    """QueuePause with its reason, and back."""
    control.pause("PJSIP/8001", "meal")
    try:
        shown = pbx.cli("queue show hotline")
        (line,) = [line for line in shown.splitlines() if "8001" in line]
        assert "paused" in line
        assert "meal" in line
    finally:
        control.unpause("PJSIP/8001")
    (line,) = [line for line in pbx.cli("queue show hotline").splitlines() if "8001" in line]
    assert "paused" not in line


def test_what_the_pbx_refuses_is_told(pbx: Pbx, control: Control) -> None:
    """No such channel, no such member, a wrong secret, and an account that lacks the right."""
    with pytest.raises(ActRefused, match="No such channel"):
        control.mute("1795400000.999", muted=True)
    with pytest.raises(ActRefused, match="Interface not found"):
        control.pause("PJSIP/8999", "meal")
    with pytest.raises(LoginRefused):
        Control(Address.parse(pbx.control_url.replace("-control@", "-wrong@"))).unpause("PJSIP/1")
    listening = Control(Address.parse(pbx.url), Timing(connect_s=3, answer_s=3))
    with pytest.raises(ActRefused, match="Permission denied"):
        listening.unpause("PJSIP/8001")


@pytest.mark.parametrize("lacking", ["originate", "call", "agent"])
def test_the_account_has_the_least_rights(pbx: Pbx, lacking: str) -> None:
    """Each of the three classes is needed: without it, its act and no other is denied."""
    conf = pbx.directory / "etc" / "manager.conf"
    whole = conf.read_text(encoding="utf-8")
    rights = [word for word in ("originate", "call", "agent") if word != lacking]
    shipped = "write = originate,call,agent"
    assert shipped in whole
    conf.write_text(whole.replace(shipped, f"write = {','.join(rights)}"), encoding="utf-8")
    control = Control(Address.parse(pbx.control_url))
    uniqueid = uniqueid_of(secrets.token_bytes(TOKEN_BYTES))
    acts: dict[str, Callable[[], None]] = {
        "originate": lambda: control.originate(
            uniqueid=uniqueid, interface="PJSIP/8999", number="12345"
        ),
        "call": lambda: control.mute("1795400000.999", muted=True),
        "agent": lambda: control.unpause("PJSIP/8001"),
    }
    denied = set()
    try:
        pbx.cli("manager reload")
        for needs, act in acts.items():
            try:
                act()
            except ActRefused as error:
                denied |= {needs} if "Permission denied" in error.said else set()
    finally:
        conf.write_text(whole, encoding="utf-8")
        pbx.cli("manager reload")
    assert denied == {lacking}
