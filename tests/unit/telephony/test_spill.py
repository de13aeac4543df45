"""The hand-off when the database stalls: the socket is read, memory is bounded, nothing is lost."""

import asyncio
import gc
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.serve import SWITCH_S
from telephony import handoff as handoffs
from telephony.address import Address
from telephony.batch import Batch, Connected, Lost
from telephony.errors import Superseded
from telephony.handoff import Handoff
from telephony.line import Line
from telephony.message import Message
from telephony.pipe import Pipe
from telephony.session import Timing
from telephony.spill import Spill
from tests.unit.telephony.flood import note
from tests.unit.telephony.house import NOW, Store, Taker
from tests.unit.telephony.peer import event
from tests.unit.telephony.test_board import ANSWERED, dump
from tests.unit.telephony.test_line_faults import QUICK, clock, until

ROOT = Path(__file__).resolve().parents[3]


def message(number: int, size: int = 10) -> Message:
    return Message(event("E", ("N", str(number)), ("X", "x" * size)).removesuffix(b"\r\n\r\n"))


def batch(seq: int, *messages: Message, change: Connected | Lost | None = None) -> Batch:
    return Batch("s1", seq, NOW + seq, messages, change)


def plain(taken: Batch) -> tuple[str, int, int, bytes, Connected | Lost | None]:
    return taken.link_session, taken.seq, taken.received_at, taken.raw, taken.change


def drain(spill: Spill) -> list[Batch]:
    found = []
    while (taken := spill.next()) is not None:
        found.append(taken)
        spill.done()
    return found


EVERYTHING = [
    batch(0, change=Connected()),
    batch(1, message(1), Message(b"Event: E\r\nName: \xe7\x94\xb2\xff\xe2\x80\xa8")),
    batch(2),
    batch(3, change=Lost("silent", NOW)),
    batch(4, change=Lost("closed", None)),
]


def test_what_is_kept_comes_back_as_it_was(tmp_path: Path) -> None:
    """Bytes, order, time and word of the link: the journal must not see that it was on disk."""
    first = Spill(tmp_path / "spill")
    first.append(EVERYTHING)
    first.close()
    again = Spill(tmp_path / "spill")
    assert [plain(b) for b in drain(again)] == [plain(b) for b in EVERYTHING]
    again.close()
    assert not (tmp_path / "spill").exists()


def test_a_batch_is_offered_until_it_is_done(tmp_path: Path) -> None:
    """A crash between taking and committing must not lose the batch in the hands."""
    spill = Spill(tmp_path / "spill")
    spill.append(EVERYTHING)
    spill.next()
    spill.done()
    spill.next()
    spill.close()
    again = Spill(tmp_path / "spill")
    assert [b.seq for b in drain(again)] == [1, 2, 3, 4]
    again.close()


@given(cut=st.integers(0, 600), flip=st.none() | st.integers(16, 500))
@settings(max_examples=150, deadline=None)
def test_a_file_cut_or_spoilt_anywhere_gives_whole_batches_of_its_beginning(
    tmp_path_factory: pytest.TempPathFactory, cut: int, flip: int | None
) -> None:
    """A power cut leaves any part of a file: no half batch is taken, and none out of turn."""
    path = tmp_path_factory.mktemp("spill") / "spill"
    spill = Spill(path)
    spill.append(EVERYTHING)
    os.close(spill._file)
    data = bytearray(path.read_bytes()[:cut])
    if flip is not None and flip < len(data):
        data[flip] ^= 0xFF
    path.write_bytes(bytes(data))
    again = Spill(path)
    found = [plain(b) for b in drain(again)]
    assert found == [plain(b) for b in EVERYTHING][: len(found)]
    again.append([batch(9, message(9))])
    assert [b.seq for b in drain(again)] == [9]
    again.close()


async def take(handoff: Handoff) -> Batch:
    taken = await handoff.take()
    assert taken is not None
    await handoff.taken()
    return taken


def numbers(batches: list[Batch]) -> list[str]:
    return [message.get("N") for taken in batches for message in taken.messages]


def test_order_holds_through_memory_disk_and_memory(tmp_path: Path) -> None:
    """What is on disk is older than what is in memory: no call ends before it begins."""

    async def play() -> list[Batch]:
        spill = Spill(tmp_path / "spill")
        handoff = Handoff(asyncio.get_running_loop(), spill, spill_bytes=1000)
        handoff.put("s1", NOW, [message(0)])
        offered = await handoff.take()
        assert offered is not None
        for number in range(1, 60):
            handoff.put("s1", NOW, [message(number, 100)])
            if number % 10 == 0:
                await until(lambda: spill.waiting)
        await handoff.taken()
        found = [offered]
        for number in range(60, 70):
            found.append(await take(handoff))
            handoff.put("s1", NOW, [message(number)])
        handoff.close()
        while (taken := await handoff.take()) is not None:
            found.append(taken)
            await handoff.taken()
        await asyncio.to_thread(handoff.end, keep=True)
        return found

    found = asyncio.run(play())
    assert numbers(found) == [str(number) for number in range(70)]
    assert [taken.seq for taken in found] == sorted({taken.seq for taken in found})
    assert not (tmp_path / "spill").exists()


def test_a_full_disk_falls_back_to_memory_and_its_bound(tmp_path: Path) -> None:
    """ENOSPC loses nothing that was taken in; when memory is full too, the line is told."""

    async def play() -> list[Batch]:
        spill = Spill(tmp_path / "spill", limit=3000)
        handoff = Handoff(asyncio.get_running_loop(), spill, spill_bytes=500, held_bytes=10_000)
        taken_in = 0
        while handoff.put("s1", NOW, [message(taken_in, 100)]):
            taken_in += 1
            await asyncio.sleep(0.001)
        handoff.close()
        found = []
        while (taken := await handoff.take()) is not None:
            found.append(taken)
            await handoff.taken()
        await asyncio.to_thread(handoff.end, keep=True)
        assert numbers(found) == [str(number) for number in range(taken_in)]
        return found

    assert asyncio.run(play())


def test_what_was_not_taken_at_the_end_is_there_at_the_next_start(
    tmp_path: Path, store: Store, taker: Taker
) -> None:
    """A gateway stopped while its database stalls goes on where it was, and doubles nothing: the
    batch in flight was committed after all, and comes again under its own name."""
    whole = [batch(n, *ANSWERED[n * 10 : n * 10 + 10]) for n in range(len(ANSWERED) // 10 + 1)]

    async def stopped() -> None:
        handoff = Handoff(asyncio.get_running_loop(), Spill(tmp_path / "spill"))
        for part in whole:
            handoff.put("s1", part.received_at, part.messages)
        with pytest.MonkeyPatch.context() as small:
            small.setattr(handoffs, "BATCH_MESSAGES", 10)
            offered = await handoff.take()
            assert offered is not None
            taker.take(offered)
            await asyncio.to_thread(handoff.end, keep=True)

    asyncio.run(stopped())
    taker.load()
    again = Spill(tmp_path / "spill")
    replayed = drain(again)
    again.close()
    assert [b.seq for b in replayed] == [b.seq for b in whole]
    for part in replayed:
        taker.take(part)
    other = Store(f"sqlite:///{tmp_path / 'other.sqlite'}")
    one_go = Taker(other)
    for part in whole:
        one_go.take(part)
    assert dump(store) == dump(other)
    assert len(taker.facts) == len(one_go.facts)
    other.engine.dispose()


@contextmanager
def flood(rate: int, seconds: float) -> Iterator["Flood"]:
    """The flooding PBX, and the bare reader of the same bytes."""
    command = [sys.executable, "-m", "tests.unit.telephony.flood"]
    sender = subprocess.Popen([*command, str(rate), str(seconds)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True, cwd=ROOT)  # fmt: skip
    with sender:
        assert sender.stdout is not None
        port, bare_port = map(int, sender.stdout.readline().split())
        bare = subprocess.Popen([*command, "read", str(bare_port)], stdout=subprocess.PIPE,
                                text=True, cwd=ROOT)  # fmt: skip
        with bare:
            try:
                yield Flood(port, sender, bare)
            finally:
                bare.kill()
                sender.kill()


@dataclass(frozen=True, slots=True)
class Flood:
    """Its AMI port and processes."""

    port: int
    sender: "subprocess.Popen[str]"
    bare: "subprocess.Popen[str]"

    def sent(self) -> int:
        """How many events it sent, once it has sent them."""
        assert self.sender.stdout is not None
        return int(self.sender.stdout.readline())

    def waited_at_bare(self) -> dict[int, int]:
        """How long each stamp waited for the bare reader (ns)."""
        assert self.bare.stdout is not None
        return {int(stamp): ns for stamp, ns in json.loads(self.bare.stdout.read()).items()}


class Stalled:
    """A line whose batches meet a database that does not answer until it is let go."""

    def __init__(self, port: int, spill: Path, patch: pytest.MonkeyPatch) -> None:
        self.free = threading.Event()
        self.batches: list[Batch] = []
        self.waited: dict[int, int] = {}
        self.line = Line(
            Address("127.0.0.1", port, "u", "secret"), pbx="p", on_batch=self._take,
            clock=clock, timing=QUICK, spill=spill,
        )  # fmt: skip
        read = Pipe.read

        def stamped(pipe: Pipe) -> bytes:
            data = read(pipe)
            note(self.waited, data)
            return data

        patch.setattr(Pipe, "read", stamped)

    async def _take(self, batch: Batch) -> None:
        await asyncio.to_thread(self.free.wait)
        self.batches.append(batch)


@pytest.fixture
def as_served() -> Iterator[None]:
    """As `gateway.serve` sets the interpreter up: what is loaded is not walked by the collector
    while the PBX waits, and a thread that computes lets go soon."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
    sys.setswitchinterval(before)


@pytest.mark.alone
def test_a_stalled_database_never_leaves_the_socket_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_served: None
) -> None:
    """The PBX drops a session that is not read; ours is read in time, whatever the database does,
    and every event arrives in order. `HOTLINE_TEST_STALL_S=30` is the long run.

    A bare reader of the same bytes, a process with nothing else to do, says what the machine grants
    just then: where that one waits, too, ours may wait twice as long."""
    seconds = float(os.environ.get("HOTLINE_TEST_STALL_S", "6"))
    assert Handoff.__init__.__kwdefaults__ is not None
    monkeypatch.setitem(Handoff.__init__.__kwdefaults__, "spill_bytes", 1024 * 1024)
    held = []

    async def play(stalled: Stalled, pbx: Flood) -> int:
        task = asyncio.create_task(stalled.line.run())
        try:
            said = asyncio.create_task(asyncio.to_thread(pbx.sent))
            while not said.done():
                held.append((tmp_path / "spill").stat().st_size if stalled.line.connected else 0)
                await asyncio.sleep(0.05)
            stalled.free.set()
            await until(lambda: len(numbers(stalled.batches)) >= said.result(), 30)
            return said.result()
        finally:
            stalled.free.set()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    with flood(2_000, seconds) as pbx:
        stalled = Stalled(pbx.port, tmp_path / "spill", monkeypatch)
        sent = asyncio.run(play(stalled, pbx))
        bare = pbx.waited_at_bare()
    assert numbers(stalled.batches) == [str(number) for number in range(sent)]
    assert not any(isinstance(taken.change, Lost) for taken in stalled.batches[:-1])
    assert max(held) > 1024 * 1024, "it never came to disk"
    ours = sorted(ns / 1e6 for ns in stalled.waited.values())
    machine = max(bare.values()) / 1e6
    sys.stdout.write(
        f"{sent} events, {max(held)} bytes on disk; unread at most {ours[-1]:.1f} ms, p99 "
        f"{ours[len(ours) * 99 // 100]:.1f} ms of {len(ours)} reads; at a bare reader at most "
        f"{machine:.1f} ms\n"
    )
    assert ours[len(ours) // 2] < 50
    assert seconds < 30 or ours[-1] < max(50, 2 * machine)


def test_a_superseded_line_ends_and_keeps_nothing(tmp_path: Path) -> None:
    """What another gateway makes good must not be written by this one at its next start."""

    async def refuse(_: Batch) -> None:
        raise Superseded("x")

    async def play(port: int) -> None:
        line = Line(Address("127.0.0.1", port, "u", "secret"), pbx="p", on_batch=refuse,
                    clock=clock, timing=Timing(), spill=tmp_path / "spill")  # fmt: skip
        with pytest.raises(Superseded):
            await asyncio.wait_for(line.run(), 5)

    with flood(100, 0.2) as pbx:
        asyncio.run(play(pbx.port))
    assert not (tmp_path / "spill").exists()
