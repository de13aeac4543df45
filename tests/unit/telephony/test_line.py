"""The line's own promises: order, bounds, TLS, refusals, and stopping without loss."""

import asyncio
import logging
import random
import ssl
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from telephony.address import Address
from telephony.batch import Batch, Connected, Lost
from telephony.client import Client
from telephony.errors import AddressError, LinkLost, LoginRefused
from telephony.handoff import Handoff
from telephony.line import Line
from telephony.session import Timing, check, sign_in
from telephony.simulator import Simulator
from tests.unit.telephony.house import messages, trace
from tests.unit.telephony.peer import Peer, event
from tests.unit.telephony.test_line_faults import QUICK, Ours, clock, until


def simulator(at: Path, *, tls: ssl.SSLContext | None = None) -> Simulator:
    return Simulator(
        at / "spool", at / "cel.csv", secret="s3cret", clock=clock, rng=random.Random(1), tls=tls
    )


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate and key for 127.0.0.1 that nobody else trusts."""
    at = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=pbx", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(at / "key.pem"), "-out", str(at / "cert.pem")),
        ],
        check=True,
        capture_output=True,
    )
    return at


def test_over_tls_the_certificate_is_verified(certificate: Path, tmp_path: Path) -> None:
    """`amis://` to somebody who only pretends to be the PBX gets no secret."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    trusting = ssl.create_default_context(cafile=str(certificate / "cert.pem"))

    async def play() -> None:
        async with simulator(tmp_path, tls=server) as pbx:
            where = Address("127.0.0.1", pbx.port, "hotline", "s3cret", tls=True)
            with pytest.raises(ssl.SSLCertVerificationError):
                await check(where)
            taken: list[Batch] = []

            async def take(batch: Batch) -> None:
                taken.append(batch)

            line = Line(where, pbx="p", on_batch=take, clock=clock, timing=QUICK, tls=trusting)
            task = asyncio.create_task(line.run())
            await until(lambda: line.connected)
            await pbx.place_call("13800138000", talk_s=0.1, ring_s=0.1)
            await until(lambda: sum(len(b.messages) for b in taken) > 20)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(play())


def test_without_tls_the_secret_never_crosses_the_link() -> None:
    """Login is by challenge: who listens on the wire learns nothing he can use again."""
    with Peer() as peer:

        async def nothing() -> None:
            pass

        Ours(peer).run(nothing)
        assert b"AuthType: MD5" in peer.received
        assert b"secret" not in peer.received


def test_the_queues_are_asked_for_at_once_and_now_and_then() -> None:
    """Agents' states are right after a gap, and when queues.conf changed, which nobody tells."""
    timing = replace(QUICK, ping_s=0.05, queues_s=0.2)
    with Peer() as peer:
        ours = Ours(peer, timing)

        async def scenario() -> None:
            await until(lambda: peer.received.count(b"Action: QueueStatus") == 3)
            assert peer.received.index(b"CoreShowChannels") < peer.received.index(b"QueueStatus")
            assert peer.received.count(b"CoreShowChannels") == 1
            peer.drop()
            await until(lambda: peer.received.count(b"CoreShowChannels") == 2)
            await until(lambda: peer.received.count(b"Action: QueueStatus") == 4)

        ours.run(scenario)
        assert peer.received.count(b"Action: Ping") > peer.received.count(b"Action: QueueStatus")


def test_a_refused_account_is_told_apart(tmp_path: Path) -> None:
    """A wrong secret is for a person to mend: the line says so and does not hammer the PBX."""

    async def play() -> tuple[list[Batch], str]:
        batches: list[Batch] = []

        async def take(batch: Batch) -> None:
            batches.append(batch)

        async with simulator(tmp_path) as pbx:
            where = Address("127.0.0.1", pbx.port, "hotline", "wrong")
            with pytest.raises(LoginRefused, match=r"manager\.conf"):
                await check(where)
            line = Line(where, pbx="p", on_batch=take, clock=clock, timing=QUICK)
            task = asyncio.create_task(line.run())
            await until(lambda: bool(batches))
            trouble = line.trouble
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return batches, trouble

    batches, trouble = asyncio.run(play())
    (lost,) = [batch.change for batch in batches]
    assert isinstance(lost, Lost)
    assert lost.reason == "refused"
    assert trouble == "refused"


def test_nobody_there_is_one_gap_and_no_noise(caplog: pytest.LogCaptureFixture) -> None:
    """A PBX that is down for an hour is one line in the log and one interval, not thousands."""
    with Peer() as peer:
        port = peer.port
    batches: list[Batch] = []

    async def take(batch: Batch) -> None:
        batches.append(batch)

    async def play() -> None:
        where = Address("127.0.0.1", port, "u", "s")
        line = Line(where, pbx="p", on_batch=take, clock=clock, timing=QUICK)
        task = asyncio.create_task(line.run())
        await asyncio.sleep(0.6)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with caplog.at_level(logging.INFO):
        asyncio.run(play())
    assert [batch.change for batch in batches] == [Lost("closed", None)]
    assert len([r for r in caplog.records if r.name == "telephony.line"]) == 1


def test_a_busy_line_is_taken_in_few_batches_and_in_order() -> None:
    """Under load many messages share one transaction; none overtakes another."""
    with Peer() as peer:
        ours = Ours(peer)

        async def scenario() -> None:
            await until(lambda: len(ours.batches) == 1)
            slow = asyncio.Event()
            took = ours._take

            async def first_slow(batch: Batch) -> None:
                await slow.wait()
                await took(batch)

            ours.line._on_batch = first_slow
            data = b"".join(event("E", ("N", str(n))) for n in range(5_000))
            await asyncio.to_thread(peer.say, data)
            await asyncio.sleep(0.3)
            slow.set()
            await until(lambda: len(ours.messages) == 5_000)

        ours.run(scenario)
    assert [int(m.get("N")) for m in ours.messages] == list(range(5_000))
    assert len([b for b in ours.batches if b.messages]) <= 6
    assert [b.seq for b in ours.batches] == list(range(len(ours.batches)))


def test_stopping_takes_what_was_received() -> None:
    """Ctrl+C loses no event that was already read, and leaves its word in the gap list."""
    with Peer() as peer:
        ours = Ours(peer)

        async def scenario() -> None:
            ours.failures = 2
            await asyncio.to_thread(peer.say, b"".join(event("E") for _ in range(100)))
            await asyncio.sleep(0.1)

        ours.run(scenario)
    assert len(ours.messages) == 100
    assert isinstance(ours.changes[-1], Lost)
    assert ours.changes[-1].reason == "stopped"


def test_what_cannot_be_handed_on_ends_the_link_instead_of_eating_memory() -> None:
    """A database that stands still costs bounded memory and a recorded gap, not the process."""

    async def play(peer: Peer) -> tuple[str, list[Batch]]:
        handoff = Handoff(asyncio.get_running_loop(), held_bytes=10_000)
        where = Address("127.0.0.1", peer.port, "u", "secret")
        client = Client(where, handoff, clock)
        await asyncio.to_thread(client.connect)
        await sign_in(client, 3)
        await asyncio.to_thread(peer.say, b"".join(event("E", ("A", "x" * 90)) for _ in range(500)))
        async with asyncio.timeout(5):
            await client.over.wait()
        await asyncio.to_thread(client.disconnect)
        handoff.close()
        batches = []
        while (batch := await handoff.take()) is not None:
            batches.append(batch)
        return type(client.error).__name__, batches

    with Peer() as peer:
        error, batches = asyncio.run(play(peer))
    assert error == "Overflow"
    assert batches[0].change == Connected()
    assert sum(len(batch.raw) for batch in batches) <= 11_000


def test_a_peer_that_sends_no_ami_is_left() -> None:
    """An endless line is cut with a clear reason, and the link is tried again."""
    with Peer() as peer:
        ours = Ours(peer)

        async def scenario() -> None:
            await asyncio.to_thread(peer.say, b"x" * 300_000)
            await until(lambda: not ours.line.connected)
            await until(lambda: ours.line.connected)

        ours.run(scenario)
    lost = next(change for change in ours.changes if isinstance(change, Lost))
    assert lost.reason == "broken"


def test_events_before_the_login_count_for_nothing() -> None:
    """Whoever answers on the port is not believed before the login has been accepted."""
    with Peer() as peer:
        peer.deaf = True
        ours = Ours(peer, Timing(answer_s=0.3, pause_first_s=0.05))

        async def play() -> None:
            task = asyncio.create_task(ours.line.run())
            await until(lambda: peer.connections == 1)
            await asyncio.sleep(0.1)
            peer.say(event("Newchannel", ("Uniqueid", "1"), ("Linkedid", "1")))
            await asyncio.sleep(0.1)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(play())
    assert ours.messages == []


def test_the_pbx_is_known_to_live_on_a_quiet_line() -> None:
    """A gap after a kill begins at the last heartbeat, not at the last call of the night."""
    with Peer() as peer:
        ours = Ours(peer, Timing(ping_s=0.1))

        async def scenario() -> None:
            await until(lambda: len(ours.batches) >= 3)

        ours.run(scenario)
    beats = [batch for batch in ours.batches if batch.change is None]
    assert beats
    assert all(batch.messages == () for batch in beats)


def test_the_reader_never_waits_for_the_event_loop() -> None:
    """The PBX drops a session unread for 100 ms: a loop blocked for half a second must not show."""
    with Peer() as peer:
        ours = Ours(peer)
        spans: list[float] = []

        def flood() -> None:
            for _ in range(40):
                began = time.monotonic()
                peer.say(event("E", ("A", "x" * 30_000)) * 8)
                spans.append(time.monotonic() - began)

        async def scenario() -> None:
            flooding = threading.Thread(target=flood)
            flooding.start()
            time.sleep(0.5)  # noqa: ASYNC251 - this is the fault
            await asyncio.to_thread(flooding.join)
            await until(lambda: len(ours.messages) == 320)

        ours.run(scenario)
    assert sum(spans) < 0.5


def test_no_secret_and_no_caller_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """What fails is told by kind: a database error's text would hold the caller's number."""
    with Peer() as peer, caplog.at_level(logging.DEBUG):
        ours = Ours(peer)

        async def scenario() -> None:
            ours.failures = 1
            peer.say(trace("answered.ami"))
            await until(lambda: len(ours.messages) == len(messages(trace("answered.ami"))))

        ours.run(scenario)
    assert "RuntimeError" in caplog.text
    assert "1380013" not in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("ami://hotline:a%40b@pbx", Address("pbx", 5038, "hotline", "a@b")),
        ("amis://hotline:pw7@[::1]", Address("::1", 5039, "hotline", "pw7", tls=True)),
        ("ami://h:pw8@10.0.0.1:7", Address("10.0.0.1", 7, "h", "pw8")),
    ],
)
def test_an_address_is_read(url: str, where: Address) -> None:
    """One setting says all of where the PBX is; its secret is never shown."""
    assert Address.parse(url) == where
    assert where.secret not in repr(where)


@pytest.mark.parametrize(
    "url",
    [
        "http://a:b@c",
        "ami://c:5038",
        "ami://a@c",
        "ami://a:b@:1",
        "ami://a:b@c:x",
        "ami://a%0d%0ab:c@d",
        "",
    ],
)
def test_a_wrong_address_is_refused_without_its_secret(url: str) -> None:
    """The message says which part is wrong and how to write it."""
    with pytest.raises(AddressError, match="ami://"):
        Address.parse(url)


def test_check_says_when_nobody_answers() -> None:
    """`hotline doctor` must not hang on a port that is open and dead."""
    with Peer() as peer:
        peer.deaf = True
        where = Address("127.0.0.1", peer.port, "u", "s")
        with pytest.raises(LinkLost):
            asyncio.run(check(where, timing=Timing(answer_s=0.2)))
