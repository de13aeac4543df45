"""The outline of a recording's loudness: what the player draws, made while the WAV is there.

Pure.  For each channel up to BUCKETS pairs of the least and the greatest sample of a stretch,
eight bits each.  A long recording is sampled, not read through: LOOKED samples are enough for a
picture and take some 30 ms.  Of what is no 16-bit PCM there is no outline.  What always holds:
there is one spelling, so `decode(encode(x)) == x` and `encode(decode(b)) == b`.

It tells when somebody spoke, and to a degree how: it is sealed, and shown, as the audio is.
Source: FORMAT.md section 10.
"""

import re
import sys
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from recordings.errors import EvidenceAltered
from recordings.wav import Wav

BUCKETS = 1000
LOOKED = 1 << 18
CHANNELS_MAX = 8
_WINDOWS = 8
"""Places in a stretch that are looked at where it is too long to be read through."""

_FIRST_LINE = re.compile(rb"12333 peaks v1 ([1-8]) ([1-9][0-9]{0,3})\n")


@dataclass(frozen=True, slots=True)
class Peaks:
    """`pairs` holds, stretch by stretch and in it channel by channel, least and greatest."""

    channels: int
    pairs: bytes

    @property
    def buckets(self) -> int:
        """How many stretches there are."""
        return len(self.pairs) // (2 * self.channels)

    def channel(self, number: int) -> list[tuple[int, int]]:
        """Least and greatest of each stretch of one channel, -128 … 127."""
        values = array("b", self.pairs)
        step = 2 * self.channels
        return list(zip(values[2 * number :: step], values[2 * number + 1 :: step], strict=True))

    def encode(self) -> bytes:
        """As it is sealed: a line of text, then the pairs."""
        return f"12333 peaks v1 {self.channels} {self.buckets}\n".encode() + self.pairs


def decode(data: bytes) -> Peaks:
    """Read what `encode` wrote; raises EvidenceAltered for anything else."""
    found = _FIRST_LINE.match(data)
    if found:
        peaks = Peaks(int(found[1]), data[found.end() :])
        if peaks.encode() == data and peaks.buckets <= BUCKETS:
            return peaks
    raise EvidenceAltered("波形数据无法识别。 The outline of the recording cannot be read.")


def of(read: Callable[[int, int], bytes], wav: Wav) -> Peaks | None:
    """The outline of a WAV; None where there is no audio, or none of 16-bit PCM.

    `read(start, stop)` gives the file's bytes [start, stop).
    """
    channels = wav.channels
    if not 1 <= channels <= CHANNELS_MAX or wav.frame_size != 2 * channels:
        return None
    frames = wav.data_size // wav.frame_size
    buckets = min(BUCKETS, frames)
    pairs = array("b")
    for bucket in range(buckets):
        first, beyond = bucket * frames // buckets, (bucket + 1) * frames // buckets
        lows, highs = [127] * channels, [-128] * channels
        for start, stop in _windows(first, beyond, LOOKED // BUCKETS // channels):
            at = wav.data_offset + start * wav.frame_size
            samples = _samples(read(at, at + (stop - start) * wav.frame_size))
            for channel in range(channels):
                heard = samples[channel::channels]
                if heard:
                    lows[channel] = min(lows[channel], min(heard) >> 8)
                    highs[channel] = max(highs[channel], max(heard) >> 8)
        for low, high in zip(lows, highs, strict=True):
            pairs.extend((min(low, high), high))
    return Peaks(channels, pairs.tobytes()) if pairs else None


def _windows(first: int, beyond: int, most: int) -> Iterator[tuple[int, int]]:
    """The frames to look at: all of them, or _WINDOWS short stretches evenly apart."""
    count = beyond - first
    if count <= most:
        yield first, beyond
        return
    length = max(1, most // _WINDOWS)
    for window in range(_WINDOWS):
        start = first + window * count // _WINDOWS
        yield start, min(start + length, beyond)


def _samples(data: bytes) -> "array[int]":
    samples = array("h", data[: len(data) // 2 * 2])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples
