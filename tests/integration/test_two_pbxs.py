"""Two real PBXs and one gateway: each its own link, lease, gaps and spool; one dies, one goes on.

north   calls up ── killed ─────────────── started again ── calls ── back-filled
south   calls up ─────────── calls ─────────────────────── calls ── never a gap
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select

from gateway import compose, settings
from gateway.parts import Parts
from gateway.tables import LeaseRow, TicketCallRow
from recordings.tables import RecordingRow
from telephony.tables import CallRow, LinkGapRow, LinkStateRow
from tests.integration.test_two_gateways import MAIN, ROOT, serving
from tests.rig.asterisk import Pbx, asterisk

pytestmark = pytest.mark.alone


async def until(true: Callable[[], bool], within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


def environment(state: Path, north: Pbx, south: Pbx) -> dict[str, str]:
    """As an operator with two PBXs writes it."""
    return {
        "HOTLINE_STATE": str(state),
        "HOTLINE_PBXS": "north,south",
        **{
            f"HOTLINE_{field}_{name}": value
            for name, pbx in (("NORTH", north), ("SOUTH", south))
            for field, value in (
                ("PBX_URL", pbx.url), ("SPOOL", str(pbx.spool)), ("CEL", str(pbx.cel)),
            )
        },
    }  # fmt: skip


def up(parts: Parts, pbx: str) -> bool:
    with parts.database.reading() as session:
        state = session.get(LinkStateRow, pbx)
        return state is not None and state.connected


def count(parts: Parts, pbx: str, state: str) -> int:
    with parts.database.reading() as session:
        asked = select(func.count()).where(CallRow.pbx == pbx, CallRow.state == state)
        return session.scalar(asked) or 0


def settled(parts: Parts) -> bool:
    """No call is up, no interval waits, every recording that will come is linked."""
    with parts.database.reading() as session:
        live = session.scalar(select(func.count()).where(CallRow.ended_at.is_(None)))
        waiting = session.scalar(select(func.count()).where(LinkGapRow.backfilled_at.is_(None)))
        return live == 0 and waiting == 0


def command(environ: dict[str, str], *words: str) -> tuple[int, dict[str, object]]:
    """What a command prints for programs."""
    said = subprocess.run(
        [sys.executable, "-c", MAIN, *words, "--json"], capture_output=True, check=False,
        env={**environ, "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}, cwd=ROOT,
    )  # fmt: skip
    return said.returncode, json.loads(said.stdout)


def agree(parts: Parts, environ: dict[str, str]) -> bool:
    """Whether both PBXs' logs fit what we hold, killed calls and all."""
    status, said = command(environ, "reconcile", "--since", "2000-01-01")
    assert isinstance(said["pbxs"], dict)
    agreed = status == 0 and set(said["pbxs"]) == {"north", "south"}
    if not agreed:
        sys.stdout.write(f"{said}\n")
    return agreed and settled(parts)


def test_one_is_killed_the_other_goes_on_and_both_reconcile(tmp_path: Path) -> None:
    """Issue 3, several PBXs: calls on both; -9 on one loses nothing of the other, not a moment of
    its link; afterwards each agrees with its own log."""

    async def play(north: Pbx, south: Pbx) -> None:
        environ = environment(tmp_path, north, south)
        with compose.opened(settings.read(environ)) as parts:
            compose.prepare(parts)
            with serving(environ, tmp_path / "serve.log", "pbx,capture,timers"):
                await until(lambda: up(parts, "north") and up(parts, "south"))
                with parts.database.reading() as session:
                    leases = set(session.scalars(select(LeaseRow.name)))
                assert leases >= {"pbx:north", "pbx:south"}
                callers = [north.begin_calls(2, 2, 20_000), south.begin_calls(2, 2, 8_000)]
                await until(
                    lambda: all(count(parts, p, "talking") == 2 for p in ("north", "south"))
                )
                await asyncio.to_thread(north.kill)
                await until(lambda: not up(parts, "north"))
                callers.append(south.begin_calls(2, 2, 1_000))
                await until(lambda: count(parts, "south", "ended") == 4)
                assert up(parts, "south")
                callers[0].kill()
                await asyncio.to_thread(north.start)
                await until(lambda: up(parts, "north"))
                callers += [pbx.begin_calls(2, 2, 1_000) for pbx in (north, south)]
                for caller in callers:
                    await asyncio.to_thread(caller.communicate)
                await until(lambda: settled(parts), 60)
                await until(lambda: agree(parts, environ), 60)
            with parts.database.reading() as session:
                gaps = session.execute(select(LinkGapRow.pbx, LinkGapRow.reason)).all()
                tickets = session.scalar(select(func.count()).select_from(TicketCallRow))
                recorded = set(session.scalars(select(RecordingRow.pbx)))
                calls = session.scalar(select(func.count()).select_from(CallRow))
            # Our own stop is the last interval of each; south has no other.
            assert sorted(map(tuple, gaps)) == [
                ("north", "closed"), ("north", "stopped"), ("south", "stopped"),
            ]  # fmt: skip
            assert (calls, tickets) == (10, 10)
            assert recorded == {"north", "south"}
            _, standing = command(environ, "pbx", "status")
            assert [one["pbx"] for one in standing] == ["north", "south"]  # type: ignore[index]

    with asterisk("answer") as north, asterisk("answer") as south:
        asyncio.run(play(north, south))
