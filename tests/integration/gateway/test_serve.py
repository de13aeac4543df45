"""`hotline serve` as a process: stopped, killed, crippled, and alone with its public keys."""

import asyncio
import http.client
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gateway import compose, notices, settings
from gateway.tables import RecordingLinkRow, TicketRow
from recordings import keys
from recordings.tables import CaptureTroubleRow, RecordingRow
from telephony import voice
from telephony.simulator import Simulator
from telephony.tables import CallRow, LinkGapRow
from tests.rig.gateway import HOTLINE, PASSWORD, Gateway, furnish, gateway
from tests.rig.needs import need

WITHIN_S = 30.0
UNPRIVILEGED = "nobody"


def until(look: Callable[[], Any], within_s: float = WITHIN_S) -> Any:
    """What `look` finds as soon as it is true."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.05)
    return found


def read_one(environ: dict[str, str], look: Callable[[Any], Any]) -> Any:
    """What `look` reads from the house's database, with a session of its own."""
    with compose.opened(settings.read(environ)) as parts, parts.database.reading() as session:
        return look(session)


def alone(house: Gateway) -> None:
    """No process of the house is left in its group."""
    assert house.process is not None
    with pytest.raises(ProcessLookupError):
        os.killpg(house.process.pid, 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_stops_within_ten_seconds_while_a_page_is_open(
    tmp_path: Path, number: signal.Signals
) -> None:
    """An open desk does not keep the process from stopping; it ends by itself, with status 0, and
    the browser's stream ends whole."""
    with gateway(tmp_path, None, {}) as house:
        assert house.process is not None
        cookie = asyncio.run(house.client.browser("8001", PASSWORD))
        stream = http.client.HTTPConnection("127.0.0.1", house.port, timeout=20)
        stream.request("GET", "/live", headers={"Cookie": cookie})
        answer = stream.getresponse()
        assert answer.status == 200
        assert answer.readline().startswith(b"retry:")
        began = time.monotonic()
        house.process.send_signal(number)
        assert house.process.wait(timeout=10) == 0
        assert time.monotonic() - began < 10
        answer.read()
        stream.close()
        alone(house)
        assert b"Traceback" not in house.log.read_bytes()


def test_an_open_page_hears_what_another_process_commits(tmp_path: Path) -> None:
    """A command or a second gateway changes something: each page is told by its own gateway."""
    with gateway(tmp_path, None, {}) as house:
        cookie = asyncio.run(house.client.browser("auditor", PASSWORD))
        stream = http.client.HTTPConnection("127.0.0.1", house.port, timeout=20)
        stream.request("GET", "/live", headers={"Cookie": cookie})
        answer = stream.getresponse()
        assert answer.readline().startswith(b"retry:")  # from here on it is told
        until(lambda: list((tmp_path / "notices").glob("*.sock")))
        with (
            compose.opened(settings.read(house.environ)) as parts,
            parts.database.begin() as session,
        ):
            notices.tell(session, "log", "from outside")
        assert any(b"from outside" in answer.readline() for _ in range(6))
        stream.close()
    assert not list((tmp_path / "notices").iterdir())


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    """Two gateways on one port: the second says so with the setting's name, and ends with 1."""
    environ = {"HOTLINE_STATE": str(tmp_path)}
    furnish(environ)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environ["HOTLINE_LISTEN"] = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = subprocess.run([HOTLINE, "serve", "--json"], env=os.environ | environ, timeout=60,
                               capture_output=True, text=True, check=False)  # fmt: skip
    assert ended.returncode == 1
    assert "HOTLINE_LISTEN" in ended.stdout
    assert "Traceback" not in ended.stderr


def test_an_old_database_is_not_worked_with(tmp_path: Path) -> None:
    """A process of this version touches no database of another one."""
    environ = {"HOTLINE_STATE": str(tmp_path)}
    furnish(environ)
    with (
        compose.opened(settings.read(environ)) as parts,
        parts.database.engine.begin() as connection,
    ):
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    ended = subprocess.run([HOTLINE, "serve"], env=os.environ | environ, timeout=60,
                           capture_output=True, text=True, check=False)  # fmt: skip
    assert (ended.returncode, "hotline db upgrade" in ended.stderr) == (1, True)


@pytest.fixture
def sealing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A house that another account can work in, its private keys out of reach of that account."""
    state = Path(f"/tmp/hotline-seal-{os.getpid()}-{time.monotonic_ns()}")
    environ = {"HOTLINE_STATE": str(state)}
    try:
        furnish(environ)
        (state / "spool" / "ready").mkdir()
        yield state, environ
    finally:
        shutil.rmtree(state, ignore_errors=True)


@contextmanager
def serving(environ: dict[str, str], only: str, prefix: tuple[str, ...] = ()) -> Iterator[Path]:
    """`hotline serve --only …` for the block, which is given its log; ended by SIGTERM."""
    log = Path(environ["HOTLINE_STATE"]) / "serve.log"
    with log.open("wb") as file:
        process = subprocess.Popen([*prefix, HOTLINE, "serve", "--only", only],
                                   env=os.environ | environ, stdout=file, stderr=file)  # fmt: skip
    try:
        yield log
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
    finally:
        process.terminate()
        assert process.wait(timeout=10) == 0, log.read_text(errors="replace")[-2000:]


def leave_recording(spool: Path, name: str) -> bytes:
    """A WAV as the PBX hands it over; its bytes."""
    sound = voice.speech(1.0, random.Random(1))
    wav = voice.header(len(sound)) + sound
    partial = spool / f"{name}.part"
    partial.write_bytes(wav)
    partial.rename(spool / "ready" / f"{name}.wav")
    return wav


def sealed_row(environ: dict[str, str]) -> RecordingRow | None:
    """The one recording of the house."""
    found: RecordingRow | None = read_one(environ, lambda s: s.scalar(select(RecordingRow)))
    return found


@pytest.mark.parametrize("private", ["unreadable", "absent"])
def test_who_seals_cannot_open(
    sealing: tuple[Path, dict[str, str]], private: str, tmp_path: Path
) -> None:
    """Promise 4: capture seals with the public key alone. The private half is out of its rights, or
    is not on the machine."""
    state, environ = sealing
    month = keys.key_id_at(compose.clock())
    key = state / "keys" / "keyring.age"
    aside = tmp_path / "aside.agekey"
    with compose.opened(settings.read(environ)) as parts:
        assert parts.identities is not None
        aside.write_text(keys.render_identity_file(parts.identities.of(month).secret, 0))
    (state / "keys" / "keyring.passphrase").unlink()
    prefix: tuple[str, ...] = ()
    if private == "absent":
        key.unlink()
    elif os.geteuid() == 0:
        prefix = as_nobody(state)
        denied = subprocess.run([*prefix, "cat", key], capture_output=True, check=False)
        assert denied.returncode != 0, "the private key must be out of reach for this to mean much"
    else:
        key.chmod(0)
    with serving(environ, "capture", prefix):
        wav = leave_recording(state / "spool", "1795400000.1")
        row = until(lambda: sealed_row(environ))
        until(lambda: not list((state / "spool").rglob("*.wav")))
    assert row.key_id == month
    whole = tmp_path / "whole.age"
    place = state / "store" / row.object_key
    whole.write_bytes(Path(f"{place}.header").read_bytes() + Path(f"{place}.payload").read_bytes())
    age = need(Path("/usr/bin/age"), "apt-get install age")
    opened = subprocess.run([age, "-d", "-i", aside, whole], capture_output=True, check=True)
    assert opened.stdout == wav


def as_nobody(state: Path) -> tuple[str, ...]:
    """Hand the house to the unprivileged account, but for the private keys; how to run as it."""
    for path in (state, *state.rglob("*")):
        if not path.name.startswith("keyring."):
            shutil.chown(path, UNPRIVILEGED)
    return ("setpriv", f"--reuid={UNPRIVILEGED}", "--regid=nogroup", "--clear-groups", "--")


def test_what_cannot_be_sealed_is_kept_and_told(sealing: tuple[Path, dict[str, str]]) -> None:
    """No public key of this month: the WAV stays, the trouble stands where the administrator looks,
    and it is sealed as soon as there is one."""
    state, environ = sealing
    public = state / "keys" / "public"
    public.rename(state / "keys" / "elsewhere")
    (state / "keys" / "keyring.age").unlink()
    (state / "keys" / "keyring.passphrase").unlink()
    with serving(environ, "capture"):
        leave_recording(state / "spool", "1795400000.1")
        what = until(lambda: read_one(environ, lambda s: s.scalar(select(CaptureTroubleRow.what))))
        assert what == "no_key"
        assert [path.stem for path in (state / "spool").rglob("*.wav")] == ["1795400000.1"]
        (state / "keys" / "elsewhere").rename(public)
        until(lambda: sealed_row(environ), within_s=60)
        until(lambda: not list((state / "spool").rglob("*.wav")))
    assert read_one(environ, lambda s: s.scalar(select(CaptureTroubleRow.what))) is None


def heard_of(environ: dict[str, str], state: str) -> bool:
    """Whether the one call there is stands so."""
    return bool(read_one(environ, lambda s: s.scalar(select(CallRow.state)) == state))


@pytest.mark.parametrize("back", ["while they talk", "after the end"])
@pytest.mark.timeout(240)
def test_killed_in_the_middle_of_a_call(tmp_path: Path, back: str) -> None:
    """Promises 1 and 2: -9 between the answer and the end of a call. Restarted while they still
    talk or when all is over, there is one call record that has ended, one ticket with its first
    responder, the recording is sealed and linked, the gap is filled, and `reconcile` agrees."""
    spool, cel = tmp_path / "spool", tmp_path / "Master.csv"
    spool.mkdir()
    cel.touch()
    asyncio.run(_killed(tmp_path, spool, cel, back))


async def _killed(root: Path, spool: Path, cel: Path, back: str) -> None:
    """The story of the test above."""
    clock, rng = compose.clock, random.Random(1)
    async with Simulator(spool, cel, secret="s3cret", clock=clock, rng=rng) as pbx:
        state = root / "state"
        state.mkdir()
        environ = {"HOTLINE_STATE": str(state), "HOTLINE_LISTEN": "127.0.0.1:0",
                   "HOTLINE_PBX_URL": f"ami://hotline:s3cret@127.0.0.1:{pbx.port}",
                   "HOTLINE_SPOOL": str(spool), "HOTLINE_CEL": str(cel)}  # fmt: skip
        await asyncio.to_thread(furnish, environ)
        house = Gateway(state, environ)
        try:
            await asyncio.to_thread(house.start)
            await asyncio.to_thread(house.wait_log, "connected")
            calling = pbx.begin_call("13800138013", "王秀英", agent="8002", ring_s=0.5, talk_s=4.0)
            await asyncio.to_thread(until, lambda: heard_of(environ, "talking"))
            await asyncio.to_thread(house.kill)
            if back == "after the end":
                await calling
            await asyncio.to_thread(house.start)
            linkedid = await calling
            await asyncio.to_thread(_all_is_there, house, linkedid)
        finally:
            await asyncio.to_thread(house.stop)


def _all_is_there(house: Gateway, linkedid: str) -> None:
    """Once it has settled: one of everything, and everything belongs together."""

    def settled() -> bool:
        return house.hotline("reconcile", "--since", "2020-01-01T00:00")[0] == 0

    try:
        until(settled, within_s=45)
    except AssertionError:
        raise AssertionError(house.hotline("reconcile", "--since", "2020-01-01T00:00")[1]) from None
    environ = house.environ
    told = select(CallRow.linkedid, CallRow.state, CallRow.outcome, CallRow.last_agent)
    calls = read_one(environ, lambda s: [tuple(row) for row in s.execute(told)])
    assert calls == [(linkedid, "ended", "answered", "PJSIP/8002")]
    tickets = read_one(environ, lambda s: s.scalars(select(TicketRow)).all())
    assert [(ticket.owner, ticket.call_back) for ticket in tickets] == [("8002", "none")]
    link = read_one(environ, lambda s: s.scalars(select(RecordingLinkRow)).one())
    assert link.ticket_id == tickets[0].id
    assert read_one(environ, lambda s: s.scalar(select(RecordingRow.name))) == linkedid
    filled = read_one(environ, lambda s: s.scalars(select(LinkGapRow.backfilled_at)).all())
    assert filled
    assert None not in filled
    assert not re.findall(r"13800138013|王秀英", house.log.read_text(errors="replace"))


def test_a_duty_alone_does_only_its_own(tmp_path: Path) -> None:
    """`--only relay,timers` listens on no port and talks to no PBX."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with socket.create_server(("127.0.0.1", 0)) as pbx:
        pbx.setblocking(False)
        at = pbx.getsockname()[1]
        environ = {"HOTLINE_STATE": str(tmp_path), "HOTLINE_LISTEN": f"127.0.0.1:{port}",
                   "HOTLINE_PBX_URL": f"ami://u:s3cret@127.0.0.1:{at}"}  # fmt: skip
        furnish(environ)
        with serving(environ, "relay,timers") as log:
            until(lambda: b"serving relay, timers" in log.read_bytes())
            time.sleep(1)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), 5)
            with pytest.raises(BlockingIOError):
                pbx.accept()
    assert "s3cret" not in log.read_text()
