"""`hotline recording seal|open`: with a key and the `age` program one is never locked out."""

import os
import subprocess
import wave
from pathlib import Path

import pytest

from tests.rig.needs import need
from tests.unit.cli.conftest import Hotline

REMEDY = "apt-get install age"


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    """A recording of more than one 64 KiB chunk."""
    path = tmp_path / "call.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(os.urandom(200_000))
    return path


@pytest.fixture
def key(tmp_path: Path) -> tuple[Path, str]:
    """A key as age-keygen writes it: the file, and its public half."""
    path = tmp_path / "key.txt"
    made = subprocess.run([need(Path("/usr/bin/age-keygen"), REMEDY), "-o", path], check=True,
                          capture_output=True, text=True)  # fmt: skip
    return path, made.stderr.rpartition(" ")[2].strip()


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """An emergency: a machine with no HOTLINE_ setting and no database, even with broken ones."""
    monkeypatch.setenv("HOTLINE_DATABASE_URL", "nonsense")


def test_what_we_seal_age_opens(
    hotline: Hotline, wav: Path, key: tuple[Path, str], tmp_path: Path
) -> None:
    """A sealed recording needs nothing of ours to be opened: the key and the `age` program."""
    sealed, opened = tmp_path / "call.age", tmp_path / "opened.wav"
    said = hotline("recording", "seal", str(wav), "--recipient", key[1], "--out", str(sealed),
                   "--json")  # fmt: skip
    assert (said.status, said.data["sealed_size"]) == (0, sealed.stat().st_size)
    age = need(Path("/usr/bin/age"), REMEDY)
    subprocess.run([age, "-d", "-i", key[0], "-o", opened, sealed], check=True)
    assert opened.read_bytes() == wav.read_bytes()
    assert wav.exists()


def test_what_age_seals_we_open(
    hotline: Hotline, wav: Path, key: tuple[Path, str], tmp_path: Path
) -> None:
    """And the other way round, with the key file as age-keygen writes it; nobody else may read
    what was opened."""
    sealed, opened = tmp_path / "call.age", tmp_path / "opened.wav"
    age = need(Path("/usr/bin/age"), REMEDY)
    subprocess.run([age, "-r", key[1], "-o", sealed, wav], check=True)
    said = hotline("recording", "open", str(sealed), "--identity", str(key[0]),
                   "--out", str(opened))  # fmt: skip
    assert said.status == 0
    assert opened.read_bytes() == wav.read_bytes()
    assert opened.stat().st_mode & 0o077 == 0


def test_nothing_is_overwritten(
    hotline: Hotline, wav: Path, key: tuple[Path, str], tmp_path: Path
) -> None:
    """A mistyped --out does not cost a recording."""
    there = tmp_path / "there"
    there.write_text("mine")
    sealed = tmp_path / "call.age"
    assert hotline("recording", "seal", str(wav), "--recipient", key[1], "--out", str(there),
                   "--json").status == 1  # fmt: skip
    assert hotline("recording", "seal", str(wav), "--recipient", key[1],
                   "--out", str(sealed)).status == 0  # fmt: skip
    assert hotline("recording", "open", str(sealed), "--identity", str(key[0]),
                   "--out", str(there)).status == 1  # fmt: skip
    assert there.read_text() == "mine"


def spoilt(whole: bytes, how: str) -> bytes:
    """A sealed file with one fault."""
    match how:
        case "header":
            return whole.replace(b"X25519", b"X25518", 1)
        case "payload":
            return whole[:-20_000] + bytes([whole[-20_000] ^ 1]) + whole[-19_999:]
        case "cut":
            return whole[:-16]
        case "a chunk missing":
            return whole[: -(len(whole) % 65_552)]
        case "longer":
            return whole + b"\0"
    return b"RIFF" + whole


@pytest.mark.parametrize("how", ["header", "payload", "cut", "a chunk missing", "longer", "other"])
def test_a_changed_file_leaves_no_plaintext(
    hotline: Hotline, wav: Path, key: tuple[Path, str], tmp_path: Path, how: str
) -> None:
    """What does not authenticate to its last byte is refused, and not a byte of it is left."""
    sealed, into = tmp_path / "call.age", tmp_path / "into"
    into.mkdir()
    hotline("recording", "seal", str(wav), "--recipient", key[1], "--out", str(sealed))
    sealed.write_bytes(spoilt(sealed.read_bytes(), how))
    said = hotline("recording", "open", str(sealed), "--identity", str(key[0]),
                   "--out", str(into / "out.wav"), "--json")  # fmt: skip
    assert said.status == 1
    assert "。 " in said.data["error"]
    assert list(into.iterdir()) == []


@pytest.mark.parametrize("what", ["missing", "another", "none", "binary"])
def test_a_wrong_key_is_told(
    hotline: Hotline, wav: Path, key: tuple[Path, str], tmp_path: Path, what: str
) -> None:
    """Whoever has the wrong key file learns that, and no key is printed."""
    sealed, file = tmp_path / "call.age", tmp_path / "wrong.txt"
    hotline("recording", "seal", str(wav), "--recipient", key[1], "--out", str(sealed))
    if what == "another":
        keygen = need(Path("/usr/bin/age-keygen"), REMEDY)
        subprocess.run([keygen, "-o", file], check=True, capture_output=True)
    elif what != "missing":
        file.write_bytes(b"\xff\xfe\x00" if what == "binary" else b"# a comment alone\n")
    said = hotline("recording", "open", str(sealed), "--identity", str(file),
                   "--out", str(tmp_path / "out.wav"), "--json")  # fmt: skip
    assert said.status == 1
    assert "AGE-SECRET-KEY-1" not in said.out.replace("AGE-SECRET-KEY-1…", "")
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.parametrize("recipient", ["", "age1", "age1" + "q" * 58, "ssh-ed25519 AAAA", "1"])
def test_a_wrong_recipient_is_told(
    hotline: Hotline, wav: Path, tmp_path: Path, recipient: str
) -> None:
    """A mistyped public key must not seal to nobody."""
    said = hotline("recording", "seal", str(wav), f"--recipient={recipient}",
                   "--out", str(tmp_path / "out"), "--json")  # fmt: skip
    assert said.status == 1
    assert "。 " in said.data["error"]
    assert not (tmp_path / "out").exists()
