"""A real Asterisk drops us because nobody reads: noticed, on record, and every call made good.

The gateway stands still (SIGSTOP: a swapping or suspended machine) while the PBX has more to say
than the kernel takes for us, some 4 MB here. Then its `writetimeout` runs out in the middle of an
event (decision 0019), and it serves its callers on without us.
"""

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from telephony.wire import END
from tests.rig.asterisk import Pbx, asterisk
from tests.rig.gateway import Gateway, gateway
from tests.torture.report import SNAPSHOT_S
from tests.torture.watch import Watch, now

pytestmark = pytest.mark.alone

AT_ONCE = 100


def until(true: Callable[[], object], within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.05)


def listened_to(pbx: Pbx) -> bool:
    """Whether the gateway is signed in, as the PBX sees it."""
    shown = pbx.cli("manager show connected")
    assert "users connected" in shown, shown
    return any(line.split()[:1] == ["hotline"] for line in shown.split("\n"))


@contextlib.contextmanager
def talkative(pbx: Pbx) -> Iterator[None]:
    """An agent is put into their queues, where they are already, a few thousand times a second:
    each time the PBX says so, and nothing else comes of it."""
    act = f"Action: QueuePause\r\nInterface: PJSIP/8004\r\nPaused: false{END.decode()}"
    login = f"Action: Login\r\nUsername: hotline-control\r\nSecret: {pbx.secret}-control"
    enough = threading.Event()

    def ask(link: socket.socket) -> None:
        with link, link.makefile("rb") as answers:
            answers.readline()
            link.sendall(login.encode() + END)
            while not enough.is_set():
                link.sendall(act.encode() * AT_ONCE)
                for _ in range(AT_ONCE):
                    while answers.readline().strip():
                        pass

    asking = threading.Thread(
        target=ask, args=(socket.create_connection(("127.0.0.1", pbx.ami_port), 10),)
    )
    asking.start()
    try:
        yield
    finally:
        enough.set()
        asking.join(30)


@contextlib.contextmanager
def standing_still(house: Gateway) -> Iterator[None]:
    assert house.process is not None
    house.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        house.process.send_signal(signal.SIGCONT)


def test_a_session_that_nobody_read_and_the_pbx_dropped(tmp_path: Path) -> None:
    """The interval begins before the PBX let go of us, whatever of its words was read later; live
    calls are known within 2 s of the new session; of calls that ended in it, were wholly in it,
    began in it, or went on through it, each is one record, one ticket, one recording."""
    since = datetime.now(UTC).isoformat()
    with asterisk() as pbx, gateway(tmp_path / "state", pbx, {}) as house, Watch(house) as watch:
        pbx.place_calls(1, 1, 500)
        on = [pbx.begin_calls(1, 1, hold_ms) for hold_ms in (4_000, 20_000)]
        until(lambda: watch.calls() == (3, 2), 10)
        before, _ = watch.link()
        with standing_still(house):
            with talkative(pbx):
                until(lambda: not listened_to(pbx), 30)
            dropped_at = now()
            pbx.place_calls(1, 1, 500)
            on.append(pbx.begin_calls(1, 1, 8_000))
            time.sleep(1)
        until(lambda: watch.link()[0] not in {"", before}, 10)
        link, linked_at = watch.link()
        until(lambda: watch.taken(link), 10)
        assert now() - linked_at < SNAPSHOT_S * 1e6
        every, live = watch.calls()
        assert (every, live) == (4, 2)  # the one that was wholly missed comes from CEL
        for caller in on:
            caller.communicate(timeout=30)
        pbx.place_calls(1, 1, 500)
        until(lambda: all(gap.backfilled_at for gap in watch.gaps()), 30)
        until(lambda: house.hotline("reconcile", "--since", since)[0] == 0, 20)
        _, count = house.hotline("reconcile", "--since", since)
        (gap,) = watch.gaps()
        assert (gap.reason, gap.ended_at) == ("closed", linked_at)
        assert gap.began_at < dropped_at
        assert count["cel_calls"] == count["call_records"] == count["tickets"] == 6
        assert (count["doubled"], count["recordings"]["missing"]) == (0, 0)
        assert watch.outcomes() == {"answered · caller": 6}
