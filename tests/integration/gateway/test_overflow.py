"""A PBX whose words are not read: it drops the session, and afterwards every call is there once.

The gateway stands still (SIGSTOP, as a swapping or stopped machine) while a real Asterisk serves
callers, until the manager interface's own buffers are full and `writetimeout` ends the session.
"""

import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.rig.asterisk import Pbx, asterisk
from tests.rig.gateway import Gateway, gateway

HOLD_MS = 800
RATE = 12
WELL_S = 120.0


def until(true: Callable[[], object], within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.2)


def sessions(pbx: Pbx) -> int:
    """How many are signed in to its manager interface."""
    shown = pbx.cli("manager show connected")
    assert "users connected" in shown, shown
    return sum(line.split()[:1] == ["hotline"] for line in shown.split("\n"))


def gaps(house: Gateway) -> list[tuple[str, bool]]:
    """Each interval without the link: why, and whether it was made good."""
    with sqlite3.connect(house.state / "hotline.db") as database:
        rows = database.execute("SELECT reason, backfilled_at FROM link_gap ORDER BY id").fetchall()
    database.close()
    return [(str(reason), filled is not None) for reason, filled in rows]


@pytest.mark.timeout(300)
def test_a_session_dropped_because_nobody_read_it_loses_no_call(tmp_path: Path) -> None:
    """Calls on CEL = call records = tickets, none doubled, every recording sealed, and the
    interval between the last word read and the new session on record, made good."""
    with asterisk() as pbx, gateway(tmp_path / "state", pbx, {}) as house:
        since = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - 5)) + "+00:00"
        pbx.place_calls(2, 2, HOLD_MS)
        assert house.process is not None
        house.process.send_signal(signal.SIGSTOP)
        try:
            callers = pbx.begin_calls(40 * RATE, RATE, HOLD_MS)
            assert sessions(pbx) == 1
            until(lambda: sessions(pbx) == 0, 90)
        finally:
            house.process.send_signal(signal.SIGCONT)
            callers.send_signal(signal.SIGUSR1)  # sipp: no new calls, let those end
        callers.communicate(timeout=60)
        until(lambda: sessions(pbx) == 1, 20)
        pbx.place_calls(2, 2, HOLD_MS)
        until(lambda: len(gaps(house)) == 1 and gaps(house)[0][1], WELL_S)
        until(lambda: house.hotline("reconcile", "--since", since)[0] == 0, 60)
        _, count = house.hotline("reconcile", "--since", since)
        assert gaps(house) == [("closed", True)]
        assert count["cel_calls"] == count["call_records"] > 4
        assert count["doubled"] == 0
        assert count["recordings"]["missing"] == 0
