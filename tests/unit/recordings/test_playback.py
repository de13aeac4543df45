"""Playback: the right bytes, and none where the evidence is not what was catalogued."""

import dataclasses
from pathlib import Path

import pytest

from recordings.errors import EvidenceAltered, KeyMissing, NotGranted, ObjectMissing
from recordings.naming import HEADER, PAYLOAD
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


@pytest.mark.parametrize("fields", [("object_key",), ("header",), ("header", "header_sha256")])
def test_a_row_pointed_at_another_file(
    room: Room, rows: list[RecordingRow], fields: tuple[str, ...]
) -> None:
    """A catalogue row that was made to name another recording plays nothing."""
    values = {c.key: getattr(rows[0], c.key) for c in RecordingRow.__table__.columns}
    forged = RecordingRow(**(values | {field: getattr(rows[1], field) for field in fields}))
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


def test_missing_parts_are_named(room: Room, rows: list[RecordingRow]) -> None:
    """A lost object or key is told apart from an altered one."""
    path(room, rows[0], PAYLOAD).unlink()
    with pytest.raises(ObjectMissing):
        room.playback().open(rows[0], grant_for(rows[0]))
    (room.keyring / "keyring.age").unlink()
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
