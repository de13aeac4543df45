"""The outline of a recording: true to the samples, sealed like the audio, bound to its call."""

import math
import struct
from array import array
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings import binding, peaks, sealed
from recordings import header as headers
from recordings import wav as wavs
from recordings.errors import EvidenceAltered, NotGranted, ObjectMissing
from recordings.naming import PAYLOAD, PEAKS
from recordings.peaks import Peaks
from tests.unit.recordings.room import Room, grant_for, wav

CALL, OTHER = wav(12, seed=1), wav(12, seed=2)


def pcm(samples: "array[int]", channels: int = 1) -> bytes:
    """A WAV of these samples."""
    form = struct.pack("<HHIIHH", 1, channels, 8000, 16000 * channels, 2 * channels, 16)
    audio = samples.tobytes()
    riff = struct.pack("<4sI4s4sI", b"RIFF", len(audio) + 36, b"WAVE", b"fmt ", 16)
    return riff + form + struct.pack("<4sI", b"data", len(audio)) + audio


def drawn(data: bytes) -> Peaks | None:
    return peaks.of(lambda start, stop: data[start:stop], wavs.understand(data[:4096], len(data)))


def test_each_stretch_has_its_least_and_greatest() -> None:
    """Loud where it was loud, silent where it was silent, to the stretch."""
    samples = array("h", [0] * 8000)
    samples[4000:4008] = array("h", [-32768, 32767] * 4)
    found = drawn(pcm(samples))
    assert found is not None
    assert (found.channels, found.buckets) == (1, 1000)
    assert found.channel(0)[500] == (-128, 127)
    assert {pair for at, pair in enumerate(found.channel(0)) if at != 500} == {(0, 0)}


def test_left_and_right_are_kept_apart() -> None:
    """Where the PBX records both sides, who spoke when is seen."""
    frames = [(20000 if at < 4000 else 0, -20000 if at >= 4000 else 0) for at in range(8000)]
    found = drawn(pcm(array("h", [value for frame in frames for value in frame]), 2))
    assert found is not None
    left, right = found.channel(0), found.channel(1)
    assert (left[100], right[100], left[900], right[900]) == ((78, 78), (0, 0), (0, 0), (-79, -79))


def test_a_long_recording_is_not_read_through() -> None:
    """Ten hours cost no more than some minutes, and speech is seen in each stretch all the same."""
    data = pcm(array("h"))[:44]
    frames = 10 * 3600 * 8000
    asked: list[tuple[int, int]] = []

    def read(start: int, stop: int) -> bytes:
        asked.append((start, stop))
        tones = (int(9000 * math.sin(at)) for at in range((start - 44) // 2, (stop - 44) // 2))
        return array("h", tones).tobytes()

    about = wavs.Wav("ok", 44, frames * 2, 8000, 1, 2)
    found = peaks.of(read, about)
    assert data
    assert found is not None
    assert sum(stop - start for start, stop in asked) <= 2 * peaks.LOOKED
    assert asked == sorted(asked)
    assert all(low < -30 and high > 30 for low, high in found.channel(0))
    assert asked[-1][1] <= 44 + frames * 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no WAV",
        pcm(array("h")),
        wav(1).replace(struct.pack("<HH", 2, 16), struct.pack("<HH", 1, 8)),
        wav(1).replace(struct.pack("<HHI", 1, 1, 8000), struct.pack("<HHI", 1, 9, 8000)),
    ],
)
def test_of_what_is_no_16_bit_pcm_there_is_none(data: bytes) -> None:
    """Nothing is drawn that was not heard."""
    assert drawn(data) is None


@given(st.integers(1, 8), st.integers(1, 1000), st.data())
def test_one_spelling(channels: int, buckets: int, data: st.DataObject) -> None:
    """What is written is read back the same."""
    pairs = data.draw(st.binary(min_size=2 * channels * buckets, max_size=2 * channels * buckets))
    made = Peaks(channels, pairs)
    assert peaks.decode(made.encode()) == made


@given(st.binary() | st.binary().map(lambda rest: b"12333 peaks v1 2 3\n" + rest))
def test_anything_else_is_refused(data: bytes) -> None:
    """Cut off, lengthened, of another version: refused, or the very spelling of what it says."""
    try:
        found = peaks.decode(data)
    except EvidenceAltered:
        return
    assert found.encode() == data


def swap(room: Room, suffix: str) -> None:
    first, second = (room.root / (row.object_key + suffix) for row in room.rows())
    held = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(held)


def flip(room: Room, _suffix: str) -> None:
    for row in room.rows():
        path = room.root / (row.object_key + PEAKS)
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)


def cut(room: Room, _suffix: str) -> None:
    for row in room.rows():
        path = room.root / (row.object_key + PEAKS)
        path.write_bytes(path.read_bytes()[:-1])


def two(room: Room) -> None:
    room.put("1795400000.1", CALL)
    room.put("1795400000.2", OTHER)
    assert len(room.capture().once()) == 2


def test_it_is_sealed_beside_the_audio(room: Room) -> None:
    """Made at capture, in the store as sealed as the call, shown to who holds a grant for it."""
    two(room)
    for row, data in zip(room.rows(), (CALL, OTHER), strict=True):
        shown = room.playback().peaks(row, grant_for(row))
        made = drawn(data)
        assert shown == made
        assert made is not None
        assert made.pairs not in (room.root / (row.object_key + PEAKS)).read_bytes()
        assert (room.root / (row.object_key + PEAKS)).stat().st_size == row.peaks_size
    first, second = room.rows()
    with pytest.raises(NotGranted):
        room.playback().peaks(first, grant_for(second))


def test_it_has_a_key_of_its_own(room: Room) -> None:
    """No two files under one file key and nonce, also not a call and its outline."""
    two(room)
    secret = room.playback()._identities.of("2026-11").secret
    keys = set()
    for row in room.rows():
        outline = (room.root / (row.object_key + PEAKS)).read_bytes()
        for data in (row.header, outline):
            header, _ = headers.parse(data)
            keys.add(sealed.unwrap(header, [secret]))
    nonces = {(room.root / (row.object_key + PAYLOAD)).read_bytes()[:16] for row in room.rows()}
    assert (len(keys), len(nonces)) == (4, 2)


@pytest.mark.parametrize("harm", [swap, flip, cut])
def test_another_or_an_altered_one_is_not_shown(
    room: Room, harm: Callable[[Room, str], None]
) -> None:
    """Exchanged in the store or changed by a bit: noticed, as the audio would be."""
    two(room)
    harm(room, PEAKS)
    for row in room.rows():
        with pytest.raises(EvidenceAltered):
            room.playback().peaks(row, grant_for(row))


def test_a_row_with_the_others_outline(room: Room) -> None:
    """The row pointed at the other's outline, hash and all: its own header says whose it is."""
    two(room)
    swap(room, PEAKS)
    first, second = room.rows()
    first.peaks_sha256, first.peaks_size = second.peaks_sha256, second.peaks_size
    with pytest.raises(EvidenceAltered, match="另一段"):
        room.playback().peaks(first, grant_for(first))


def test_without_one_and_with_one_lost(room: Room) -> None:
    """A damaged WAV has none, which is no fault; one that was made and is gone is told."""
    room.put("1795400000.3", b"not a wav at all")
    room.put("1795400000.1", CALL)
    room.capture().once()
    rows = {row.name: row for row in room.rows()}
    damaged, whole = rows["1795400000.3"], rows["1795400000.1"]
    assert (damaged.peaks_sha256, damaged.peaks_size) == (None, 0)
    assert room.playback().peaks(damaged, grant_for(damaged)) is None
    room.store.remove(whole.object_key + PEAKS)
    with pytest.raises(ObjectMissing):
        room.playback().peaks(whole, grant_for(whole))
    assert binding.PEAKS != binding.AUDIO
