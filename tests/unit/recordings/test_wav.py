"""What a WAV says of itself, and what a dying PBX leaves."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings import wav as wavs
from tests.unit.recordings.room import wav


def test_an_ordinary_wav() -> None:
    """Duration, rate and channels as the PBX wrote them."""
    data = wav(2.5)
    found = wavs.understand(data[: wavs.PEEK], len(data))
    assert (found.condition, found.duration_ms, found.sample_rate, found.channels) == (
        "ok",
        2500,
        8000,
        1,
    )
    stereo = wav(1, channels=2)
    assert wavs.understand(stereo, len(stereo)).duration_ms == 1000


@pytest.mark.parametrize("size", [0, 44])
def test_nothing_recorded(size: int) -> None:
    """A call that was never bridged leaves a header alone, or a file of no bytes."""
    found = wavs.understand(wav(0)[:size], size)
    assert found.condition == "empty"
    assert found.duration_ms == 0


@pytest.mark.parametrize("lengths", [0, 0xFFFFFFFF])
def test_lengths_never_filled_in(lengths: int) -> None:
    """A PBX that died before closing: the file's own size tells the duration."""
    data = wav(3, lengths=lengths)
    found = wavs.understand(data[: wavs.PEEK], len(data))
    assert (found.condition, found.duration_ms) == ("header_unfilled", 3000)


def test_the_patch_makes_it_an_ordinary_wav() -> None:
    """What is served of such a recording is what the PBX would have written."""
    data = bytearray(wav(3, lengths=0))
    for at, value in wavs.patch(wavs.understand(bytes(data), len(data))):
        data[at : at + len(value)] = value
    assert bytes(data) == wav(3)


def test_chunks_before_the_audio_are_skipped() -> None:
    """Other programs put LIST or fact chunks first, of odd lengths too."""
    data = wav(1)
    extra = struct.pack("<4sI", b"LIST", 5) + b"INFO!" + b"\0"
    longer = data[:12] + extra + data[12:]
    found = wavs.understand(longer[: wavs.PEEK], len(longer))
    assert (found.condition, found.duration_ms, found.data_offset) == ("ok", 1000, 44 + len(extra))


@pytest.mark.parametrize(
    "data",
    [b"RIFF", b"ID3" + bytes(100), wav(1)[:20] + b"\xff\xff" + wav(1)[22:], wav(1)[:-100]],
)
def test_damaged_files_are_called_so(data: bytes) -> None:
    """Not a WAV, not PCM, or shorter than it says: never taken for whole."""
    assert wavs.understand(data[: wavs.PEEK], len(data)).condition == "damaged"


@given(st.binary(max_size=200), st.integers(0, 1 << 40))
def test_never_raises(data: bytes, size: int) -> None:
    """Whatever lies in the spool, capture goes on; a duration is never negative."""
    assert wavs.understand(data, size).duration_ms >= 0
    assert wavs.understand(wav(0)[:36] + data, size).duration_ms >= 0
