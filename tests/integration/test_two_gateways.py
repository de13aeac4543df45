"""Two whole gateways, one PBX, one database: one dies in mid-call, nothing is lost or doubled.

The PBX is the simulator: what is asked here is which gateway listens, and what the rows hold. (That
a real PBX's calls are counted right after a kill is `tests/acceptance`.)
"""

import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select

from gateway import compose, settings
from gateway.parts import Parts
from gateway.tables import LeaseRow, TicketCallRow
from telephony import cel
from telephony.simulator import Simulator
from telephony.tables import CallRow, LinkGapRow, LinkStateRow
from tests.rig import cel_file

pytestmark = pytest.mark.alone  # what is measured is how soon

ROOT = Path(__file__).resolve().parents[2]
MAIN = "from gateway.cli import main; raise SystemExit(main())"


@contextmanager
def serving(
    environ: dict[str, str], log: Path, duties: str = "pbx,relay,timers"
) -> Iterator["subprocess.Popen[bytes]"]:
    """A gateway without pages."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", MAIN, "serve", "--only", duties],
            env={**environ, "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            stdout=out, stderr=out, cwd=ROOT,
        )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(30)


async def until(true: Callable[[], bool], within_s: float) -> float:
    """Waits for a condition; answers how long it took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() < began + within_s
        await asyncio.sleep(0.05)
    return time.monotonic() - began


def fence(parts: Parts) -> int:
    with parts.database.reading() as session:
        row = session.get(LeaseRow, "pbx:pbx1")
        state = session.get(LinkStateRow, "pbx1")
        return row.fence if row is not None and state is not None and state.connected else 0


def link_session(parts: Parts) -> str:
    with parts.database.reading() as session:
        state = session.get(LinkStateRow, "pbx1")
        return state.link_session if state is not None and state.connected else ""


def done(parts: Parts, calls: int) -> bool:
    """So many calls have ended, and no interval waits."""
    with parts.database.reading() as session:
        ended = session.scalar(select(func.count()).where(CallRow.ended_at.is_not(None)))
        waiting = session.scalar(select(func.count()).where(LinkGapRow.backfilled_at.is_(None)))
        return ended == calls and waiting == 0


def test_the_other_gateway_takes_over_within_five_seconds(
    database_url: str, tmp_path: Path
) -> None:
    """Issue 3: killed in mid-call, the other has the link within 5 s; calls that went on, and calls
    that came and went between the two, have one record and one ticket each."""

    async def play() -> None:
        spool, log = tmp_path / "spool", tmp_path / "cel" / "Master.csv"
        log.parent.mkdir()
        pbx = Simulator(spool, log, secret="s", clock=compose.clock, rng=random.Random(1))
        async with pbx:
            environ = {
                "HOTLINE_DATABASE_URL": database_url,
                "HOTLINE_PBX_URL": f"ami://hotline:s@127.0.0.1:{pbx.port}",
                "HOTLINE_SPOOL": str(spool),
                "HOTLINE_CEL": str(log),
            }
            first, second = ({"HOTLINE_STATE": str(tmp_path / name), **environ} for name in "ab")
            with compose.opened(settings.read(first)) as parts:
                compose.prepare(parts)
                with compose.opened(settings.read(second)) as beside:
                    compose.prepare(beside)
                with serving(first, tmp_path / "a.log") as a:
                    await until(lambda: fence(parts) == 1, 20)
                    with serving(second, tmp_path / "b.log"):
                        await until(lambda: "serving" in (tmp_path / "b.log").read_text(), 60)
                        await asyncio.sleep(1)
                        assert fence(parts) == 1
                        number = "1380013801"
                        calls = [pbx.begin_call(f"{number}{n}", "", talk_s=8.0) for n in range(3)]
                        await asyncio.sleep(2)
                        was = link_session(parts)
                        a.kill()
                        calls.append(pbx.begin_call(f"{number}8", "", talk_s=0.1))
                        taken = await until(lambda: link_session(parts) not in ("", was), 10)
                        assert taken < 5.0
                        calls.append(pbx.begin_call(f"{number}9", "", talk_s=1.0))
                        linkedids = set(await asyncio.gather(*calls))
                        await until(lambda: done(parts, 5), 30)
                with parts.database.reading() as session:
                    rows = session.scalars(select(CallRow)).all()
                    assert {row.linkedid for row in rows} == linkedids
                    assert {row.outcome for row in rows} == {"answered"}
                    assert session.scalar(select(func.count()).select_from(TicketCallRow)) == 5
                assert {call.linkedid for call in cel.calls(cel_file.read(log))} == linkedids
                sys.stdout.write(f"taken over in {taken:.1f} s\n")

    asyncio.run(play())
