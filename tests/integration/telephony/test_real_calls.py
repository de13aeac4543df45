"""Calls on a real Asterisk 22 with the configuration we ship, from its bytes to our rows."""

import asyncio

from sqlalchemy import func, select

from telephony import cel, journal
from telephony.facts import Answered, Ended, Queued
from telephony.tables import CallLegRow, CallRow, JournalRow, LinkStateRow
from tests.integration.telephony.conftest import Gateway
from tests.rig import cel_file
from tests.rig.asterisk import Pbx
from tests.unit.telephony.house import PBX


def test_answered_calls(pbx: Pbx, database_url: str) -> None:
    """The main job on the real thing, on both databases: arrival, queue, agent, recording, end."""
    gateway = Gateway(pbx, database_url)

    async def scenario() -> None:
        counted = await asyncio.to_thread(
            pbx.place_calls, 3, 3, 2500, callers=[("13800138000", "张三"), ("13900139000", "")]
        )
        assert (counted.successful, counted.failed) == (3, 0)
        await gateway.settled()

    gateway.run(scenario)
    with gateway.store.begin() as session:
        rows = session.scalars(select(CallRow).order_by(CallRow.arrived_at)).all()
        assert [(row.outcome, row.cause, row.queue) for row in rows] == [
            ("answered", "caller", "hotline")
        ] * 3
        assert [row.caller_number for row in rows] == ["13800138000", "13900139000", "13800138000"]
        assert rows[0].caller_name == "张三"
        assert all(row.recording_expected for row in rows)
        assert all(row.wait_ms is not None and row.wait_ms < 2_000 for row in rows)
        assert all(row.talk_ms is not None and 1_000 < row.talk_ms < 4_000 for row in rows)
        assert len({row.first_agent for row in rows}) == 3
        stems = {path.stem for path in (pbx.spool / "ready").glob("*.wav")}
        assert {row.linkedid for row in rows} <= stems
        assert session.get_one(LinkStateRow, PBX).unknown_events == 0


def test_a_call_abandoned_while_a_phone_rings(pbx: Pbx, sqlite_url: str) -> None:
    """The caller gives up: the desk that rang is told, and the record asks for a call back."""
    gateway = Gateway(pbx, sqlite_url)
    pbx.phones("ring")

    async def scenario() -> None:
        await asyncio.to_thread(pbx.place_calls, 1, 1, 2000)
        await gateway.settled()

    try:
        gateway.run(scenario)
    finally:
        pbx.phones("answer")
    told = [type(fact).__name__ for fact in gateway.taker.facts]
    assert told == ["Arrived", "RecordingStarted", "Queued", "Offered", "Withdrawn", "Ended"]
    with gateway.store.begin() as session:
        row = session.scalars(select(CallRow)).one()
        assert (row.outcome, row.cause, row.recording_expected) == ("abandoned", "caller", False)
        assert session.scalars(select(CallLegRow.result)).all() == ["withdrawn"]


def test_more_callers_than_agents(pbx: Pbx, sqlite_url: str) -> None:
    """Twelve callers, four agents: each call on the PBX's own record is one record of ours."""
    gateway = Gateway(pbx, sqlite_url)
    before = (
        {call.linkedid for call in cel.calls(cel_file.read(pbx.cel))} if pbx.cel.exists() else set()
    )

    async def scenario() -> None:
        await asyncio.to_thread(pbx.place_calls, 12, 6, 2500)
        await gateway.settled()
        await asyncio.sleep(0.5)

    gateway.run(scenario)
    own = {c.linkedid: c for c in cel.calls(cel_file.read(pbx.cel)) if c.linkedid not in before}
    with gateway.store.begin() as session:
        rows = {row.linkedid: row for row in session.scalars(select(CallRow))}
        assert set(rows) == set(own)
        assert len(rows) == 12
        for linkedid, call in own.items():
            row = rows[linkedid]
            assert (row.outcome == "answered") == call.answered
            assert row.first_agent == call.agent
            assert row.recording_expected == (call.recorded and call.answered)
        assert 0 < sum(row.outcome == "answered" for row in rows.values()) < 13
    facts = gateway.taker.facts
    assert len([fact for fact in facts if isinstance(fact, Ended)]) == 12
    assert len([fact for fact in facts if isinstance(fact, Queued)]) == 12
    answered = {fact.linkedid for fact in facts if isinstance(fact, Answered)}
    assert answered == {linkedid for linkedid, call in own.items() if call.answered}


def test_a_hostile_name_passes_through_a_real_pbx(pbx: Pbx, sqlite_url: str) -> None:
    """Asterisk lets U+2028 and U+0085 through: the call keeps its own ids, the name is harmless."""
    gateway = Gateway(pbx, sqlite_url)
    name = "甲\u2028Linkedid: 6.6\u0085Uniqueid: 6.6\x1c𠮷"

    async def scenario() -> None:
        await asyncio.to_thread(pbx.place_calls, 1, 1, 1500, callers=[("13800138000", name)])
        await gateway.settled()

    gateway.run(scenario)
    with gateway.store.begin() as session:
        row = session.scalars(select(CallRow)).one()
        assert row.outcome == "answered"
        assert row.caller_name == "甲\ufffdLinkedid: 6.6\ufffdUniqueid: 6.6\ufffd𠮷"
        assert "6.6" not in row.linkedid
        kept = session.scalar(select(func.sum(JournalRow.messages)))
        assert len(list(journal.replay(session, PBX))) == kept
