"""What a backup is for: the store lost wholly or in part, put back, and nothing else touched.

On a directory and on a bucket, as the backup and as the store.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import update

from recordings.backup import backup
from recordings.errors import ObjectMissing, StoreError
from recordings.manifest import OBJECTS, Failures
from recordings.naming import HEADER, PAYLOAD, PEAKS, header_of
from recordings.place import Store
from recordings.restore import Restored, Source, restore
from recordings.store import DirectoryStore
from recordings.tables import RecordingRow
from recordings.tables_store import StoreCheckRow
from tests.integration.recordings.faults import StepDisk, Steps, fail_with_io_error
from tests.rig.s3 import S3
from tests.unit.recordings.ageing import Ageing
from tests.unit.recordings.room import SECOND, Room, wav

CALLS = [wav(9, seed=5), wav(1, seed=6), wav(0)]
Make = Callable[[str, str], Store]


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """`make("bucket", "backup")`: an empty store of that kind."""

    def made(kind: str, name: str) -> Store:
        if kind == "directory":
            return DirectoryStore(tmp_path / name)
        s3: S3 = request.getfixturevalue("s3")
        return s3.store(f"{request.getfixturevalue('bucket')}/{name}")

    return made


@pytest.fixture
def full(room: Room) -> Room:
    """A room with three sealed recordings."""
    for number, data in enumerate(CALLS, 1):
        room.put(f"179540000{number}.{number}", data)
    assert len(room.capture().once()) == 3
    return room


def backed(room: Room, target: Store) -> Source:
    room.now += SECOND
    assert backup(room.begin, room.store, target, room.now).failed == Failures()
    return Source(target, OBJECTS)


def back(room: Room, source: Source, store: Store) -> Restored:
    return restore(room.begin, source, store, room.identities, room.clock)


def everything(store: Store) -> dict[str, bytes]:
    return {key: store.read_at(key, 0, store.size(key)) for key in store.keys("")}


def outcomes(room: Room) -> set[str]:
    with room.begin() as session:
        return {row.outcome for row in session.query(StoreCheckRow)}


@pytest.mark.parametrize(("of", "into"), [("directory", "bucket"), ("bucket", "directory"),
                                          ("directory", "directory")])  # fmt: skip
def test_a_lost_store_comes_back(full: Room, make: Make, of: str, into: str) -> None:
    """Byte for byte, each compared with the catalogue and on record as whole; they play; a second
    run finds nothing to do."""
    source, lost = backed(full, make(of, "backup")), everything(full.store)
    full.store = make(into, "new")
    done = back(full, source, full.store)
    assert (done.put_back, done.whole, done.failed) == (3, 0, Failures())
    assert done.put_back_bytes == sum(row.sealed_size for row in full.rows())
    assert everything(full.store) == lost
    assert [full.played(row) for row in full.rows()] == CALLS
    assert outcomes(full) == {"ok"}
    assert back(full, source, full.store) == Restored(whole=3)


def test_from_the_second_copy(full: Room, tmp_path: Path) -> None:
    """It lies there as in a store, with no run and no manifest."""
    shutil.copytree(full.root, tmp_path / "copy")
    lost = everything(full.store)
    shutil.rmtree(full.root)
    assert back(full, Source(DirectoryStore(tmp_path / "copy")), full.store).put_back == 3
    assert everything(full.store) == lost


@pytest.mark.parametrize("end", [PAYLOAD, HEADER, PEAKS])
def test_a_part_that_is_missing_is_put_back(full: Room, make: Make, end: str) -> None:
    """One object of one recording; the other objects stay the very files they were."""
    source = backed(full, make("directory", "backup"))
    key = full.rows()[0].object_key
    (full.root / (key + end)).unlink()
    kept = {path: path.stat().st_ino for path in full.root.rglob("*") if path.is_file()}
    done = back(full, source, full.store)
    assert (done.put_back, done.whole, done.failed) == (1, 2, Failures())
    assert full.played(full.rows()[0]) == CALLS[0]
    assert all(path.stat().st_ino == inode for path, inode in kept.items())


def test_what_lies_there_is_never_replaced(full: Room, make: Make) -> None:
    """Altered in the store, whole in the backup: named, left as evidence, and no other is kept
    from coming back."""
    source = backed(full, make("directory", "backup"))
    bad, gone, _ = full.rows()
    held = (full.root / (bad.object_key + PAYLOAD)).read_bytes()
    (full.root / (bad.object_key + PAYLOAD)).write_bytes(held[:-1] + bytes([held[-1] ^ 1]))
    (full.root / (gone.object_key + PAYLOAD)).unlink()
    before = everything(full.store)
    done = back(full, source, full.store)
    assert (done.put_back, done.whole, list(done.failed.named)) == (1, 1, [bad.id])
    assert "nothing was replaced" in done.failed.named[bad.id]
    assert before.items() <= everything(full.store).items()


@pytest.mark.parametrize("harm", ["flipped", "cut", "missing", "exchanged"])
def test_a_damaged_backup_puts_nothing_wrong_back(full: Room, make: Make, harm: str) -> None:
    """Only what hashes to the catalogue's word gets into the store; the others do."""
    target = make("directory", "backup")
    source = backed(full, target)
    bad, other, _ = full.rows()
    key = OBJECTS + bad.object_key + PAYLOAD
    held = target.read_at(key, 0, target.size(key))
    target.remove(key)
    if harm == "flipped":
        target.put(key, held[:40] + bytes([held[40] ^ 1]) + held[41:])
    elif harm == "cut":
        target.put(key, held[:-65_552])
    elif harm == "exchanged":
        there = OBJECTS + other.object_key + PAYLOAD
        target.put(key, target.read_at(there, 0, target.size(there)))
    shutil.rmtree(full.root)
    done = back(full, source, full.store)
    assert (done.put_back, list(done.failed.named)) == (2, [bad.id])
    assert "。 " in done.failed.named[bad.id]
    with pytest.raises(ObjectMissing):
        full.store.size(bad.object_key + PAYLOAD)
    with pytest.raises(ObjectMissing):
        full.store.size(bad.object_key + HEADER)


def test_an_older_backup_serves_what_was_rewrapped_since(room: Room, make: Make) -> None:
    """A backup of before the month was destroyed has the old header alone: the held recording
    comes back under the new one, which the catalogue keeps, and the destroyed ones do not come
    back at all, though the backup has them whole."""
    for number, data in enumerate(CALLS, 1):
        room.put(f"179540000{number}.{number}", data)
    assert len(room.capture().once()) == 3
    source = backed(room, make("directory", "backup"))
    ageing = Ageing(room)
    ageing.kept[2] = "hold"
    ageing.run(ageing.agreed())
    shutil.rmtree(room.root)
    done = back(room, source, room.store)
    assert (done.put_back, done.destroyed, done.failed) == (1, 2, Failures())
    held = room.rows()[1]
    assert set(room.store.keys("")) == {held.object_key + PAYLOAD, header_of(held.object_key, 2)}
    assert room.played(held) == CALLS[1]


def test_a_database_of_yesterday_brings_nothing_destroyed_back(room: Room, make: Make) -> None:
    """The rows do not know yet that they were destroyed; the keyring does."""
    room.put("1795400001.1", CALLS[0])
    room.capture().once()
    source = backed(room, make("directory", "backup"))
    header = room.rows()[0].header
    ageing = Ageing(room)
    ageing.run(ageing.agreed())
    with room.begin() as session:
        session.execute(update(RecordingRow).values(destroyed_at=None, header=header))
    assert back(room, source, room.store) == Restored(destroyed=1)
    assert list(room.store.keys("")) == []


def test_a_restore_stopped_at_any_point_goes_on(full: Room, tmp_path: Path, make: Make) -> None:
    """The disk fails at every write in turn: nothing half is visible, and the next run ends it."""
    source, lost = backed(full, make("directory", "backup")), everything(full.store)
    fatal, failed = 0, 0
    while fatal == failed:
        fatal += 1
        steps = Steps(fatal, fail_with_io_error)
        root = tmp_path / f"new-{fatal}"
        try:
            back(full, source, DirectoryStore(root, StepDisk(steps)))
        except (OSError, StoreError):
            failed += 1
        after = everything(DirectoryStore(root))
        assert after.items() <= lost.items()
        assert back(full, source, DirectoryStore(root)).failed == Failures()
        assert everything(DirectoryStore(root)) == lost
        if len(steps.passed) < fatal:
            break
    assert fatal > 20
