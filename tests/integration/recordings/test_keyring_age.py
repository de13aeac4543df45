"""The keyring both ways with the age program and with rage: in an emergency they are enough."""

import os
import pty
import subprocess
from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # it ships no types
import pytest

from recordings import keys
from recordings.keyring import FileKeyring
from recordings.keys import Identity
from tests.rig.needs import need

AGE = Path("/usr/bin/age")
NOW = 1_795_400_000_000_000
WORDS = "correct horse 电池"
SECRET = bytes(range(32))


def with_terminal(command: list[str | Path], *typed: str) -> int:
    """Run a program that asks its terminal, and answer; its exit status."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(command[0], [str(word) for word in command])
    for words in typed:
        while b": " not in os.read(terminal, 1024):
            pass
        os.write(terminal, f"{words}\n".encode())
    try:
        while os.read(terminal, 1024):
            pass
    except OSError:  # the program has closed its side
        pass
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keyring.age"
    FileKeyring(path, lambda: WORDS, log_n=10).add([Identity("2026-11", SECRET)], NOW)
    return path


def test_age_opens_the_keyring(file: Path, tmp_path: Path) -> None:
    """`age -d keyring.age` asks for the passphrase and gives a file that opens a recording."""
    need(AGE, "apt-get install age")
    out = tmp_path / "keys.txt"
    assert with_terminal([AGE, "-d", "-o", out, file], WORDS) == 0
    assert keys.parse_identity_file(out.read_text()) == [SECRET]
    public = subprocess.run(
        ["/usr/bin/age-keygen", "-y", out], check=True, capture_output=True, text=True
    ).stdout
    sealed = subprocess.run(
        [AGE, "-r", public.strip()], input=b"call", check=True, capture_output=True
    ).stdout
    opened = subprocess.run([AGE, "-d", "-i", out], input=sealed, check=True, capture_output=True)
    assert opened.stdout == b"call"


def test_age_refuses_another_passphrase(file: Path, tmp_path: Path) -> None:
    """The file is really under the passphrase, not merely beside it."""
    need(AGE, "apt-get install age")
    assert with_terminal([AGE, "-d", "-o", tmp_path / "out", file], WORDS + "x") != 0
    assert not (tmp_path / "out").exists()


def test_rage_opens_the_keyring(file: Path) -> None:
    """A second implementation reads the same text."""
    text = pyrage.passphrase.decrypt(file.read_bytes(), WORDS).decode()
    assert keys.parse_identity_file(text) == [SECRET]


def test_we_open_what_age_and_rage_closed(file: Path, tmp_path: Path) -> None:
    """A keyring mended by hand and closed again by their programs is a keyring again."""
    need(AGE, "apt-get install age")
    text = pyrage.passphrase.decrypt(file.read_bytes(), WORDS)
    plain, theirs = tmp_path / "plain", tmp_path / "theirs.age"
    plain.write_bytes(text)
    assert with_terminal([AGE, "-p", "-o", theirs, plain], WORDS, WORDS) == 0
    theirs.chmod(0o600)
    assert FileKeyring(theirs, lambda: WORDS).of("2026-11").secret == SECRET
    theirs.write_bytes(pyrage.passphrase.encrypt(text, WORDS))
    assert FileKeyring(theirs, lambda: WORDS).of("2026-11").secret == SECRET
