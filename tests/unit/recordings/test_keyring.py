"""The keyring file: the contract of every keyring, and what a file alone can get wrong."""

import hashlib
import resource
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from recordings import pairs, sealed
from recordings.errors import KeyInvalid, PassphraseWrong
from recordings.keyring import FileKeyring
from recordings.keys import Keyring, Recipients
from tests.unit.recordings.keyring_contract import NOW, KeyringContract, identity

WORDS = "两半 合成 one whole"
ROOT = Path(__file__).resolve().parents[3]


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


@pytest.mark.parametrize("room_for", [0, 40, 300])
def test_a_full_disk_leaves_the_keyring_as_it_was(file: Path, room_for: int) -> None:
    """Half a keyring in the place of a whole one would be every recording lost."""
    before, whole = digest(file), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room_for, whole[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            FileKeyring(file, lambda: WORDS, log_n=2).add([identity("2026-12")], NOW)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, whole)
    assert digest(file) == before
    FileKeyring(file, lambda: WORDS, log_n=2).add([identity("2026-12")], NOW)
    assert sorted(path.name for path in file.parent.iterdir()) == [
        "keyring.age",
        "keyring.age.lock",
    ]


VICTIMS = """
import os, sys
from pathlib import Path
from recordings import pairs, sealed
from recordings.keyring import FileKeyring
from tests.integration.recordings.faults import StepDisk, Steps, kill_self
for fatal in range(1, 100):
    house = Path(sys.argv[1]) / str(fatal)
    ring = FileKeyring(house / "keyring.age", lambda: sys.argv[2], log_n=2)
    pairs.make(ring, house / "public", ["2026-10", "2026-11"], now=1)
    if (child := os.fork()) == 0:
        disk = StepDisk(Steps(fatal, kill_self))
        ring = FileKeyring(house / "keyring.age", lambda: sys.argv[2], log_n=2, disk=disk)
        ring.destroy("2026-10")
        pairs.make(ring, house / "public", ["2026-12", "2027-01"], now=1, disk=disk)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        break
print(fatal)
"""


def test_killed_at_every_step_of_rewriting(tmp_path: Path) -> None:
    """At each write, fsync, rename and directory sync: the old keyring or the new one, never
    neither and never a mixture; the next try finishes, and leaves no copy that a destroyed key
    would live on in."""
    told = subprocess.run([sys.executable, "-c", VICTIMS, tmp_path, WORDS], cwd=ROOT, check=True,
                          capture_output=True, text=True, timeout=60)  # fmt: skip
    steps = int(told.stdout)
    assert steps > 30
    seen: set[tuple[str, ...]] = set()
    for fatal in range(1, steps):
        house = tmp_path / str(fatal)
        ring = FileKeyring(house / "keyring.age", lambda: WORDS, log_n=2)
        seen.add(tuple(ring.key_ids()))
        ring.destroy("2026-10")
        there = Recipients(house / "public").key_ids()
        pairs.make(ring, house / "public", [m for m in ("2026-12", "2027-01") if m not in there],
                   now=1)  # fmt: skip
        assert ring.key_ids() == ["2026-11", "2026-12", "2027-01"]
        for key_id in ("2026-12", "2027-01"):
            half = sealed.public_of(ring.of(key_id).secret)
            assert Recipients(house / "public").of(key_id).public == half
        names = sorted(path.name for path in house.iterdir())
        assert names == ["keyring.age", "keyring.age.lock", "public"], fatal
    assert seen == {
        ("2026-10", "2026-11"),
        ("2026-11",),
        ("2026-11", "2026-12", "2027-01"),
    }
