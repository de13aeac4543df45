"""The second copy: there once it hashes right, read where the first fails, never instead of it."""

import errno
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from recordings import scrub, second
from recordings.copies import CopiedStore
from recordings.errors import EvidenceAltered, ObjectMissing, StoreError
from recordings.store import DirectoryStore
from recordings.tables_store import StoreCheckRow
from tests.integration.recordings.faults import StepDisk, Steps, fail_with_io_error
from tests.unit.recordings.room import SECOND, Room, wav
from tests.unit.recordings.test_backup import spoil
from tests.unit.recordings.test_scrub import FOUND

CALLS = [wav(9, seed=5), wav(1, seed=6), wav(0)]


@pytest.fixture
def full(room: Room) -> Room:
    """A room with three sealed recordings, none copied."""
    for number, data in enumerate(CALLS, 1):
        room.put(f"179540000{number}.{number}", data)
    assert len(room.capture().once()) == 3
    return room


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the second copy lies."""
    made = tmp_path / "copy"
    made.mkdir()
    return made


def due(room: Room) -> list[int]:
    with room.begin() as session:
        found = second.due(session, 0, 100)
        assert second.waiting(session).count == len(found)
        return found


def copied(room: Room, place: Path) -> list[bool]:
    return [
        second.copy(room.begin, room.store, DirectoryStore(place), one, room.clock)
        for one in due(room)
    ]


def files(place: Path) -> dict[str, bytes]:
    return {str(p.relative_to(place)): p.read_bytes() for p in place.rglob("*") if p.is_file()}


def test_everything_is_copied_once(full: Room, place: Path) -> None:
    """Byte for byte, and when is on record; then nothing waits."""
    assert copied(full, place) == [True] * 3
    assert files(place) == files(full.root)
    assert copied(full, place) == []
    with full.begin() as session:
        rows = session.scalars(select(StoreCheckRow)).all()
    assert {(row.place, row.outcome, row.copied_at) for row in rows} == {("copy", "ok", full.now)}
    assert scrub.check(
        full.begin, "copy", DirectoryStore(place), [row.recording_id for row in rows], full.clock
    ) == {row.recording_id: "ok" for row in rows}


@pytest.mark.parametrize("how", FOUND)
def test_what_the_first_lost_is_not_copied_and_is_named(full: Room, place: Path, how: str) -> None:
    """Damage does not spread to the second copy; the others are copied; the alarm stands."""
    bad = full.rows()[0]
    spoil(full.root / f"{bad.object_key}.payload", how)
    assert copied(full, place) == [False, True, True]
    assert due(full) == [bad.id]
    assert not any(bad.name in name for name in files(place))
    with full.begin() as session:
        assert [(one.recording_id, one.outcome) for one in scrub.wrong(session, 9)] == [
            (bad.id, FOUND[how])
        ]


def test_another_object_there_is_not_taken_for_the_copy(full: Room, place: Path) -> None:
    """Put-if-absent alone would count it as copied."""
    row = full.rows()[0]
    DirectoryStore(place).put(f"{row.object_key}.payload", b"something else")
    with pytest.raises(EvidenceAltered):
        copied(full, place)
    assert due(full)[0] == row.id
    with full.begin() as session:
        assert scrub.wrong(session, 9) == []


def test_a_copy_that_fails_anywhere_is_made_good(full: Room, tmp_path: Path) -> None:
    """The second place fails at each step in turn: nothing counts that is not whole there, and the
    next round finishes, over whatever was left."""
    for fatal in range(1, 200):
        place = tmp_path / f"copy-{fatal}"
        place.mkdir()
        with full.begin() as session:
            session.query(StoreCheckRow).delete()
        steps = Steps(fatal, fail_with_io_error)
        target = DirectoryStore(place, StepDisk(steps))
        try:
            for one in due(full):
                second.copy(full.begin, full.store, target, one, full.clock)
        except OSError:
            assert due(full)
        if len(steps.passed) < fatal:
            break
        assert False not in copied(full, place)
        assert due(full) == []
        assert {n: h for n, h in files(place).items() if not n.startswith(".")} == files(full.root)
    assert fatal > 50


def both(room: Room, place: Path) -> CopiedStore:
    """The room plays from both places."""
    copied(room, place)
    store = CopiedStore(DirectoryStore(room.root), DirectoryStore(place))
    room.store = store
    return store


@pytest.mark.parametrize("lost", ["payload", "header", "all"])
def test_what_the_first_lost_plays_from_the_second(
    full: Room, place: Path, lost: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A caller's complaint does not wait for a disk; and it is said where the bytes came from."""
    both(full, place)
    row = full.rows()[0]
    assert full.played(row) == CALLS[0]
    assert caplog.records == []
    if lost == "all":
        shutil.rmtree(full.root)
    else:
        path = full.root / f"{row.object_key}.{'header' if lost == 'header' else 'payload'}"
        path.unlink()
    with caplog.at_level(logging.WARNING):
        assert full.played(row) == CALLS[0]
    assert "read from the second copy" in caplog.text
    assert row.object_key in caplog.text


def test_a_disk_that_fails_while_it_is_read(full: Room, place: Path) -> None:
    """Bad sectors in the middle: what cannot be read is read from the other place."""

    class Worn(DirectoryStore):
        @contextmanager
        def reader(self, key: str) -> Iterator[Callable[[int, int], bytes]]:
            with super().reader(key) as read:

                def worn(start: int, stop: int) -> bytes:
                    if start <= 70_000 < stop:
                        raise OSError(errno.EIO, "Input/output error")
                    return read(start, stop)

                yield worn

    copied(full, place)
    key = f"{full.rows()[0].object_key}.payload"
    whole = full.store.read_at(key, 0, 1 << 20)
    with CopiedStore(Worn(full.root), DirectoryStore(place)).reader(key) as read:
        pieces = [read(at, at + 20_000) for at in range(0, len(whole), 20_000)]
    assert b"".join(pieces) == whole


def test_what_was_altered_in_the_first_is_not_glossed_over(full: Room, place: Path) -> None:
    """Manipulation must come out; it is not repaired in silence from the other place."""
    both(full, place)
    row = full.rows()[0]
    spoil(full.root / f"{row.object_key}.payload", "flipped")
    with pytest.raises(EvidenceAltered):
        full.played(row)


def test_what_neither_has_is_said_as_the_first_says_it(full: Room, place: Path) -> None:
    """No second copy yet: the error is of the store, not of the place behind it."""
    store = CopiedStore(full.store, DirectoryStore(place))
    for act in (store.size, store.open, lambda key: store.read_at(key, 0, 1)):
        with pytest.raises(ObjectMissing, match="nothing"):
            act("nothing")
    with pytest.raises(StoreError):
        store.size("../x")


def test_writing_is_the_firsts_alone(full: Room, place: Path) -> None:
    """What is sealed must stand in the store itself before its WAV goes."""
    store = CopiedStore(full.store, DirectoryStore(place))
    store.put("a", b"1")
    with store.upload("b") as upload:
        upload.write(b"2")
        upload.publish()
    assert files(place) == {}
    assert [one for one in store.keys("") if "/" not in one] == ["a", "b"]
    store.remove("a")
    assert store.remove_partials(full.now + SECOND) == 0
    with pytest.raises(ObjectMissing):
        store.size("a")
