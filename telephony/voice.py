"""Something like speech, for recordings of calls that never were: pure, and the same every time.

Two voices take turns: a buzz at the pitch of the voice, shaped into syllables, with a little noise
from the generator that is handed in. 8 kHz, 16 bit, mono, as MixMonitor writes it.
"""

import math
import random
import struct
from array import array
from sys import byteorder
from typing import Final

RATE: Final = 8_000

_TURN_S: Final = 2.5
_PITCHES_HZ: Final = (118.0, 205.0)


def speech(seconds: float, rng: random.Random) -> bytes:
    """Samples of that length, little-endian."""
    samples = array("h", (_sample(n / RATE, rng) for n in range(int(seconds * RATE))))
    if byteorder == "big":
        samples.byteswap()
    return samples.tobytes()


def header(size: int) -> bytes:
    """A WAV header for `size` bytes of samples; 0 as Asterisk writes it before it closes."""
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + size if size else 0,
        b"WAVE",
        b"fmt ",
        16,
        1,
        1,
        RATE,
        RATE * 2,
        2,
        16,
        b"data",
        size,
    )


def _sample(t: float, rng: random.Random) -> int:
    turn = int(t / _TURN_S)
    pitch = _PITCHES_HZ[turn % 2] * (1 + 0.06 * math.sin(2.3 * t))
    syllable = max(0.0, math.sin(math.tau * 3.4 * t)) * (0.6 + 0.4 * math.sin(1.7 * t + turn))
    breath = 1.0 if t % _TURN_S < _TURN_S - 0.4 else 0.0
    phase = math.tau * pitch * t
    buzz = math.sin(phase) + 0.5 * math.sin(2 * phase) + 0.25 * math.sin(5 * phase)
    return int(5_000 * breath * syllable * buzz + 60 * (rng.random() - 0.5))
