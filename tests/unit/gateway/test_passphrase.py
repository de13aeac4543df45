"""Where the keyring's passphrase comes from, and what is said where it does not."""

import getpass
import io
import os
import pty
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import passphrase, settings
from gateway.archive import Archive
from recordings.errors import KeyringLocked, PassphraseWrong
from recordings.keyring import FileKeyring
from recordings.keys import Identity

WORDS = "correct horse battery"


def archive(tmp_path: Path, **given: str) -> Archive:
    """The settings of a house in `tmp_path`, read as `hotline` reads them."""
    return settings.read({"HOTLINE_STATE": str(tmp_path), **given}).archive


@pytest.fixture
def keyring(tmp_path: Path) -> Path:
    """A keyring that opens with WORDS."""
    file = archive(tmp_path).keyring_file
    ring = FileKeyring(file, lambda: WORDS, log_n=2)
    ring.add([Identity("2026-11", b"\x07" * 32)], 0)
    return file


def opens(given: Archive) -> bool:
    """Whether the keyring opens with what these settings give."""
    return FileKeyring(given.keyring_file, passphrase.source(given)).key_ids() == ["2026-11"]


def test_a_secret_file_opens(keyring: Path, tmp_path: Path) -> None:
    """A mounted secret, with the newline that an editor leaves."""
    secret = tmp_path / "secret"
    secret.write_text(WORDS + "\n")
    given = archive(tmp_path, HOTLINE_KEYRING_PASSPHRASE_FILE=str(secret))
    assert opens(given)
    assert WORDS not in repr(given)
    assert not passphrase.lies_beside(given)


def test_a_credential_opens(keyring: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LoadCredentialEncrypted= puts the file there; it counts before one beside the keyring."""
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "hotline-keyring").write_text(WORDS)
    archive(tmp_path).passphrase_file.write_text("another one, an old one")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    assert opens(archive(tmp_path))


def test_a_missing_credential_is_told(
    keyring: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory without it, and no terminal: both settings are named, and nothing is asked."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(KeyringLocked, match=r"HOTLINE_KEYRING_PASSPHRASE_FILE.*hotline-keyring"):
        opens(archive(tmp_path))


def test_an_empty_secret_is_told(
    keyring: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty credential is a slip of who made it, not a passphrase."""
    (tmp_path / "hotline-keyring").write_text("\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(KeyringLocked, match="is empty"):
        opens(archive(tmp_path))


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A terminal for standard input; what is to be typed, line by line."""
    typed: list[str] = []
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        monkeypatch.setattr(getpass, "getpass", lambda _prompt: typed.pop(0))
        yield typed
    os.close(ours)


def test_two_halves_open(keyring: Path, tmp_path: Path, terminal: list[str]) -> None:
    """Each custodian types a half; asked once, and not again when the file has changed."""
    terminal += ["correct horse", " battery"]
    source = passphrase.source(archive(tmp_path))
    assert source() == source() == WORDS


@pytest.mark.parametrize("halves", [["correct horse", ""], [" battery", "correct horse"]])
def test_half_a_passphrase_opens_nothing(
    keyring: Path, tmp_path: Path, terminal: list[str], halves: list[str]
) -> None:
    """One half, or both in the wrong order: wrong, and the order is spoken of."""
    before = keyring.read_bytes()
    terminal += halves
    with pytest.raises(PassphraseWrong, match="order"):
        opens(archive(tmp_path))
    assert keyring.read_bytes() == before


def test_a_new_passphrase_is_typed_twice(tmp_path: Path, terminal: list[str]) -> None:
    """A slip in either half would lock everything that is sealed from then on."""
    terminal += ["correct horse", "correct horse", " battery", " batery"]
    with pytest.raises(KeyringLocked, match="Not the same twice"):
        passphrase.source(archive(tmp_path))()
    terminal[:] = ["correct horse", "correct horse", " battery", " battery"]
    assert passphrase.source(archive(tmp_path))() == WORDS


def test_a_first_try_needs_nothing(tmp_path: Path) -> None:
    """`hotline init` makes a passphrase where none was given, its owner's alone; never a second
    one, and none where somebody gave one."""
    given = archive(tmp_path)
    given.keyring.mkdir()
    made = passphrase.provide(given)
    assert made is not None
    assert made.stat().st_mode & 0o777 == 0o600
    assert len(passphrase.source(given)()) > 40
    assert passphrase.lies_beside(given)
    assert passphrase.provide(given) is None
    made.unlink()
    assert passphrase.provide(archive(tmp_path, HOTLINE_KEYRING_PASSPHRASE=WORDS)) is None
