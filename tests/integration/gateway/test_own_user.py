"""Who seals cannot open: capture as an OS user of its own, and everything that user may read.

Needs root, to become two others: `daemon` serves, `nobody` captures, and both are of `users`.
"""

import base64
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from gateway import compose, settings
from recordings import keys
from recordings.tables import RecordingRow
from telephony import voice
from tests.rig.needs import missing, need

HOTLINE = Path(sys.executable).with_name("hotline")
AGE = Path("/usr/bin/age")
GROUP = "users"
NAME = "1795400000.1"
WORDS = "two halves, never on this disk"
UNITS = Path(__file__).parents[3] / "deploy" / "systemd"
T = TypeVar("T")


def until(look: Callable[[], T | None], within_s: float = 30.0) -> T:
    """What `look` finds as soon as it is true."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.05)
    return found


def user(name: str) -> list[str]:
    """How to run a command as that user, of the house's group and no other."""
    return ["setpriv", f"--reuid={name}", f"--regid={GROUP}", "--clear-groups", "--"]


@pytest.fixture
def house() -> Iterator[tuple[Path, dict[str, str]]]:
    """A house made by the user who serves, its passphrase in a credential of that user alone."""
    if os.geteuid() != 0:
        missing("root", "run the tests as root: they become two other users")
    root = Path(f"/tmp/hotline-two-{os.getpid()}-{time.monotonic_ns()}")
    credentials, state, second = root / "credentials", root / "state", root / "second"
    environ = {"PATH": os.environ["PATH"], "HOTLINE_STATE": str(state), "HOTLINE_GROUP": GROUP,
               "HOTLINE_LISTEN": "127.0.0.1:0", "PYTHONDONTWRITEBYTECODE": "1",
               # What capture is given for a bucket and a second copy opens nothing either.
               "HOTLINE_STORE_COPY_URL": str(second), "HOTLINE_S3_ENDPOINT": "http://127.0.0.1:1",
               "HOTLINE_S3_ACCESS_KEY": "AKIATEST", "HOTLINE_S3_SECRET_KEY": "s3cret-key",
               }  # fmt: skip
    if "PYTHONPATH" in os.environ:
        environ["PYTHONPATH"] = os.environ["PYTHONPATH"]
    try:
        credentials.mkdir(mode=0o711, parents=True)
        root.chmod(0o711)
        (credentials / "hotline-keyring").write_text(WORDS + "\n")
        (credentials / "hotline-keyring").chmod(0o400)
        state.mkdir(mode=0o2770)
        second.mkdir()
        for path in (credentials / "hotline-keyring", credentials, state, second):
            shutil.chown(path, "daemon", GROUP)
        for path in (state, second):
            path.chmod(0o2770)
        serve = environ | {"CREDENTIALS_DIRECTORY": str(credentials)}
        subprocess.run([*user("daemon"), HOTLINE, "init", state], env=serve, check=True,
                       capture_output=True)  # fmt: skip
        yield state, serve
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def serving(name: str, environ: dict[str, str], only: str) -> Iterator[int]:
    """`hotline serve --only …` as that user; its process id."""
    log = Path(environ["HOTLINE_STATE"]).parent / f"{name}.log"
    with log.open("wb") as file:
        process = subprocess.Popen([*user(name), HOTLINE, "serve", "--only", only], env=environ,
                                   stdout=file, stderr=file)  # fmt: skip
    try:
        until(lambda: process.poll() is not None or b"serving" in log.read_bytes())
        yield process.pid
        assert process.poll() is None, log.read_text()[-2000:]
    finally:
        process.terminate()
        process.wait(timeout=30)


def spellings(secret: bytes) -> list[str]:
    """A private key in every way it is likely to be written, in hex for the searcher."""
    text = keys.encode_identity(secret)
    ways = [secret, secret.hex().encode(), secret.hex().upper().encode(), text.encode(),
            text.lower().encode(), base64.b64encode(secret)[:40],
            base64.urlsafe_b64encode(secret)[:40]]  # fmt: skip
    return [way.hex() for way in ways]


SEARCH = r"""
import json, os, re, stat, sys
wanted, places = json.load(sys.stdin)
wanted = [bytes.fromhex(one) for one in wanted]
read, found, keys = 0, [], set()
for place in places:
    for folder, inside, names in os.walk(place):
        inside[:] = [d for d in inside if not os.path.islink(os.path.join(folder, d))]
        for name in names:
            path = os.path.join(folder, name)
            try:
                if not stat.S_ISREG(os.lstat(path).st_mode):
                    continue
                with open(path, "rb") as file:
                    data = file.read(64 << 20)
            except OSError:
                continue
            read += 1
            found += [path for one in wanted if one in data]
            keys |= set(re.findall(rb"(?i)AGE-SECRET-KEY-1[0-9a-z]{50,70}", data))
keys = [one.decode() for one in keys]
json.dump({"read": read, "found": sorted(set(found)), "keys": keys}, sys.stdout)
"""


def search(name: str, wanted: list[str], places: Sequence[str | Path]) -> dict[str, list[str]]:
    """Everything in `places` that this user may read: how much, and what of `wanted` is in it."""
    said = subprocess.run([*user(name), sys.executable, "-c", SEARCH], check=True, timeout=100,
                          input=json.dumps([wanted, [str(place) for place in places]]),
                          capture_output=True, text=True)  # fmt: skip
    found: dict[str, list[str]] = json.loads(said.stdout)
    return found


def in_memory(pid: int, wanted: list[str]) -> bool:
    """Whether a process has any of it in its memory; read as root, whom nothing is hidden from."""
    patterns = [bytes.fromhex(one) for one in wanted]
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            start, end = (int(one, 16) for one in line.split()[0].split("-"))
            if "r" not in line.split()[1] or "[v" in line:
                continue
            memory.seek(start)
            try:
                data = memory.read(end - start)
            except OSError:
                continue
            if any(one in data for one in patterns):
                return True
    return False


def leave_recording(state: Path) -> bytes:
    """A WAV as the PBX hands it over."""
    sound = voice.speech(1.0, random.Random(1))
    wav = voice.header(len(sound)) + sound
    ready = state / "spool" / "ready"
    ready.mkdir(exist_ok=True)
    shutil.chown(ready, "nobody", GROUP)
    path = ready / f"{NAME}.wav"
    path.with_suffix(".part").write_bytes(wav)
    shutil.chown(path.with_suffix(".part"), "nobody", GROUP)
    path.with_suffix(".part").rename(path)
    return wav


def the_row(environ: dict[str, str]) -> RecordingRow | None:
    """The one recording of the house."""
    with compose.opened(settings.read(environ)) as parts, parts.database.reading() as session:
        return session.query(RecordingRow).one_or_none()


OPEN = """
import sys
from functools import partial
from gateway import compose, settings
from gateway.flow.linking import sealed_as
from recordings.grants import Grant
from recordings.playback import Playback
from recordings.tables import RecordingRow
with compose.opened(settings.read()) as parts, parts.database.reading() as session:
    row = session.query(RecordingRow).one()
    opened = Playback(parts.store, parts.identities, partial(sealed_as, session)).open(
        row, Grant(1, 1, "x", row.id, "verify", row.sealed_at + 10**9))
    for piece in opened.read(0, opened.size):
        sys.stdout.buffer.write(piece)
"""


def test_who_seals_cannot_open_whatever_it_reads(
    house: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    """Promise 4, tried: with both running, every file that the capturing user may read, its
    environment and the memory of its process hold no private key and no passphrase, and no key
    found anywhere opens the recording, which the serving user's process opens."""
    need(AGE, "apt-get install age")
    state, serve = house
    capture = {name: value for name, value in serve.items() if name != "CREDENTIALS_DIRECTORY"}
    month = keys.key_id_at(compose.clock())
    os.environ["CREDENTIALS_DIRECTORY"] = serve["CREDENTIALS_DIRECTORY"]
    try:
        with compose.opened(settings.read({"HOTLINE_STATE": str(state)})) as parts:
            assert parts.identities is not None
            secret = parts.identities.of(month).secret
    finally:
        del os.environ["CREDENTIALS_DIRECTORY"]
    wanted = [*spellings(secret), WORDS.encode().hex()]
    with (
        serving("daemon", serve, "web,timers") as web,
        serving("nobody", capture, "capture") as sealing,
    ):
        wav = leave_recording(state)
        row = until(lambda: the_row({"HOTLINE_STATE": str(state)}))
        until(lambda: not list((state / "spool").rglob("*.wav")))
        second = serve["HOTLINE_STORE_COPY_URL"]
        shutil.copytree(state / "store", second, dirs_exist_ok=True)  # the timers' turn may be off
        ours: list[str | Path] = [state, second, serve["CREDENTIALS_DIRECTORY"]]
        places = [*ours, "/etc", "/run", f"/proc/{sealing}", f"/proc/{web}"]
        seen = search("nobody", wanted, places)
        assert seen["found"] == []
        assert not in_memory(sealing, wanted)
        # The search does find what is there: the serving user may read it and has it in memory.
        assert search("daemon", wanted, ours)["found"]
        assert in_memory(web, wanted)
        opened = subprocess.run([*user("daemon"), sys.executable, "-c", OPEN], env=serve,
                                check=True, capture_output=True)  # fmt: skip
    assert opened.stdout == wav
    whole, identities = tmp_path / "whole.age", tmp_path / "found.txt"
    place = state / "store" / row.object_key
    whole.write_bytes(Path(f"{place}.header").read_bytes() + Path(f"{place}.payload").read_bytes())
    identities.write_text("\n".join(seen["keys"]) + "\n")
    tried = subprocess.run([AGE, "-d", "-i", identities, whole], capture_output=True, check=False)
    assert tried.returncode != 0


@pytest.mark.parametrize("harm", ["readable", "handed over"])
def test_capture_that_could_open_does_not_start(
    house: tuple[Path, dict[str, str]], harm: str
) -> None:
    """A slip in the rights or the environment ends the promise unseen: it is refused, with what
    to do."""
    state, serve = house
    environ = {name: value for name, value in serve.items() if name != "CREDENTIALS_DIRECTORY"}
    if harm == "readable":
        shutil.chown(state / "keys" / "keyring.age", "nobody")
    else:
        environ["HOTLINE_KEYRING_PASSPHRASE"] = WORDS
    ended = subprocess.run([*user("nobody"), HOTLINE, "serve", "--only", "capture"], env=environ,
                           capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    assert ended.returncode == 1
    assert ("deploy/systemd" if harm == "readable" else "KEYRING_PASSPHRASE") in ended.stderr


def test_the_group_shares_what_it_must_and_no_key(house: tuple[Path, dict[str, str]]) -> None:
    """Rights as they are on the disk: database, store, spool and notices for the group, public
    halves to read, keys and passwords for their owner; nothing for anybody else."""
    state, _ = house
    rights = {
        str(path.relative_to(state)): path.stat().st_mode & 0o7777
        for path in (state, *state.rglob("*"))
        if "keys/public/" not in str(path)
    }
    rights.pop("hotline.db-wal", None)
    rights.pop("hotline.db-shm", None)
    assert rights == {
        ".": 0o2770,
        "hotline.db": 0o660,
        "keys": 0o710,
        "keys/keyring.age": 0o600,
        "keys/keyring.age.lock": 0o600,
        "keys/log.key": 0o600,
        "keys/log.pubs": 0o644,
        "keys/public": 0o2750,
        "notices": 0o2770,
        "rabbitmq": 0o2700,
        "rabbitmq/definitions.json": 0o600,
        "rabbitmq/hotline.url": 0o600,
        "rabbitmq/policies-4.3.json": 0o600,
        "spool": 0o2770,
        "store": 0o2770,
    }
    assert {path.stat().st_mode & 0o7777 for path in (state / "keys" / "public").iterdir()} == {
        0o640
    }


@pytest.mark.parametrize("unit", ["hotline.service", "hotline-capture.service"])
def test_systemd_takes_the_units(unit: str, tmp_path: Path) -> None:
    """A mistyped directive would be ignored in silence, and with it a protection."""
    analyze = need(Path("/usr/bin/systemd-analyze"), "apt-get install systemd")
    text = (UNITS / unit).read_text().replace("/opt/hotline/bin/hotline", "/bin/true")
    lines = [line for line in text.splitlines() if not line.startswith("Documentation=")]
    (tmp_path / unit).write_text("\n".join(lines) + "\n")
    said = subprocess.run([analyze, "verify", "--man=no", tmp_path / unit], capture_output=True,
                          text=True, check=False)  # fmt: skip
    ours = [line for line in said.stderr.splitlines() if str(tmp_path) in line or "Unknown" in line]
    assert ours == []
