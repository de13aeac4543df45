"""Batches in a local file, for as long as the database does not keep up: a queue on disk.

A file is a header (magic, where taking goes on) and records, each its length, the CRC-32 of its
body, and the body: a line of JSON (link session, seq, time, change) and the messages' bytes as they
came. What always holds:

- Taken in the order appended. A batch is offered until `done`; its name (link session, seq) stays
  the same, so one that was committed before a crash is known by the journal when it comes again.
- After a crash `Spill` opens on what was there. A record that is cut off, or whose CRC is wrong,
  ends the file: what follows it was never whole.
- Appending and `done` end with fdatasync. A killed process would lose nothing without it; it is
  there for the power cut, after which a stale header would offer long-finished words again. Both
  are called by threads that may wait: never by the one that reads the socket.
- Bounded: beyond `limit` bytes `append` raises `OSError`, as it does when the disk is full, and has
  then changed nothing.

It knows neither the database nor the PBX. One process at a time opens a file.
"""

import errno
import glob
import json
import os
import struct
import threading
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

from telephony.batch import Batch, Connected, Lost
from telephony.wire import Wire

LIMIT: Final = 1024**3  # twenty minutes of a PBX at 2 000 events a second

_MAGIC: Final = b"hlspill1"
_HEADER: Final = struct.Struct(">8sQ")
_FRAME: Final = struct.Struct(">II")


class Spill:
    """One file; `append` and `next`/`done` may be called by different threads."""

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        """Opens or makes the file. Raises `OSError`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._limit = limit
        self._lock = threading.Lock()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._taken = self._written = _HEADER.size
        self._offered = 0
        head = os.pread(self._file, _HEADER.size, 0)
        if len(head) == _HEADER.size and head.startswith(_MAGIC):
            self._taken = self._written = _HEADER.unpack(head)[1]
            while (body := self._body(self._written)) is not None:
                self._written += _FRAME.size + len(body)
        os.ftruncate(self._file, self._written)
        self._mark()

    @property
    def waiting(self) -> bool:
        """Whether it holds anything that is not `done`."""
        return self._taken < self._written

    @property
    def begun(self) -> bool:
        """Whether `next` was called since the last `done`."""
        return self._offered > 0

    def append(self, batches: Sequence[Batch]) -> None:
        """Keeps the batches, in order; all of them or, raising `OSError`, none."""
        data = b"".join(_framed(_packed(batch)) for batch in batches)
        with self._lock:
            if self._written + len(data) > self._limit:
                raise OSError(errno.EDQUOT, "spill limit")
            at = self._written
            while data:  # what is half written is beyond the end, and overwritten next time
                at += (put := os.pwrite(self._file, data, at))
                data = data[put:]
            os.fdatasync(self._file)
            self._written = at

    def next(self) -> Batch | None:
        """The oldest batch that is not `done`; None when there is none."""
        with self._lock:
            body = self._body(self._taken) if self.waiting else None
            if body is None:
                self._taken = self._written  # nothing left that can be read
                return None
            self._offered = _FRAME.size + len(body)
        return _unpacked(body)

    def done(self) -> None:
        """The batch last given by `next` is committed."""
        with self._lock:
            self._taken += self._offered
            self._offered = 0
            if not self.waiting:
                self._taken = self._written = _HEADER.size
                os.ftruncate(self._file, _HEADER.size)
            self._mark()

    def clear(self) -> None:
        """Forgets all that waits: whoever has the link now makes it good."""
        with self._lock:
            self._taken = self._written = _HEADER.size

    def close(self) -> None:
        """Lets go of the file, and removes it when it holds nothing."""
        with self._lock:
            os.close(self._file)
            if not self.waiting:
                self._path.unlink(missing_ok=True)

    def _mark(self) -> None:
        os.pwrite(self._file, _HEADER.pack(_MAGIC, self._taken), 0)
        os.fdatasync(self._file)

    def _body(self, at: int) -> bytes | None:
        frame = os.pread(self._file, _FRAME.size, at)
        if len(frame) < _FRAME.size:
            return None
        length, crc = _FRAME.unpack(frame)
        if length == 0 or length > self._limit:
            return None
        body = os.pread(self._file, length, at + _FRAME.size)
        return body if len(body) == length and zlib.crc32(body) == crc else None


def name(pbx: str, fence: int) -> str:
    """The file of whoever has that PBX under that fence."""
    return f"{quote(pbx, safe='')}.{fence}"


def files(folder: Path, pbx: str) -> list[Path]:
    """That PBX's files in `folder`, one a fence."""
    return sorted(folder.glob(f"{glob.escape(quote(pbx, safe=''))}.*"))


def waiting_bytes(files: Iterable[Path]) -> int:
    """How much lies in these files that is not `done`; asked beside whoever has them open."""
    found = 0
    for file in files:
        with suppress(FileNotFoundError), file.open("rb") as opened:
            head = opened.read(_HEADER.size)
            size = os.fstat(opened.fileno()).st_size
            known = len(head) == _HEADER.size and head.startswith(_MAGIC)
            found += max(0, size - (_HEADER.unpack(head)[1] if known else 0))
    return found


def _framed(body: bytes) -> bytes:
    return _FRAME.pack(len(body), zlib.crc32(body)) + body


def _packed(batch: Batch) -> bytes:
    change: list[object] | None = None
    match batch.change:
        case Connected():
            change = []
        case Lost(reason, last_packet_at):
            change = [reason, last_packet_at]
    head = [batch.link_session, batch.seq, batch.received_at, change]
    return json.dumps(head).encode() + b"\n" + batch.raw


def _unpacked(body: bytes) -> Batch:
    head, _, raw = body.partition(b"\n")
    link_session, seq, received_at, change = json.loads(head)
    messages = tuple(Wire(greeted=True).feed(raw))
    came = Connected() if change == [] else Lost(*change) if change else None
    return Batch(link_session, seq, received_at, messages, came)
