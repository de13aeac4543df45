"""The keyring file: the contract of every keyring, and what a file alone can get wrong."""

import hashlib
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from recordings.errors import KeyInvalid, PassphraseWrong
from recordings.keyring import FileKeyring
from recordings.keys import Keyring
from tests.unit.recordings.keyring_contract import NOW, KeyringContract, identity

WORDS = "两半 合成 one whole"


class TestFile(KeyringContract):
    """The contract over an age file under a passphrase."""

    @pytest.fixture
    def opened(self, tmp_path: Path) -> Callable[[], Keyring]:
        return lambda: FileKeyring(tmp_path / "keys" / "keyring.age", lambda: WORDS, log_n=2)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A keyring with one key in it."""
    path = tmp_path / "keyring.age"
    FileKeyring(path, lambda: WORDS, log_n=2).add([identity("2026-11")], NOW)
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_wrong_passphrase_changes_nothing(file: Path) -> None:
    """Said for what it is, whatever was to be done, and the file is the same byte for byte."""
    before = digest(file)
    for words in ("", "两半", WORDS + " ", WORDS.upper()):
        ring = FileKeyring(file, partial(str, words), log_n=2)
        for act in (
            partial(ring.of, "2026-11"),
            partial(ring.add, [identity("2026-12")], NOW),
            partial(ring.destroy, "2026-11"),
            partial(ring.change_passphrase, "other"),
        ):
            with pytest.raises(PassphraseWrong, match=r"口令不对.*nothing was changed"):
                act()
    assert digest(file) == before
    assert sorted(path.name for path in file.parent.iterdir()) == [
        "keyring.age",
        "keyring.age.lock",
    ]


def test_a_new_keyring_wants_words_worth_having(tmp_path: Path) -> None:
    """Who has the file may guess as fast as his machines: a short passphrase is none."""
    ring = FileKeyring(tmp_path / "keyring.age", lambda: "hotline1233")
    with pytest.raises(KeyInvalid, match="12"):
        ring.add([identity("2026-11")], NOW)
    assert not (tmp_path / "keyring.age").exists()


def test_the_file_is_its_owners_alone(file: Path) -> None:
    """It is written 0600, and refused once others may read it."""
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    with pytest.raises(KeyInvalid, match="0600"):
        FileKeyring(file, lambda: WORDS).key_ids()


@pytest.mark.parametrize("at", [0, 120, -1])
def test_a_damaged_file_is_no_wrong_passphrase(file: Path, at: int) -> None:
    """Whoever is told the right thing looks for the backup and not for another passphrase."""
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)
    with pytest.raises(KeyInvalid, match="backup"):
        FileKeyring(file, lambda: WORDS).of("2026-11")


def test_the_passphrase_is_changed(file: Path) -> None:
    """The same keys under the new one, nothing under the old, no older copy beside it."""
    FileKeyring(file, lambda: WORDS, log_n=2).change_passphrase("new words")
    assert FileKeyring(file, lambda: "new words").of("2026-11") == identity("2026-11")
    with pytest.raises(PassphraseWrong):
        FileKeyring(file, lambda: WORDS).of("2026-11")
    assert sorted(path.name for path in file.parent.iterdir()) == [
        "keyring.age",
        "keyring.age.lock",
    ]


def test_the_passphrase_is_asked_for_once(file: Path) -> None:
    """Opened, the ring is in memory: 256 MiB of scrypt do not stand before every play."""
    asked: list[int] = []

    def passphrase() -> str:
        asked.append(1)
        return WORDS

    ring = FileKeyring(file, passphrase)
    for _ in range(5):
        ring.of("2026-11")
    assert len(asked) == 1


def test_threads_that_add_at_once_lose_nothing(file: Path) -> None:
    """Web and timers may both make keys; each finds what the other wrote."""
    made = [f"2027-{month:02d}" for month in range(1, 9)]

    def add(key_id: str) -> None:
        FileKeyring(file, lambda: WORDS, log_n=2).add([identity(key_id)], NOW)

    threads = [threading.Thread(target=add, args=[key_id]) for key_id in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert FileKeyring(file, lambda: WORDS).key_ids() == ["2026-11", *made]
