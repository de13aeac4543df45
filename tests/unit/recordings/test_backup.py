"""A backup holds what was catalogued and nothing else; a drill finds whatever is not as it was."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from recordings import drill, manifest, pairs
from recordings.backup import Backed, backup
from recordings.drill import Drilled
from recordings.errors import BackupInvalid
from recordings.keyring import FileKeyring
from recordings.keys import encode_identity
from recordings.manifest import Failures, Manifest
from recordings.store import DirectoryStore
from recordings.tables import RecordingRow
from tests.integration.recordings.faults import StepDisk, Steps, fail_with_io_error
from tests.unit.recordings.room import PASSPHRASE, SECOND, Room, wav

LONG = wav(13, seed=3)  # four chunks
SHORT = wav(1, seed=4)
EMPTY = wav(0)


@pytest.fixture
def full(room: Room) -> Room:
    """A room with three sealed recordings."""
    for number, data in enumerate((LONG, SHORT, EMPTY), 1):
        room.put(f"179540000{number}.{number}", data)
    assert len(room.capture().once()) == 3
    return room


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the backup goes."""
    made = tmp_path / "backup"
    made.mkdir()
    return made


def backed(room: Room, place: Path) -> Backed:
    room.now += SECOND
    return backup(room.begin, room.store, DirectoryStore(place), room.now, checkpoint="a note")


def drilled(room: Room, place: Path, sample: int | None = 3) -> Drilled:
    return drill.drill(DirectoryStore(place), room.identities, sample=sample)


def files(place: Path) -> dict[str, bytes]:
    return {str(p.relative_to(place)): p.read_bytes() for p in place.rglob("*") if p.is_file()}


def payload(place: Path, name: str) -> Path:
    (found,) = (place / "objects").rglob(f"{name}-*.payload")
    return found


def test_what_is_backed_up_can_be_restored(full: Room, place: Path) -> None:
    """The objects as they are, and every one opens: all chunks of it when all are asked for."""
    done = backed(full, place)
    assert (done.copied, done.manifest.recordings, done.failed) == (3, 3, Failures())
    assert done.manifest.sealed_bytes == sum(row.sealed_size for row in full.rows())
    stored = {f"objects/{name}": held for name, held in files(full.root).items()}
    assert stored.items() <= files(place).items()
    assert drilled(full, place, None) == Drilled(done.manifest, True, 4 + 1 + 1, 0, Failures())
    some = drilled(full, place)
    assert (some.opened, some.failed) == (True, Failures())
    assert 3 < some.chunks <= 6
    assert drill.newest(DirectoryStore(place)).checkpoint == "a note"


def test_only_what_is_new_is_copied(full: Room, place: Path) -> None:
    """Each run lists everything, copies what the backup lacks, and replaces nothing."""
    first = backed(full, place)
    before = files(place)
    full.put("1795400009.9", SHORT)
    full.capture().once()
    second = backed(full, place)
    assert (second.copied, second.manifest.recordings) == (1, 4)
    assert before.items() <= files(place).items()
    assert second.manifest.run > first.manifest.run
    assert drilled(full, place).manifest == second.manifest


def test_nothing_to_back_up_is_a_backup(room: Room, place: Path) -> None:
    """The first evening of a house: a run of no recordings, and the drill of it passes."""
    assert backed(room, place).manifest.recordings == 0
    assert drilled(room, place).failed == Failures()


def test_no_private_key_is_in_it(full: Room, place: Path) -> None:
    """A stolen backup opens nothing: no form of the secret is in any of its files or names."""
    backed(full, place)
    secret = full.identities.of(full.key_id).secret
    text = encode_identity(secret).encode()
    for name, held in files(place).items():
        for form in (secret, secret.hex().encode(), text, text.lower(), b"AGE-SECRET-KEY"):
            assert form not in held + name.encode(), name
    assert full.plaintext(LONG) == []


@pytest.mark.parametrize(
    "how", ["flipped", "cut", "longer", "missing", "header", "outline", "unreadable"]
)
def test_what_was_altered_is_not_copied(full: Room, place: Path, how: str) -> None:
    """Damage in the store never gets into a backup as if it were the evidence; it is named, and
    the others are backed up."""
    bad = full.rows()[0]
    spoil(full.root / f"{bad.object_key}.payload", how)
    done = backed(full, place)
    assert (done.copied, done.manifest.failed) == (2, 1)
    assert list(done.failed.named) == [bad.id]
    # A spoilt outline keeps the evidence itself from nothing.
    assert any(bad.name in name for name in files(place)) == (how == "outline")
    whole = drilled(full, place)
    assert (whole.manifest.recordings, whole.failed) == (2, Failures())


def spoil(path: Path, how: str) -> None:
    match how:
        case "flipped":
            held = bytearray(path.read_bytes())
            held[len(held) // 2] ^= 1
            path.write_bytes(held)
        case "cut":
            path.write_bytes(path.read_bytes()[:-65_552])
        case "longer":
            path.write_bytes(path.read_bytes() + b"\0")
        case "missing":
            path.unlink()
        case "header":
            header = path.with_suffix(".header")
            header.write_bytes(header.read_bytes().replace(b"X25519", b"X25518", 1))
        case "outline":
            path.with_suffix(".peaks").write_bytes(b"not what was drawn")
        case _:
            path.unlink()
            path.mkdir()  # root reads whatever its mode; a directory nobody can read as a file


@pytest.mark.parametrize(
    "how", ["flipped", "cut", "longer", "missing", "header", "outline", "unreadable"]
)
def test_a_drill_finds_damage_in_the_backup(full: Room, place: Path, how: str) -> None:
    """Wherever in the file it is, sampled or not; the others are still tried."""
    backed(full, place)
    spoil(payload(place, "1795400001.1"), how)
    found = drilled(full, place, 1)
    assert list(found.failed.named) == [full.rows()[0].id]
    assert "。 " in found.failed.named[full.rows()[0].id]


def test_a_drill_finds_what_lies_under_a_wrong_name(full: Room, place: Path) -> None:
    """Two recordings exchanged in the backup: each fails."""
    backed(full, place)
    one, other = payload(place, "1795400001.1"), payload(place, "1795400002.2")
    for end in (".payload", ".header"):
        a, b = one.with_suffix(end), other.with_suffix(end)
        held = a.read_bytes()
        a.write_bytes(b.read_bytes())
        b.write_bytes(held)
    assert drilled(full, place).failed.count == 2


def test_what_opens_must_be_what_was_recorded(full: Room, place: Path) -> None:
    """Only opening every chunk shows that the plaintext is another than the catalogue's."""
    with full.begin() as session:
        session.execute(update(RecordingRow).values(plain_sha256=bytes(32)))
    backed(full, place)
    assert drilled(full, place).failed.count == 0
    assert drilled(full, place, None).failed.count == 3


@pytest.mark.parametrize("what", ["missing", "another"])
def test_a_key_that_does_not_open_is_found(full: Room, place: Path, what: str) -> None:
    """A backup whose key was lost is no backup: the drill says so, before it is needed."""
    backed(full, place)
    other = FileKeyring(full.keyring / "other.age", lambda: PASSPHRASE, log_n=2)
    made = "2031-01" if what == "missing" else full.key_id
    pairs.make(other, full.directory / "other", [made], now=full.now)
    assert drill.drill(DirectoryStore(place), other).failed.count == 3
    without = drill.drill(DirectoryStore(place), None)
    assert (without.opened, without.chunks, without.failed) == (False, 0, Failures())


@pytest.mark.parametrize("file", ["catalogue.jsonl", "manifest.json"])
def test_a_damaged_list_is_refused(full: Room, place: Path, file: str) -> None:
    """A catalogue that lacks a line would let a lost recording pass unseen."""
    backed(full, place)
    (path,) = place.rglob(file)
    path.write_bytes(path.read_bytes().replace(b'"', b"'", 1))
    with pytest.raises(BackupInvalid):
        drilled(full, place)


def test_a_place_without_a_run_is_told(full: Room, place: Path) -> None:
    """A run that was killed has objects and no manifest: it is no backup yet."""
    for _ in range(2):
        with pytest.raises(BackupInvalid, match="recording backup"):
            drilled(full, place)
        backed(full, place)
        (made,) = place.rglob("manifest.json")
        made.unlink()


def test_a_run_that_fails_anywhere_is_made_good_by_the_next(full: Room, tmp_path: Path) -> None:
    """The backup's disk fails at each step in turn: no half run counts, no half object stays, and
    the next run and its drill are whole."""
    for fatal in range(1, 200):
        place = tmp_path / f"backup-{fatal}"
        place.mkdir()
        steps = Steps(fatal, fail_with_io_error)
        try:
            backup(full.begin, full.store, DirectoryStore(place, StepDisk(steps)), full.now)
        except OSError:
            if list(place.rglob("manifest.json")):  # its name stands: then all of the run does
                assert drilled(full, place, None).failed == Failures()
        if len(steps.passed) < fatal:
            break
        assert backed(full, place).failed == Failures()
        assert drilled(full, place, None) == Drilled(
            drill.newest(DirectoryStore(place)), True, 6, 0, Failures()
        )
    assert fatal > 60


writes = list[str]()
watching = False


def _watch(event: str, details: tuple[object, ...]) -> None:
    if watching and event == "open" and isinstance(details[2], int):
        if details[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            writes.append(str(details[0]))
    elif watching and event in {"os.mkdir", "os.rename", "os.link", "os.remove", "os.truncate"}:
        writes.append(event)


sys.addaudithook(_watch)


def test_a_drill_writes_nothing(full: Room, place: Path) -> None:
    """Plaintext is looked at in memory alone: no file is opened for writing, not even to be
    removed again."""
    global watching  # noqa: PLW0603  an audit hook cannot be taken out again
    backed(full, place)
    before = files(full.directory)
    watching = True
    try:
        drilled(full, place, None)
        assert writes == []
        (full.directory / "seen").write_bytes(b"")  # the watch works
        assert writes != []
    finally:
        watching = False
        writes.clear()
    (full.directory / "seen").unlink()
    assert files(full.directory) == before


def test_told_how_far_it_is(full: Room, place: Path) -> None:
    """The bar ends full, whichever way it went."""
    seen = list[tuple[int, int]]()

    def told(done: int, of: int) -> None:
        seen.append((done, of))

    backup(full.begin, full.store, DirectoryStore(place), full.now, told=told)
    drill.drill(DirectoryStore(place), None, told=told)
    assert seen == [(1, 3), (2, 3), (3, 3)] * 2


DEFAULT = Manifest("20261123T060000.000000Z", 1, 2, 3, 4, 5, "ab", "")


@given(st.binary() | st.text().map(str.encode))
def test_no_manifest_breaks_the_reader(text: bytes) -> None:
    """Whatever lies there: read, or BackupInvalid."""
    for parse in (Manifest.parse, manifest.parse_line):
        with pytest.raises(BackupInvalid):
            parse(text)


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told.pop("run"),
        lambda told: told.update(recordings="2"),
        lambda told: told.update(recordings=True),
        lambda told: told.update(more=1),
        lambda told: told.update(format="12333 backup v2"),
    ],
)
def test_a_manifest_is_read_strictly(change: Callable[[dict[str, object]], object]) -> None:
    """A field too few, too many, or of another kind: not one of ours."""
    assert Manifest.parse(DEFAULT.encode()) == DEFAULT
    told = json.loads(DEFAULT.encode())
    change(told)
    with pytest.raises(BackupInvalid):
        Manifest.parse(json.dumps(told).encode())
