"""Playback: the right bytes, and none where the evidence is not what was catalogued."""

import dataclasses
from pathlib import Path
from typing import cast

import pytest

from recordings.errors import EvidenceAltered, KeyMissing, NotGranted, ObjectMissing, WrongKey
from recordings.keys import Identity, Keyring
from recordings.naming import HEADER, PAYLOAD
from recordings.playback import Playback
from recordings.tables import RecordingRow
from tests.unit.recordings.room import Room, grant_for, wav

CALL, OTHER = wav(12, seed=1), wav(12, seed=2)


@pytest.fixture
def rows(room: Room) -> list[RecordingRow]:
    """Two recordings of the same length."""
    room.put("1795400000.1", CALL)
    room.put("1795400000.2", OTHER)
    assert len(room.capture().once()) == 2
    return room.rows()


def path(room: Room, row: RecordingRow, suffix: str) -> Path:
    return room.root / (row.object_key + suffix)


def test_what_went_in_comes_out(room: Room, rows: list[RecordingRow]) -> None:
    """Byte for byte, whole and in ranges, under a tag that tells recordings apart."""
    assert [room.played(row) for row in rows] == [CALL, OTHER]
    opened = room.playback().open(rows[0], grant_for(rows[0]))
    assert (opened.size, opened.content_type) == (len(CALL), "audio/wav")
    assert b"".join(opened.read(65_000, 140_000)) == CALL[65_000:140_000]
    other = room.playback().open(rows[1], grant_for(rows[1]))
    assert opened.etag != other.etag
    assert opened.etag.startswith('"')


def test_a_grant_is_for_its_recording(room: Room, rows: list[RecordingRow]) -> None:
    """A grant for one call opens no other."""
    with pytest.raises(NotGranted):
        room.playback().open(rows[1], grant_for(rows[0]))


@pytest.mark.parametrize("suffixes", [(PAYLOAD,), (HEADER,), (HEADER, PAYLOAD)])
def test_objects_exchanged_in_the_store(
    room: Room, rows: list[RecordingRow], suffixes: tuple[str, ...]
) -> None:
    """Two recordings swapped on disk, wholly or by half, are noticed before a byte is played."""
    for suffix in suffixes:
        first, second = (path(room, row, suffix) for row in rows)
        held = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(held)
    for row in rows:
        with pytest.raises(EvidenceAltered):
            room.playback().open(row, grant_for(row))


ALL = {c.key for c in RecordingRow.__table__.columns} - {"id"}


@pytest.mark.parametrize(
    "fields",
    [
        ("object_key",),
        ("header",),
        ("header", "header_sha256"),
        (*sorted(ALL - {"name"}),),  # all that is of the other file, under this call's name
        ("pbx",),
    ],
)
def test_a_row_pointed_at_another_file(
    room: Room, rows: list[RecordingRow], fields: tuple[str, ...]
) -> None:
    """A catalogue row that was made to name another recording plays nothing."""
    values = {c.key: getattr(rows[0], c.key) for c in RecordingRow.__table__.columns}
    others = {c.key: getattr(rows[1], c.key) for c in RecordingRow.__table__.columns}
    others["pbx"] = "branch"  # two PBXs may hand out one UNIQUEID
    forged = RecordingRow(**(values | {field: others[field] for field in fields}))
    with pytest.raises(EvidenceAltered):
        room.playback().open(forged, grant_for(forged))


def test_cut_off_lengthened_or_emptied(room: Room, rows: list[RecordingRow]) -> None:
    """Any other length than the catalogued one is noticed at once."""
    payload = path(room, rows[0], PAYLOAD)
    whole = payload.read_bytes()
    for other in (whole[:-1], whole[: 16 + 65552], whole + b"x", b""):
        payload.write_bytes(other)
        with pytest.raises(EvidenceAltered):
            room.playback().open(rows[0], grant_for(rows[0]))


def test_a_flipped_bit_stops_at_its_chunk(room: Room, rows: list[RecordingRow]) -> None:
    """In the final chunk nothing opens; in another, that chunk releases nothing."""
    payload = path(room, rows[0], PAYLOAD)
    whole = payload.read_bytes()
    payload.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(EvidenceAltered):
        room.playback().open(rows[0], grant_for(rows[0]))
    at = 16 + 65552 + 100
    payload.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    reading = room.playback().open(rows[0], grant_for(rows[0])).read(0, len(CALL))
    assert next(reading) == CALL[:65536]
    with pytest.raises(EvidenceAltered):
        next(reading)


def test_a_row_the_log_does_not_know(room: Room, rows: list[RecordingRow]) -> None:
    """What the log says decides before the store is looked at: two rows exchanged wholly."""
    asked: list[int] = []

    def sealed_as(row: RecordingRow) -> bool:
        asked.append(row.id)
        return False

    path(room, rows[0], HEADER).unlink()
    for read in (room.playback(sealed_as).open, room.playback(sealed_as).peaks):
        with pytest.raises(EvidenceAltered, match="日志"):
            read(rows[0], grant_for(rows[0]))
    assert asked == [rows[0].id] * 2


def test_another_key_of_that_month_is_no_altered_recording(
    room: Room, rows: list[RecordingRow]
) -> None:
    """A keyring put back from elsewhere: the evidence is whole, and whoever looks for a forger
    would look in vain."""

    class Elsewhere:
        def of(self, key_id: str) -> Identity:
            return Identity(key_id, bytes(range(32)))

    playback = Playback(room.store, cast("Keyring", Elsewhere()), lambda _row: True)
    for read in (playback.open, playback.peaks):
        with pytest.raises(WrongKey, match="2026-11"):
            read(rows[0], grant_for(rows[0]))


def test_a_header_of_a_later_version_counts(room: Room, rows: list[RecordingRow]) -> None:
    """Re-wrapped, the row names another header object; the first one opens nothing any more."""
    row = rows[0]
    room.store.put(row.object_key + HEADER + "-2", row.header)
    room.store.remove(row.object_key + HEADER)
    with pytest.raises(ObjectMissing):
        room.playback().open(row, grant_for(row))
    row.header_version = 2
    assert room.played(row) == CALL


def descriptors() -> int:
    """How many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_the_object_is_kept_open_and_let_go(room: Room, rows: list[RecordingRow]) -> None:
    """One descriptor for as long as a recording is read, and none when it is closed or refused."""
    before = descriptors()
    opened = room.playback().open(rows[0], grant_for(rows[0]))
    assert descriptors() == before + 1
    path(room, rows[0], PAYLOAD).unlink()
    assert b"".join(opened.read(0, opened.size)) == CALL
    opened.close()
    payload = path(room, rows[1], PAYLOAD)
    payload.write_bytes(payload.read_bytes()[:-1] + b"x")
    with pytest.raises(EvidenceAltered):
        room.playback().open(rows[1], grant_for(rows[1]))
    assert descriptors() == before


def test_missing_parts_are_named(room: Room, rows: list[RecordingRow]) -> None:
    """A lost object or key is told apart from an altered one."""
    path(room, rows[0], PAYLOAD).unlink()
    with pytest.raises(ObjectMissing):
        room.playback().open(rows[0], grant_for(rows[0]))
    (room.keyring / "private" / f"{room.key_id}.agekey").unlink()
    with pytest.raises(KeyMissing):
        room.playback().open(rows[1], grant_for(rows[1]))


def test_lengths_never_filled_in_are_mended_in_what_is_served(room: Room) -> None:
    """The player sees the right length at every cut; the sealed evidence stays as it was."""
    room.put("1795400000.3", wav(2, lengths=0))
    room.capture().once()
    (row,) = room.rows()
    opened = room.playback().open(row, grant_for(row))
    mended = wav(2)
    assert row.condition == "header_unfilled"
    for start in range(50):
        for stop in (start + 1, start + 3, 60):
            assert b"".join(opened.read(start, stop)) == mended[start:stop]
    held = dataclasses.replace(opened, _patch=())
    assert b"".join(held.read(0, held.size)) == wav(2, lengths=0)
