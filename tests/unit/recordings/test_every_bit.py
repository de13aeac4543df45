"""One bit turned, or the end cut off, anywhere in a stored recording: seen through playback.

Every bit of the header, of the nonce, of the first chunk's edge and of both tags, and one in many
of the bodies; every length at which a header can be cut, and those around a payload's edges.  No
byte of the chunk concerned may come out, and none at all where it is not known to be whole.
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from recordings import sealed
from recordings.errors import EvidenceAltered
from recordings.naming import HEADER, PAYLOAD
from recordings.tables import RecordingRow
from tests.unit.recordings.room import Room, grant_for, wav

CALL = wav(6)  # two chunks, the second of some 30 KB
FIRST = slice(sealed.NONCE, sealed.NONCE + sealed.SEALED_CHUNK)
SPARSE = 257 * 8 + 1
"""Bits from one that is turned to the next where not every one is: each place in a byte comes."""


@pytest.fixture
def row(room: Room) -> RecordingRow:
    room.put("1795400000.1", CALL)
    room.capture().once()
    return room.rows()[0]


def heard(room: Room, row: RecordingRow) -> bytes:
    """What comes out before it is noticed; it must be noticed."""
    out = bytearray()
    with (
        pytest.raises(EvidenceAltered),
        closing(room.playback().open(row, grant_for(row))) as opened,
    ):
        for piece in opened.read(0, opened.size):
            out += piece
    return bytes(out)


def turned(path: Path, bits: Iterator[int]) -> Iterator[int]:
    """The file with one bit turned, for each of these bits; whole again after each."""
    whole = path.read_bytes()
    with path.open("r+b", buffering=0) as file:
        for bit in bits:
            place = bit // 8
            for byte in (whole[place] ^ 1 << bit % 8, whole[place]):
                file.seek(place)
                file.write(bytes([byte]))
                if byte != whole[place]:
                    yield place


def test_every_bit_of_the_header(room: Room, row: RecordingRow) -> None:
    """Nothing of the recording comes out under a header that is another by one bit."""
    path = room.root / (row.object_key + HEADER)
    for _ in turned(path, iter(range(len(row.header) * 8))):
        assert heard(room, row) == b""
    assert room.played(row) == CALL


def edges(size: int) -> Iterator[int]:
    """The bits of a payload that are turned: all of nonce and tags, one in many of the rest."""
    tags = (FIRST.stop, size)
    for place in range(sealed.NONCE):
        yield from range(place * 8, place * 8 + 8)
    for end in tags:
        yield from range((end - sealed.TAG) * 8, end * 8)
    yield from range(sealed.NONCE * 8, size * 8, SPARSE)


def test_bits_of_the_payload(room: Room, row: RecordingRow) -> None:
    """A bit of the nonce or of the last chunk: nothing comes out; of the first, nothing of it."""
    path = room.root / (row.object_key + PAYLOAD)
    places = set()
    for place in turned(path, edges(path.stat().st_size)):
        assert heard(room, row) == b""
        places.add(place)
    assert room.played(row) == CALL
    assert min(places) == 0
    assert max(places) == path.stat().st_size - 1


def test_a_bit_of_the_second_of_three(room: Room) -> None:
    """What came before the altered chunk was authentic and is played; nothing after it is."""
    room.put("1795400000.2", wav(10))
    room.capture().once()
    (row,) = room.rows()
    path = room.root / (row.object_key + PAYLOAD)
    second = range(FIRST.stop * 8, (FIRST.stop + sealed.SEALED_CHUNK) * 8, SPARSE)
    for _ in turned(path, iter(second)):
        assert heard(room, row) == wav(10)[: sealed.CHUNK]


@pytest.mark.parametrize("suffix", [HEADER, PAYLOAD])
def test_cut_off(room: Room, row: RecordingRow, suffix: str) -> None:
    """Every length of the header, and of the payload every one around its edges and many between:
    nothing comes out, as long as the stored length is not the catalogued one."""
    path = room.root / (row.object_key + suffix)
    whole = path.read_bytes()
    lengths = set(range(0, len(whole), 1 if suffix == HEADER else 509))
    for edge in (0, FIRST.stop, len(whole)):
        lengths |= set(range(max(0, edge - 20), min(len(whole), edge + 20)))
    for length in sorted(lengths):
        path.write_bytes(whole[:length])
        assert heard(room, row) == b""


def test_cut_off_with_a_row_that_agrees(room: Room, row: RecordingRow) -> None:
    """The catalogue made to say the shorter length, at a chunk's edge too: the final flag knows."""
    path = room.root / (row.object_key + PAYLOAD)
    whole = path.read_bytes()
    for length in (FIRST.stop, FIRST.stop - 1, FIRST.stop + 1, sealed.NONCE, 5, len(whole) - 1):
        path.write_bytes(whole[:length])
        row.sealed_size = len(row.header) + length
        row.plain_size = max(0, length - sealed.NONCE - sealed.TAG)
        assert heard(room, row) == b""
