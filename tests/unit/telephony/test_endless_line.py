"""A line that never ends, from a peer gone mad or hostile: cut, said clearly, and got over."""

import asyncio
import logging
import threading
from pathlib import Path

import pytest
from sqlalchemy import select

from telephony.address import Address
from telephony.batch import Batch
from telephony.line import Line
from telephony.tables import CallRow, LinkGapRow
from tests.unit.telephony.house import PBX, Store, Taker, trace
from tests.unit.telephony.peer import Peer
from tests.unit.telephony.test_line_faults import QUICK, clock, until

MIB = 1024 * 1024
STATUS = Path("/proc/self/status")


def most_held() -> int:
    """The most memory this process has held since `forget` (bytes)."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def forget() -> None:
    """What was held before does not count (proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5")


class Endless(threading.Thread):
    """Says one line of a GiB to whoever is connected; `said`: how much of it went out."""

    def __init__(self, peer: Peer) -> None:
        super().__init__(daemon=True)
        (self._link,) = peer._links
        self.said = 0
        self.cut = False

    def run(self) -> None:
        try:
            self._link.sendall(b"Event: Newchannel\r\nCallerIDName: ")
            for _ in range(1024):
                self._link.sendall(b"a" * MIB)
                self.said += MIB
        except OSError:
            self.cut = True


@pytest.mark.alone
def test_a_line_of_a_gib_is_cut_and_the_link_restarts(
    store: Store, taker: Taker, caplog: pytest.LogCaptureFixture
) -> None:
    """Bounded memory, a log line that says what happened, a recorded gap, and calls again."""

    async def take(batch: Batch) -> None:
        await asyncio.to_thread(taker.take, batch)

    async def play(peer: Peer) -> Endless:
        address = Address("127.0.0.1", peer.port, "u", "secret")
        line = Line(address, pbx=PBX, on_batch=take, clock=clock, timing=QUICK)
        task = asyncio.create_task(line.run())
        await until(lambda: line.connected)
        endless = Endless(peer)
        endless.start()
        await until(lambda: endless.cut, 30)
        await until(lambda: line.connected and peer.connections == 2)
        peer._links = peer._links[-1:]
        peer.say(trace("answered.ami"))
        await until(lambda: [type(fact).__name__ for fact in taker.facts][-1:] == ["Ended"])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return endless

    forget()
    before = most_held()
    with Peer() as peer, caplog.at_level(logging.WARNING):
        endless = asyncio.run(play(peer))
    assert most_held() - before < 64 * MIB
    assert endless.said < 16 * MIB
    assert "A line passes 65536 bytes: the link is made anew." in caplog.text
    with store.begin() as session:
        first, *_ = session.scalars(select(LinkGapRow).order_by(LinkGapRow.id))
        assert (first.reason, first.ended_at is None) == ("broken", False)
        assert session.scalars(select(CallRow)).one().outcome == "answered"
