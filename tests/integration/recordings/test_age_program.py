"""Both ways with the `age` program and with rage (pyrage): in an emergency they are enough."""

import random
import subprocess
from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # it ships no types
import pytest

from recordings import keys, sealed
from recordings.errors import (
    HeaderInvalid,
    KeyInvalid,
    NoMatch,
    PayloadInvalid,
    RecordingsError,
    StoreError,
)
from recordings.files import open_file, seal_file
from recordings.naming import HEADER, PAYLOAD
from tests.rig.needs import need
from tests.unit.recordings.room import Room, wav

AGE = Path("/usr/bin/age")
SOXI = Path("/usr/bin/soxi")
CALL = wav(9, seed=5)
SIZES = [0, 1, 65_535, 65_536, 65_537, 1_048_576, 1_200_000]


@pytest.fixture(autouse=True)
def programs() -> None:
    need(AGE, "apt-get install age")


@pytest.fixture
def key(tmp_path: Path) -> tuple[str, Path]:
    """A key as age-keygen makes it: recipient and file."""
    file = tmp_path / "key.txt"
    subprocess.run(["/usr/bin/age-keygen", "-o", file], check=True, capture_output=True)
    line = file.read_text().split("\n")[1]
    return line.removeprefix("# public key: "), file


def run(*command: str | Path, stdin: bytes = b"") -> bytes:
    return subprocess.run(command, check=True, capture_output=True, input=stdin).stdout


def test_a_stored_recording_opens_with_age_alone(room: Room, tmp_path: Path) -> None:
    """`cat header payload | age -d -i KEY` gives the WAV, and soxi reads the same duration."""
    need(SOXI, "apt-get install sox")
    room.put("1795400000.1", CALL)
    room.capture().once()
    (row,) = room.rows()
    parts = [(room.root / (row.object_key + suffix)).read_bytes() for suffix in (HEADER, PAYLOAD)]
    key_file = room.key_file(row.key_id)
    opened = run(AGE, "-d", "-i", key_file, stdin=b"".join(parts))
    assert opened == CALL
    out = tmp_path / "out.wav"
    out.write_bytes(opened)
    assert round(float(run(SOXI, "-D", out)) * 1000) == row.duration_ms


def test_age_keygen_and_we_agree_on_keys(room: Room, key: tuple[str, Path]) -> None:
    """Each reads the other's key files, and both see the same public key."""
    public, file = key
    (secret,) = keys.parse_identity_file(file.read_text())
    assert keys.encode_recipient(sealed.public_of(secret)) == public
    made, ours = room.new_pair("2026-12"), room.key_file("2026-12")
    assert run("/usr/bin/age-keygen", "-y", ours).decode().strip() == made.text


@pytest.mark.parametrize("size", SIZES)
def test_ours_opens_with_theirs(tmp_path: Path, key: tuple[str, Path], size: int) -> None:
    """What seal_file writes, age and rage open, at every edge of a chunk."""
    data = random.Random(size).randbytes(size)
    (tmp_path / "in.wav").write_bytes(data)
    out = tmp_path / "out.age"
    seal_file(tmp_path / "in.wav", key[0], out)
    assert run(AGE, "-d", "-i", key[1], out) == data
    secret = key[1].read_text().strip().split("\n")[-1]
    identity = pyrage.x25519.Identity.from_str(secret)
    assert pyrage.decrypt(out.read_bytes(), [identity]) == data


@pytest.mark.parametrize("size", SIZES)
def test_theirs_opens_with_ours(tmp_path: Path, key: tuple[str, Path], size: int) -> None:
    """What age and rage seal, open_file opens, also among several recipients."""
    data = random.Random(size).randbytes(size)
    other = pyrage.x25519.Identity.generate().to_public()
    mine = pyrage.x25519.Recipient.from_str(key[0])
    made = {
        "age": run(AGE, "-r", str(other), "-r", key[0], stdin=data),
        "rage": pyrage.encrypt(data, [other, mine]),
    }
    for name, file in made.items():
        (tmp_path / name).write_bytes(file)
        out = tmp_path / f"{name}.wav"
        open_file(tmp_path / name, key[1], out)
        assert out.read_bytes() == data
        assert out.stat().st_mode & 0o777 == 0o600


def test_what_fails_leaves_nothing(tmp_path: Path, key: tuple[str, Path]) -> None:
    """Altered, cut off, armoured, somebody else's: refused for its reason, no file left."""
    plain = tmp_path / "in.wav"
    plain.write_bytes(CALL)
    seal_file(plain, key[0], tmp_path / "good")
    good = (tmp_path / "good").read_bytes()
    stranger = str(pyrage.x25519.Identity.generate().to_public())
    bad: dict[type[RecordingsError], bytes] = {
        PayloadInvalid: good[:-1] + bytes([good[-1] ^ 1]),
        HeaderInvalid: run(AGE, "-a", "-r", key[0], stdin=CALL),
        NoMatch: run(AGE, "-r", stranger, stdin=CALL),
    }
    before = sorted(tmp_path.iterdir())
    for error, file in bad.items():
        (tmp_path / "bad").write_bytes(file)
        with pytest.raises(error):
            open_file(tmp_path / "bad", key[1], tmp_path / "out.wav")
        (tmp_path / "bad").unlink()
    (tmp_path / "bad").write_bytes(good[: len(good) // 2])
    with pytest.raises(PayloadInvalid):
        open_file(tmp_path / "bad", key[1], tmp_path / "out.wav")
    (tmp_path / "bad").unlink()
    with pytest.raises(KeyInvalid):
        seal_file(plain, "age1nonsense", tmp_path / "out")
    with pytest.raises(KeyInvalid):
        open_file(tmp_path / "good", plain, tmp_path / "out.wav")
    assert sorted(tmp_path.iterdir()) == before


def test_nothing_is_overwritten(tmp_path: Path, key: tuple[str, Path]) -> None:
    """An output that exists is kept, for sealing and for opening."""
    plain, out = tmp_path / "in.wav", tmp_path / "out"
    plain.write_bytes(CALL)
    out.write_bytes(b"precious")
    with pytest.raises(StoreError):
        seal_file(plain, key[0], out)
    seal_file(plain, key[0], tmp_path / "good")
    with pytest.raises(StoreError):
        open_file(tmp_path / "good", key[1], out)
    assert out.read_bytes() == b"precious"
    assert not list(tmp_path.glob(".*"))
