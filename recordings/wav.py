"""What a WAV file says of itself, as a PBX writes it and as it leaves it when it dies.

Pure.  Reads the beginning of a file, never the audio.  Asterisk writes the two lengths only when
it closes the file; a header whose lengths were never filled in is therefore normal after a crash,
and the file's own size is then believed.  `patch` says how the served bytes are mended, so that
a player reads the right length; the sealed evidence itself is never changed.
"""

import struct
from dataclasses import dataclass

PEEK = 4096
"""How many bytes of the file `understand` wants to see; Asterisk's own header has 44."""

_PCM = 1
_EXTENSIBLE = 0xFFFE
_NEVER_FILLED = (0, 0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Wav:
    """condition is one of tables.CONDITIONS; the audio is [data_offset, data_offset+data_size)."""

    condition: str
    data_offset: int = 0
    data_size: int = 0
    sample_rate: int = 0
    channels: int = 0
    frame_size: int = 0

    @property
    def duration_ms(self) -> int:
        """Length of the audio in milliseconds; 0 where it cannot be told."""
        if not self.sample_rate or not self.frame_size:
            return 0
        return self.data_size // self.frame_size * 1000 // self.sample_rate


def understand(beginning: bytes, file_size: int) -> Wav:
    """Tell what the file is from its first PEEK bytes and its size.  Never raises."""
    if file_size == 0:
        return Wav("empty")
    if len(beginning) < 12 or beginning[:4] != b"RIFF" or beginning[8:12] != b"WAVE":
        return Wav("damaged")
    form: tuple[int, int, int] | None = None
    at = 12
    while at + 8 <= len(beginning):
        name, size = struct.unpack_from("<4sI", beginning, at)
        at += 8
        if name == b"fmt ":
            form = _form(beginning[at : at + size])
        elif name == b"data":
            return _data(form, at, size, file_size)
        at += size + size % 2
    return Wav("damaged")


def patch(wav: Wav) -> tuple[tuple[int, bytes], ...]:
    """(offset, bytes) to put over the served bytes of a header whose lengths were never filled."""
    riff = struct.pack("<I", min(wav.data_offset + wav.data_size - 8, 0xFFFFFFFF))
    data = struct.pack("<I", min(wav.data_size, 0xFFFFFFFF))
    return ((4, riff), (wav.data_offset - 4, data))


def _form(chunk: bytes) -> tuple[int, int, int] | None:
    if len(chunk) < 16:
        return None
    kind, channels, rate, _, frame, _ = struct.unpack_from("<HHIIHH", chunk)
    return (rate, channels, frame) if kind in (_PCM, _EXTENSIBLE) and rate and frame else None


def _data(form: tuple[int, int, int] | None, offset: int, declared: int, file_size: int) -> Wav:
    if form is None:
        return Wav("damaged")
    rate, channels, frame = form
    there = file_size - offset
    if there <= 0:
        return Wav("empty", offset, 0, rate, channels, frame)
    if declared in _NEVER_FILLED:
        return Wav("header_unfilled", offset, there, rate, channels, frame)
    condition = "damaged" if declared > there else "ok"
    return Wav(condition, offset, min(declared, there), rate, channels, frame)
