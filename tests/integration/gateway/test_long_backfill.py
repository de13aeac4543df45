"""A long interval is made good while calls go on: what is live never waits for all of it.

time   the PBX                                    the gateway
----   ----------------------------------------   -------------------------------------------
0      its log tells of hundreds of calls that    an interval of an hour, not filled
       nobody heard; one caller talks now
1                                                 connected; the interval is being filled
2      the link is cut, and comes back            a snapshot is asked for, and committed
3                                                 the interval is filled
"""

import asyncio
import random
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy import func, select

from gateway import compose, settings
from gateway.parts import Parts
from gateway.tables import TicketCallRow
from telephony.simulator import Simulator
from telephony.tables import CallRow, JournalRow, LinkGapRow, LinkStateRow
from tests.unit.gateway.house import cel_file
from tests.unit.telephony.house import TRACES

MISSED = 800
HOUR_US = 3_600_000_000
LISTED = b"CoreShowChannelsComplete"


def log_of(calls: int, at: int) -> str:
    """The log of so many calls, two by two, all at `at` (µs): names of their own, one time."""
    pair = (TRACES / "two-calls.cel.csv").read_text(encoding="utf-8")
    minute = time.strftime("%Y-%m-%d %H:%M:", time.gmtime(at // 1_000_000))
    pair = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:", minute, pair)
    return "".join(pair.replace("179539693", f"{n:09}") for n in range(1, calls // 2 + 1))


async def until(true: Callable[[], bool], within_s: float) -> float:
    """Waits for a condition; answers how long it took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() < began + within_s
        await asyncio.sleep(0.02)
    return time.monotonic() - began


def link(parts: Parts) -> str:
    with parts.database.reading() as session:
        state = session.get(LinkStateRow, "pbx1")
        return state.link_session if state is not None and state.connected else ""


def listed(parts: Parts, link_session: str) -> bool:
    """Whether the snapshot of that link is committed."""
    with parts.database.reading() as session:
        asked = select(JournalRow.raw).where(JournalRow.link_session == link_session)
        return any(LISTED in raw for raw in session.scalars(asked))


def calls(parts: Parts) -> int:
    with parts.database.reading() as session:
        return session.scalar(select(func.count()).select_from(CallRow)) or 0


def filled(parts: Parts) -> Sequence[bool]:
    with parts.database.reading() as session:
        asked = select(LinkGapRow.backfilled_at).order_by(LinkGapRow.id)
        return [at is not None for at in session.scalars(asked)]


def test_a_snapshot_does_not_wait_for_a_long_interval(database_url: str, tmp_path: Path) -> None:
    """Cut off while it fills, the gateway knows the live calls within 2 s of coming back, long
    before the interval is filled; at last every call is there once, with its ticket."""
    environ = {"HOTLINE_STATE": str(tmp_path), "HOTLINE_DATABASE_URL": database_url}
    read, now = settings.read(environ), compose.clock()
    cel_file(read).parent.mkdir(parents=True)
    cel_file(read).write_text(log_of(MISSED, now - HOUR_US // 2), encoding="utf-8")

    async def play(parts: Parts, pbx: Simulator) -> None:
        talking = pbx.begin_call("13800138001", "", ring_s=0.1, talk_s=8.0)
        working = asyncio.create_task(compose.pbx(parts, parts.settings.pbxs[0]))
        try:
            await until(lambda: calls(parts) > 40, 30)
            before = link(parts)
            await pbx.cut()
            await until(lambda: link(parts) not in {"", before}, 10)
            assert await until(lambda: listed(parts, link(parts)), 10) < 2
            assert calls(parts) < MISSED
            assert not filled(parts)[0]
            await talking
            await until(lambda: calls(parts) == MISSED + 1 and filled(parts)[0], 60)
        finally:
            working.cancel()
            await asyncio.wait([working])

    async def scenario() -> None:
        pbx = Simulator(read.pbxs[0].spool, cel_file(read), secret="s", clock=compose.clock,
                        rng=random.Random(1))  # fmt: skip
        async with pbx:
            environ["HOTLINE_PBX_URL"] = f"ami://hotline:s@127.0.0.1:{pbx.port}"
            with compose.opened(settings.read(environ)) as parts:
                compose.prepare(parts)
                with parts.database.begin() as session:
                    missed = LinkGapRow(pbx="pbx1", began_at=now - HOUR_US, reason="killed")
                    missed.ended_at = now - HOUR_US // 4
                    session.add(missed)
                await play(parts, pbx)
                with parts.database.reading() as session:
                    tickets = session.scalar(select(func.count()).select_from(TicketCallRow))
                    assert tickets == MISSED + 1

    asyncio.run(scenario())
