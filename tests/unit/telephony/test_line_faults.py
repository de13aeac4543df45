"""The faults of asterisk-ami 0.1.7 (DESIGN §4): each shown on the bare library, and closed in ours.

Both meet the same peer. Where a fault is a matter of time, the bare library's own timeout is set
shorter, and the quiet with it; one test keeps the whole minute.
"""

import asyncio
import gc
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from asterisk.ami import Action, AMIClient, AutoReconnect, Event, SimpleAction

from telephony.address import Address
from telephony.batch import Batch, Connected, Lost
from telephony.errors import InjectionRefused
from telephony.line import Line
from telephony.message import Message
from telephony.readers import understand
from telephony.session import Timing, sign_in
from tests.unit.telephony.house import messages, trace
from tests.unit.telephony.peer import Peer, event

pytestmark = [
    # The bare library warns and lets its thread die: that is what is shown here.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

HELLO = event("Newchannel", ("Uniqueid", "1.1"), ("Linkedid", "1.1"))
QUICK = Timing(pause_first_s=0.05, pause_most_s=0.1, ping_s=30.0)


def clock() -> int:
    return time.time_ns() // 1000


async def until(true: Callable[[], bool], within_s: float = 5.0) -> None:
    """Waits for a condition; fails when it does not come about."""
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110 - what is waited for is told to no event
            await asyncio.sleep(0.01)


class Ours:
    """A line on a peer, and what it handed over."""

    def __init__(self, peer: Peer, timing: Timing = QUICK) -> None:
        self.batches: list[Batch] = []
        self.failures = 0
        self.peer = peer
        address = Address("127.0.0.1", peer.port, "u", "secret")
        self.line = Line(address, pbx="p", on_batch=self._take, clock=clock, timing=timing)

    async def _take(self, batch: Batch) -> None:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("callback")
        self.batches.append(batch)

    @property
    def messages(self) -> list[Message]:
        return [message for batch in self.batches for message in batch.messages]

    @property
    def changes(self) -> list[Connected | Lost]:
        return [batch.change for batch in self.batches if batch.change is not None]

    def run(self, scenario: Callable[[], Awaitable[None]]) -> None:
        """Plays the scenario once the line is connected, then stops it in order."""

        async def play() -> None:
            task = asyncio.create_task(self.line.run())
            try:
                await until(lambda: self.line.connected)
                await scenario()
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

        asyncio.run(play())


@contextmanager
def bare(
    peer: Peer, on_event: Callable[..., None], timeout: float | None = 3
) -> Iterator[AMIClient]:
    """The library as its documentation uses it; what it leaves open is closed afterwards."""
    client = AMIClient("127.0.0.1", peer.port, timeout=timeout)
    client.add_event_listener(on_event)
    client.login("u", "secret")
    assert peer.signed_in.wait(3)
    try:
        yield client
    finally:
        client.finished.set()
        with suppress(OSError):
            client._socket.shutdown(socket.SHUT_RDWR)
        client._thread.join(3)
        client._socket.close()
        gc.collect()


def into(heard: list[Event]) -> Callable[..., None]:
    """A listener that remembers."""

    def listener(event: Event, **_: object) -> None:
        heard.append(event)

    return listener


def test_a_quiet_line_kills_the_bare_reader() -> None:
    """Nights are quiet: after three seconds without an event the library hears no more."""
    heard: list[Event] = []
    with Peer() as peer, bare(peer, into(heard), timeout=0.5) as client:
        time.sleep(1.5)
        peer.say(HELLO)
        time.sleep(0.3)
        assert heard == []
        assert not client._thread.is_alive()


@pytest.mark.parametrize("quiet_s", [1.5, pytest.param(60.0, marks=pytest.mark.timeout(90))])
def test_a_quiet_line_is_no_fault_to_ours(quiet_s: float) -> None:
    """A minute without a byte, not even a Ping of ours: the next call is heard."""
    with Peer() as peer:
        ours = Ours(peer, Timing(ping_s=3600))

        async def scenario() -> None:
            await asyncio.sleep(quiet_s)
            peer.say(HELLO)
            await until(lambda: len(ours.messages) == 1)

        ours.run(scenario)
        assert peer.connections == 1


def test_a_raising_callback_kills_the_bare_reader() -> None:
    """One bug in a handler and the hotline is deaf, without a word."""
    heard: list[Event] = []

    def listener(event: Event, **_: object) -> None:
        heard.append(event)
        raise ValueError("callback")

    with Peer() as peer, bare(peer, listener) as client:
        peer.say(HELLO)
        peer.say(HELLO)
        time.sleep(0.3)
        assert len(heard) == 1
        assert not client._thread.is_alive()


def test_a_raising_callback_is_called_again_in_ours() -> None:
    """What could not be taken is offered until it is, in order, with nothing lost behind it."""
    with Peer() as peer:
        ours = Ours(peer)

        async def scenario() -> None:
            ours.failures = 3
            numbered = [event("E", ("N", str(n))) for n in range(10)]
            for data in numbered:
                peer.say(data)
            await until(lambda: len(ours.messages) == 10)

        ours.run(scenario)
        assert [m.get("N") for m in ours.messages] == [str(n) for n in range(10)]


HOSTILE = event(
    "Newchannel",
    ("Uniqueid", "1.1"),
    ("Linkedid", "1.1"),
    ("CallerIDName", "x\u2028Linkedid: 6.6\u0085Uniqueid: 6.6"),
)


def test_a_callers_name_forges_headers_in_the_bare_parser() -> None:
    """`splitlines` breaks at U+2028 and U+0085: the caller chooses which call they are."""
    heard: list[Event] = []
    with Peer() as peer, bare(peer, into(heard)):
        peer.say(HOSTILE)
        time.sleep(0.3)
    assert heard[0].keys["Linkedid"] == "6.6"


def test_a_callers_name_is_only_a_name_in_ours() -> None:
    """The same bytes: the PBX's own ids stand."""
    with Peer() as peer:
        ours = Ours(peer)

        async def scenario() -> None:
            peer.say(HOSTILE)
            await until(lambda: len(ours.messages) == 1)

        ours.run(scenario)
    read = understand(ours.messages[0])
    assert read is not None
    assert (read.party.uniqueid, read.party.linkedid) == ("1.1", "1.1")


TWICE = event("E", ("Linkedid", "1.1"), ("Variable", "a"), ("Variable", "b"), ("Linkedid", "6.6"))


def test_the_last_of_two_equal_headers_wins_in_the_bare_parser() -> None:
    """A value further down displaces the PBX's header, and repeated headers are lost."""
    heard: list[Event] = []
    with Peer() as peer, bare(peer, into(heard)):
        peer.say(TWICE)
        time.sleep(0.3)
    assert heard[0].keys == {"Linkedid": "6.6", "Variable": "b"}


def test_equal_headers_are_kept_in_ours() -> None:
    """The first counts, all can be read."""
    with Peer() as peer:
        ours = Ours(peer)

        async def scenario() -> None:
            peer.say(TWICE)
            await until(lambda: len(ours.messages) == 1)

        ours.run(scenario)
    assert ours.messages[0].get("Linkedid") == "1.1"
    assert ours.messages[0].all("Variable") == ("a", "b")


EVIL = "x\r\n\r\nAction: Command\r\nCommand: core stop now"


def test_line_breaks_in_a_value_inject_an_action_in_the_bare_library() -> None:
    """A number from a form, put into Originate, runs commands on the PBX."""
    with Peer() as peer, bare(peer, into([])) as client:
        client.send_action(SimpleAction("Ping", Note=EVIL))
        time.sleep(0.3)
        assert b"\r\n\r\nAction: Command\r\n" in peer.received


@pytest.mark.parametrize("where", ["value", "variable", "key"])
def test_line_breaks_are_refused_by_ours(where: str) -> None:
    """Nothing at all is sent, and the link goes on."""
    from telephony.client import Client  # noqa: PLC0415
    from telephony.handoff import Handoff  # noqa: PLC0415

    action = {
        "value": SimpleAction("Ping", Note=EVIL),
        "variable": Action("Ping", variables={"A": EVIL}),
        "key": Action("Ping", {EVIL: "x"}),
    }[where]

    async def play(peer: Peer) -> None:
        address = Address("127.0.0.1", peer.port, "u", "secret")
        client = Client(address, Handoff(asyncio.get_running_loop()), clock)
        await asyncio.to_thread(client.connect)
        await sign_in(client, 3)
        sent = bytes(peer.received)
        with pytest.raises(InjectionRefused):
            client.send_action(action)
        await asyncio.sleep(0.1)
        assert bytes(peer.received) == sent
        assert (await client.ask("Ping", 3)).name == "Success"
        await asyncio.to_thread(client.disconnect)

    with Peer() as peer:
        asyncio.run(play(peer))


def test_a_restarted_pbx_is_not_found_again_by_the_bare_library() -> None:
    """A reset ends the reader without a word to `AutoReconnect`, which then never connects."""
    heard: list[Event] = []
    first = Peer()
    client = AMIClient("127.0.0.1", first.port, timeout=0.5)
    client.add_event_listener(into(heard))
    keeper = AutoReconnect(client, delay=0.2)
    client.login("u", "secret")
    assert first.signed_in.wait(3)
    first.kill()
    with Peer(first.port) as second:
        time.sleep(1.5)
        second.say(HELLO)
        time.sleep(0.3)
        assert heard == []
        assert second.connections == 0
    keeper.finished.set()
    keeper.join(5)
    client._socket.close()
    gc.collect()


def test_a_restarted_pbx_is_found_again_by_ours() -> None:
    """Killed and back: the link returns by itself, says since when it was down, and hears."""
    first = Peer()
    ours = Ours(first)

    async def scenario() -> None:
        first.say(HELLO)
        await until(lambda: len(ours.messages) == 1)
        first.kill()
        await until(lambda: not ours.line.connected)
        with Peer(first.port) as second:
            await until(lambda: ours.line.connected)
            second.say(HELLO)
            await until(lambda: len(ours.messages) == 2)

    ours.run(scenario)
    kinds = [type(change) for change in ours.changes]
    assert kinds == [Connected, Lost, Connected, Lost]
    assert next(c.reason for c in ours.changes if isinstance(c, Lost)) == "closed"


def test_a_half_open_connection_is_never_noticed_by_the_bare_library() -> None:
    """The cable is cut, the socket stands: with a timeout that spares quiet nights, it waits on."""
    with Peer() as peer, bare(peer, into([]), timeout=None) as client:
        peer.deaf = True
        time.sleep(2.0)
        assert client._thread.is_alive()
        assert not client.finished.is_set()


def test_a_half_open_connection_is_given_up_by_ours() -> None:
    """No answer to Ping and nothing else heard: the link is made anew and the gap is told."""
    with Peer() as peer:
        ours = Ours(peer, Timing(ping_s=0.2, answer_s=0.3, pause_first_s=0.05))

        async def scenario() -> None:
            peer.deaf = True
            await until(lambda: not ours.line.connected, within_s=2.0)
            peer.deaf = False
            await until(lambda: ours.line.connected)

        ours.run(scenario)
        assert peer.connections >= 2
    lost = next(change for change in ours.changes if isinstance(change, Lost))
    assert lost.reason == "silent"


def test_a_big_action_is_sent_in_half_by_the_bare_library_and_whole_by_ours() -> None:
    """`send` is not `sendall`: what the socket does not take at once is dropped in silence."""
    size = 8 * 1024 * 1024
    value = "x" * size
    with Peer() as peer, bare(peer, into([])) as client:
        peer.stop_reading()
        client.send_action(SimpleAction("Ping", A=""))
        time.sleep(0.1)
        pack = SimpleAction("Ping", Note=value)
        sent = client._socket.send
        counts: list[int] = []

        class Counting:
            def send(self, data: bytes) -> int:
                counts.append(sent(data))
                return counts[-1]

        client._socket, real = Counting(), client._socket
        client.send_action(pack)
        client._socket = real
        assert 0 < counts[0] < size

    async def whole() -> None:
        from telephony.pipe import Pipe  # noqa: PLC0415

        arrived, done = 0, asyncio.Event()

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal arrived
            await asyncio.sleep(0.3)
            while data := await reader.read(1 << 20):
                arrived += len(data)
            writer.close()
            done.set()

        server = await asyncio.start_server(slow, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        pipe = await asyncio.to_thread(Pipe.open, "127.0.0.1", port, timeout_s=3)
        reading = asyncio.create_task(asyncio.to_thread(pipe.read))
        pipe.write(value.encode())
        await until(lambda: arrived == size)
        pipe.close()
        assert await reading == b""
        pipe.release()
        await done.wait()
        server.close()
        await server.wait_closed()

    asyncio.run(whole())


def test_a_whole_real_call_arrives_as_it_was_sent() -> None:
    """The stream of a real call, cut by the network, is handed over byte for byte."""
    data = trace("answered.ami")
    with Peer() as peer:
        ours = Ours(peer)

        async def scenario() -> None:
            for n in range(0, len(data), 997):
                peer.say(data[n : n + 997])
                await asyncio.sleep(0)
            await until(lambda: len(ours.messages) == len(messages(data)))

        ours.run(scenario)
    assert b"".join(batch.raw for batch in ours.batches) == data
