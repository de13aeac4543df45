"""A bad link: whatever happens to it, each call has one record and one ticket, as CEL has it.

The PBX is the simulator, with traces of a real one and a plan of faults; the gateway is ours, with
lease, board, database, spill and back-fill. (What a real PBX does under a cut link is asked in
`tests/integration/telephony`.)
"""

import asyncio
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway import compose, switchboard
from gateway.count import Count
from gateway.parts import Parts
from gateway.reconcile import reconcile
from telephony import faults
from telephony.simulator import Simulator
from telephony.trace import Trace
from tests.rig.waiting import running, until
from tests.unit.gateway.house import house
from tests.unit.telephony.house import trace

STORIES = (
    "answered.ami", "abandoned.ami", "blind-to-queue.ami", "attended.ami", "two-callers-joined.ami",
    "ring-no-answer.ami", "parked.ami", "hostile-name.ami",
)  # fmt: skip
CALLERS = len(STORIES) + 1  # one of the stories has two
SPEED = 20.0
RECORDED = {"recording_missing", "recording_unlinked", "plaintext_left"}
"""Nobody seals here: what becomes of recordings is not asked."""
QUIET = 0.8  # seconds with everything well before the count is taken


def counted(parts: Parts, since: int) -> Count:
    """What `hotline reconcile` would say, without the recordings."""
    count = reconcile(parts, parts.settings.pbxs[0].name, since, parts.clock())
    count.faults = {name: ids for name, ids in count.faults.items() if name not in RECORDED}
    return count


async def told(at: Path, words: list[str], seed: int) -> Count:
    """All stories at once, over that link; the count when they are over and every gap is filled."""
    since, rng = compose.clock(), random.Random(seed)
    stories = [Trace.read(trace(name)) for name in STORIES]
    plan = faults.read(words, sum(len(story.beats) for story in stories), rng)
    cel = at / "cel.csv"
    pbx = Simulator(at / "spool", cel, secret="s", clock=compose.clock, rng=rng, speed=SPEED,
                    plan=plan)  # fmt: skip
    async with pbx:
        url = f"ami://hotline:s@127.0.0.1:{pbx.port}"
        with house(at / "state", HOTLINE_PBX_URL=url, HOTLINE_CEL=str(cel)) as parts:
            async with running(compose.pbx(parts, parts.settings.pbxs[0])):
                await until(lambda: pbx.listeners)
                for story in stories:
                    pbx.begin_replay(story)
                    await asyncio.sleep(0.02)
                await pbx.finish()
                await until(lambda: cel.exists() and well(counted(parts, since)), 60)
                await asyncio.sleep(QUIET)
                return await asyncio.to_thread(counted, parts, since)


def well(count: Count) -> bool:
    """Whether everything is there and every interval filled."""
    return count.cel_calls == count.call_records == CALLERS and not count.gaps and not count.faults


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulator's CEL is there at once."""
    monkeypatch.setattr(switchboard, "CEL_SETTLES_US", 300_000)
    monkeypatch.setattr(switchboard, "LOOK_FOR_GAPS_S", 0.2)


@pytest.mark.parametrize(
    "words",
    [
        [], ["cut@40", "cut@41", "cut@150"], ["tear@60", "tear@170"], ["stall@50:2"],
        ["flood@20:2000:3"], ["twice@1:400"], ["mix@30:6", "mix@90:6"],
        ["drip@30:8"], ["flood@10:2000:2", "tear@50", "twice@60:30", "stall@90:1", "cut@120"],
    ],
    ids=lambda words: "+".join(words) or "none",
)  # fmt: skip
def test_each_call_once_over_every_fault(tmp_path: Path, words: list[str]) -> None:
    """Calls on CEL = call records = tickets, none doubled, none left open, no gap unfilled."""
    count = asyncio.run(told(tmp_path, words, 7))
    assert (count.cel_calls, count.call_records, count.doubled) == (CALLERS, CALLERS, 0), count
    assert not count.faults
    assert count.gaps == 0


@given(seed=st.integers(0, 10_000))
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_each_call_once_over_any_link(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """No plan of faults that the seed draws loses, doubles or leaves open a call."""
    count = asyncio.run(told(tmp_path_factory.mktemp("link"), ["any:5"], seed))
    assert (count.cel_calls, count.call_records, count.doubled) == (CALLERS, CALLERS, 0), count
