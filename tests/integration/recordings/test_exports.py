"""An export: sealed anew to the recipient's key, opened by others' programs to exactly the WAV."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # it ships no types
import pytest

from recordings import exports
from recordings.errors import EvidenceAltered, HeaderInvalid, KeyInvalid, ObjectExists
from recordings.keys import decode_recipient, encode_recipient
from recordings.naming import PAYLOAD
from recordings.playback import Opened
from recordings.store import DirectoryStore
from recordings.tables import GrantRow, RequestRow
from tests.rig.needs import need
from tests.unit.recordings.room import NOW, Room, grant_for, wav

AGE = Path("/usr/bin/age")
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def key(tmp_path: Path) -> tuple[str, Path]:
    """The recipient's own key, as age-keygen makes it."""
    need(AGE, "apt-get install age")
    file = tmp_path / "recipient.txt"
    subprocess.run(["/usr/bin/age-keygen", "-o", file], check=True, capture_output=True)
    return file.read_text().split("\n")[1].removeprefix("# public key: "), file


def opened(room: Room, audio: bytes) -> Opened:
    """A sealed recording, opened as with a grant."""
    room.put("1795400000.1", audio)
    room.capture().once()
    (row,) = room.rows()
    return room.playback().open(row, grant_for(row))


def shelf(room: Room) -> DirectoryStore:
    return DirectoryStore(room.directory / "exports")


@pytest.mark.parametrize("seconds", [0, 0.001, 4.09325, 8.2, 70])
def test_it_opens_to_exactly_the_wav(room: Room, key: tuple[str, Path], seconds: float) -> None:
    """By the age program and by rage, for every shape of the last chunk; the hashes are of what is
    there, and no byte of the audio lies in any file of the house."""
    audio, (recipient, file) = wav(seconds), key
    made = exports.reseal(opened(room, audio), recipient, shelf(room), "1.age", os.urandom)
    path = room.directory / "exports" / "1.age"
    out = subprocess.run([AGE, "-d", "-i", file, path], check=True, capture_output=True).stdout
    assert out == audio
    identity = pyrage.x25519.Identity.from_str(file.read_text().split("\n")[2])
    assert pyrage.decrypt(path.read_bytes(), [identity]) == audio
    said = subprocess.run(["sha256sum", path], check=True, capture_output=True).stdout.split()[0]
    assert made.sealed_sha256.hex() == said.decode()
    assert made.plain_sha256 == hashlib.sha256(audio).digest()
    assert made.size == path.stat().st_size
    assert room.plaintext(audio) == []


def test_our_own_key_does_not_open_it(room: Room, key: tuple[str, Path]) -> None:
    """An export is the recipient's alone, and nothing of the evidence's own file is used again."""
    exports.reseal(opened(room, wav(1)), key[0], shelf(room), "1.age", os.urandom)
    ours = room.keyring / "private" / f"{room.key_id}.agekey"
    whole = (room.directory / "exports" / "1.age").read_bytes()
    tried = subprocess.run([AGE, "-d", "-i", ours], input=whole, capture_output=True, check=False)
    assert tried.returncode != 0
    (row,) = room.rows()
    payload = (room.root / (row.object_key + PAYLOAD)).read_bytes()
    assert payload[:16] not in whole


@pytest.mark.parametrize("at", [30, 65_600, -20])
def test_an_altered_recording_is_not_exported(room: Room, key: tuple[str, Path], at: int) -> None:
    """Wherever it was changed, also in its middle: nothing lies there afterwards."""
    one = opened(room, wav(20))
    (row,) = room.rows()
    path = room.root / (row.object_key + PAYLOAD)
    sealed = bytearray(path.read_bytes())
    sealed[at] ^= 1
    path.chmod(0o600)
    path.write_bytes(sealed)
    with pytest.raises(EvidenceAltered):
        exports.reseal(room.playback().open(row, grant_for(row)), key[0], shelf(room), "1.age",
                       os.urandom)  # fmt: skip
    assert one.size
    assert [path for path in (room.directory / "exports").rglob("*") if path.is_file()] == []


def test_a_key_is_taken_once(room: Room, key: tuple[str, Path]) -> None:
    """Nothing that was given out is ever written over."""
    one = opened(room, wav(1))
    exports.reseal(one, key[0], shelf(room), "1.age", os.urandom)
    with pytest.raises(ObjectExists):
        exports.reseal(one, key[0], shelf(room), "1.age", os.urandom)


def test_what_is_no_key_is_refused(key: tuple[str, Path]) -> None:
    """A mistyped key, a private one, and one of low order to which anybody could open."""
    recipient, file = key
    assert exports.public_of(recipient) == decode_recipient(recipient)
    secret = file.read_text().split("\n")[2]
    low = "age1" + "q" * 52
    for wrong, error in (
        ("", KeyInvalid), ("age1", KeyInvalid), (recipient[:-1] + "q", KeyInvalid),
        (secret, KeyInvalid), (low, KeyInvalid), (_of(bytes(32)), HeaderInvalid),
    ):  # fmt: skip
        with pytest.raises(error):
            exports.public_of(wrong)


def _of(public: bytes) -> str:
    return encode_recipient(public)


def test_the_sheet_says_it_all_and_is_canonical(room: Room, key: tuple[str, Path]) -> None:
    """What, for whom, why, by whose yes, when, and every hash; the same facts, the same text."""
    audio = wav(1)
    made = exports.reseal(opened(room, audio), key[0], shelf(room), "1.age", os.urandom)
    (row,) = room.rows()
    request = RequestRow(id=7, requester="chen", purpose="complaint", ticket_no="#1", reason="移送",
                         asked_at=NOW, kind="export", recipient=key[0])  # fmt: skip
    grant = GrantRow(id=9, request_id=7, person="chen", authoriser="zhou", granted_at=NOW + 1,
                     expires_at=NOW + 9)  # fmt: skip
    text = exports.sheet(row, request, grant, made, NOW + 2)
    assert text == exports.sheet(row, request, grant, made, NOW + 2)
    said = json.loads(text)
    assert said["catalogued"]["plain_sha256"] == hashlib.sha256(audio).hexdigest()
    assert said["export"]["plain_sha256"] == hashlib.sha256(audio).hexdigest()
    assert (said["export"]["recipient"], said["export"]["made_by"]) == (key[0], "chen")
    assert (said["granted"]["authoriser"], said["why"]["reason"]) == ("zhou", "移送")
    assert text == json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def test_killed_in_the_middle_it_leaves_nothing_to_fetch(room: Room, key: tuple[str, Path]) -> None:
    """kill -9 while it is being written: no object, and no plaintext on the disk."""
    audio = wav(60)
    room.put("1795400000.1", audio)
    room.capture().once()
    room.engine.dispose()
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from recordings import exports\n"
        "from tests.unit.recordings.room import Room, grant_for\n"
        "room = Room(Path(sys.argv[1])); (row,) = room.rows(); drawn = 0\n"
        "from recordings.store import DirectoryStore, DirectoryUpload as Upload\n"
        "write = Upload.write\n"
        "def some(self, data):\n"
        "    global drawn; drawn += 1; write(self, data)\n"
        "    if drawn == 5: os.kill(os.getpid(), signal.SIGKILL)\n"
        "Upload.write = some\n"
        "opened = room.playback().open(row, grant_for(row))\n"
        "exports.reseal(opened, sys.argv[2], DirectoryStore(room.directory / 'exports'), '1.age',"
        " os.urandom)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, room.directory, key[0]], cwd=ROOT,
                          capture_output=True, check=False, timeout=60)  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert list(shelf(room).keys("")) == []
    assert room.plaintext(audio) == []
    assert shelf(room).remove_partials(2**62) == 1


def test_randomness_is_new_each_time(room: Room, key: tuple[str, Path]) -> None:
    """File key, nonce and ephemeral key are drawn for each export: no two share a byte of them."""
    drawn: list[bytes] = []

    def entropy(count: int) -> bytes:
        drawn.append(random.Random(len(drawn)).randbytes(count))
        return drawn[-1]

    take: Callable[[int], bytes] = entropy
    one = opened(room, wav(1))
    for name in ("1.age", "2.age"):
        exports.reseal(one, key[0], shelf(room), name, take)
    assert [len(one) for one in drawn] == [16, 16, 32] * 2
    first, second = (
        (room.directory / "exports" / name).read_bytes() for name in ("1.age", "2.age")
    )
    assert first != second
