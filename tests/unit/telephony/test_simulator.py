"""The simulator: what it tells goes the same way as a real PBX's words, and the WAV is a WAV."""

import asyncio
import random
import time
import wave
from pathlib import Path

from sqlalchemy import select

from telephony import cel
from telephony.address import Address
from telephony.batch import Batch
from telephony.facts import Answered, Withdrawn
from telephony.line import Line
from telephony.simulator import Simulator
from telephony.tables import AgentStateRow, CallRow, QueueStateRow
from tests.rig import cel_file
from tests.unit.telephony.house import Store, Taker
from tests.unit.telephony.test_line_faults import QUICK, clock, until


def at_rest(store: Store) -> bool:
    """Whether nobody talks or rings any more: that is told after a call's last word."""
    with store.begin() as session:
        return {*session.scalars(select(AgentStateRow.state))} <= {"idle"}


def play(store: Store, at: Path, *, cut: bool = False) -> tuple[Taker, list[str]]:
    """One answered and one abandoned call side by side, through a real socket into rows."""
    taker = Taker(store)

    async def take(batch: Batch) -> None:
        await asyncio.to_thread(taker.take, batch)

    async def run() -> list[str]:
        rng = random.Random(7)
        pbx = Simulator(at / "spool", at / "cel.csv", secret="s", clock=clock, rng=rng, speed=5)
        async with pbx:
            where = Address("127.0.0.1", pbx.port, "hotline", "s")
            line = Line(where, pbx="pbx-1", on_batch=take, clock=clock, timing=QUICK)
            task = asyncio.create_task(line.run())
            await until(lambda: line.connected)
            calls = [
                pbx.begin_call("13800138000", "李雷", agent="8001", ring_s=1, talk_s=3),
                pbx.begin_call("13900139000", agent="8002", ring_s=2, answered=False),
            ]
            if cut:
                await asyncio.sleep(0.3)
                await pbx.cut()
            ids = list(await asyncio.gather(*calls))
            await until(lambda: not taker.board.live and at_rest(store))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return ids

    return taker, asyncio.run(run())


def test_two_calls_become_two_records_with_their_people(store: Store, tmp_path: Path) -> None:
    """The demonstration shows the product: callers and agents are those asked for."""
    taker, ids = play(store, tmp_path)
    with store.begin() as session:
        rows = {row.linkedid: row for row in session.scalars(select(CallRow))}
        answered, abandoned = (rows[linkedid] for linkedid in ids)
        assert (answered.caller_number, answered.caller_name) == ("13800138000", "李雷")
        assert (answered.outcome, answered.first_agent) == ("answered", "PJSIP/8001")
        assert (abandoned.outcome, abandoned.cause) == ("abandoned", "caller")
        assert abandoned.caller_number == "13900139000"
    assert [f.interface for f in taker.facts if isinstance(f, Answered)] == ["PJSIP/8001"]
    assert [f.interface for f in taker.facts if isinstance(f, Withdrawn)] == ["PJSIP/8002"]


def test_its_cel_agrees_with_its_calls(store: Store, tmp_path: Path) -> None:
    """`reconcile` in the demonstration compares two witnesses that really wrote separately."""
    _, ids = play(store, tmp_path)
    calls = {call.linkedid: call for call in cel.calls(cel_file.read(tmp_path / "cel.csv"))}
    assert set(calls) == set(ids)
    assert (calls[ids[0]].answered, calls[ids[0]].agent) == (True, "PJSIP/8001")
    assert not calls[ids[1]].answered
    assert all(call.queued and call.recorded and call.ended_at for call in calls.values())


def test_recordings_are_whole_wavs_in_ready(store: Store, tmp_path: Path) -> None:
    """What is handed to the capture is a finished 8 kHz mono WAV of the talk's length."""
    _, ids = play(store, tmp_path)
    found = {path.stem: path for path in (tmp_path / "spool").rglob("*.wav")}
    assert {path.parent.name for path in found.values()} == {"ready"}
    assert set(found) == set(ids)
    with wave.open(str(found[ids[0]])) as talk:
        assert (talk.getframerate(), talk.getnchannels(), talk.getsampwidth()) == (8000, 1, 2)
        assert talk.getnframes() == 3 * 8000
        assert len(set(talk.readframes(8000))) > 50
    assert found[ids[1]].stat().st_size == 44


def test_a_cut_in_the_middle_loses_no_call(store: Store, tmp_path: Path) -> None:
    """The link drops while both calls live: snapshot and rest of the stream still close them."""
    _, ids = play(store, tmp_path, cut=True)
    with store.begin() as session:
        rows = session.scalars(select(CallRow)).all()
        assert sorted(row.linkedid for row in rows) == sorted(ids)
        assert {row.state for row in rows} == {"ended"}


def test_time_is_never_told_twice(store: Store, tmp_path: Path) -> None:
    """Ids of two runs differ: nothing of yesterday's demonstration is taken for today's."""
    _, first = play(store, tmp_path)
    time.sleep(1.1)
    _, second = play(store, tmp_path)
    assert not set(first) & set(second)


def test_a_link_cut_in_mid_call_leaves_no_agent_behind(store: Store, tmp_path: Path) -> None:
    """Its answer to QueueStatus agrees with the events it sends: all four agents are on the wall,
    and at rest when the calls are over."""
    play(store, tmp_path, cut=True)
    with store.begin() as session:
        agents = {row.interface: row.state for row in session.scalars(select(AgentStateRow))}
        queues = {row.queue: row.waiting for row in session.scalars(select(QueueStateRow))}
    assert agents == {f"PJSIP/800{n}": "idle" for n in (1, 2, 3, 4)}
    assert queues == {"hotline": 0}
