"""The CEL file as a log that is read on: from where the last reading stopped, through rotations.

A `Mark` is a place in the log: the file's inode, the offset in it, and the SHA-256 of its first
line. The inode finds a file that was renamed (`Master.csv` → `Master.csv.1`), the first line one
that was copied and cut (`copytruncate`) or compressed. What always holds:

- A rotated file is finished before the newer one is begun; several rotations are walked in order.
- Only whole records count: a last line still being written is left for the next reading.
- The mark answered never passes a call that may still be wanted: one that has not ended, or ended
  after `settled_at`. So the next reading begins with whole calls again, and nothing about half
  known calls has to be kept. A call without an end that is older than `HOPELESS_US` holds the
  mark no longer: the PBX died under it.
- A record that cannot be read (torn by a power cut) is counted and left out; a portion in which
  nothing can be read is another format, and raises.

Reading again what was read before is harmless to whoever takes the calls (`backfill`), so where the
marked file is gone, everything that is left is read. It writes nothing and knows no clock.
"""

import csv
import glob
import gzip
import hashlib
import os
import re
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Final, cast

from telephony import cel
from telephony.cel import CelCall, CelEvent

LONGEST: Final = 65_536  # bytes of one record; real ones have some 200
HOPELESS_US: Final = 24 * 3600 * 1_000_000

_TORN: Final = (EOFError, zlib.error, gzip.BadGzipFile)  # a copy still being compressed
_BEGINS: Final = re.compile(rb'"[A-Z_0-9]+","\d{4}-\d\d-\d\d ')


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the log. `head`: '' while the log has no whole line at all."""

    inode: int
    offset: int
    head: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reading found. `lost`: the marked file is gone, what else it held is not known."""

    calls: list[CelCall]
    mark: Mark
    records: int
    unreadable: int
    lost: bool


@dataclass(frozen=True, slots=True)
class _Portion:
    """One file of the log, opened, and from where on it is to be read."""

    file: IO[bytes]
    inode: int
    head: str
    offset: int

    def at(self, offset: int) -> Mark:
        return Mark(self.inode, offset, self.head)


@dataclass(slots=True)
class _Tally:
    """What is learnt in passing while the events stream by."""

    inbound: Collection[str]
    end: Mark
    begun: dict[str, Mark] = field(default_factory=dict)
    records: int = 0
    unreadable: int = 0
    latest_at: int = 0


def read_on(
    path: Path,
    mark: Mark | None,
    inbound: Collection[str],
    *,
    settled_at: int,
    utc_offset_min: int = 0,
) -> Reading:
    """Every call with a record after `mark` (None: of all that is there), and the next mark.

    `settled_at` (µs): calls that ended before it will not be asked for again. Raises `OSError`
    when there is no such file, `CelUnreadable` when nothing of what follows can be read.
    """
    with ExitStack() as opened:
        portions, lost = _portions(path, mark, opened)
        tally = _Tally(inbound, portions[0].at(portions[0].offset))
        calls = cel.calls(_events(portions, tally, utc_offset_min), inbound)
    if tally.unreadable and not tally.records:
        raise cel.unreadable(1)
    held = wanted(calls, tally.latest_at, settled_at)
    end = tally.end if held is None else tally.begun[held]
    return Reading(calls, end, tally.records, tally.unreadable, lost)


def wanted(calls: Sequence[CelCall], latest_at: int, settled_at: int) -> str | None:
    """The first call that may be asked for again; calls stand in the order in which they began.

    `latest_at` (µs): the last stamp that was read."""
    for call in calls:
        over_at = call.over_at
        hopeless = over_at is None and call.started_at < latest_at - HOPELESS_US
        if not hopeless and (over_at is None or over_at >= settled_at):
            return call.linkedid
    return None


def _events(portions: list[_Portion], tally: _Tally, utc_offset_min: int) -> Iterator[CelEvent]:
    for portion in portions:
        ended = portion.offset
        for began, ended, record in _records(portion.file, portion.offset):  # noqa: B007
            event = _event(record, utc_offset_min)
            if event is None:
                tally.unreadable += 1
                event = _event(record[_torn_at(record) :], utc_offset_min)
            if event is None:
                continue
            tally.records += 1
            tally.latest_at = max(tally.latest_at, event.at)
            if cel.begins(event, tally.inbound):
                tally.begun[event.linkedid] = portion.at(began)
            yield event
        if portion.head:  # a place in a file without a line could not be found again
            tally.end = portion.at(ended)


def _event(record: bytes, utc_offset_min: int) -> CelEvent | None:
    text = record.decode("utf-8", "replace")
    row = text[1:-2].split('","')
    try:
        if len(row) != len(cel.COLUMNS) or text.count('"') != 2 * len(row):
            (row,) = csv.reader([text])  # some value holds quotes
        return cel.event_of(row, utc_offset_min)
    except (ValueError, csv.Error):
        return None


def _torn_at(record: bytes) -> int:
    """Where, in a line that cannot be read, another record begins: the first lost its end."""
    return max((match.start() for match in _BEGINS.finditer(record)), default=0)


def _records(file: IO[bytes], offset: int) -> Iterator[tuple[int, int, bytes]]:
    """Whole records with their begin and end. A line feed inside quotes belongs to its record,
    unless what follows begins one: then the first was torn, and is given as it is."""
    file.seek(offset)
    record, began, at = b"", offset, offset
    while line := _line(file):
        whole = line.endswith(b"\n")
        if not whole and len(line) < LONGEST:
            break  # being written
        if record and (_BEGINS.match(line) or len(record) > LONGEST):
            yield began, at, record
            record, began = b"", at
        record += line
        at += len(line)
        if whole and record.count(b'"') % 2 == 0:
            yield began, at, record
            record, began = b"", at


def _line(file: IO[bytes]) -> bytes:
    """The next line, or as much of it as a record may have; b'' at the end."""
    try:
        return file.readline(LONGEST)
    except _TORN:
        return b""


def _portions(path: Path, mark: Mark | None, opened: ExitStack) -> tuple[list[_Portion], bool]:
    """The files to read, oldest first, and whether the marked one is gone."""
    current = _open(path, opened)
    if mark is not None and _holds(current, mark):
        return [replace(current, offset=mark.offset)], False
    older = [_open(file, opened) for file in _rotated(path)]
    older = [portion for portion in older if portion.inode != current.inode]
    if mark is None or not mark.head:
        return [*older, current], False
    known = [index for index, portion in enumerate(older) if _holds(portion, mark)]
    if not known:
        return [*older, current], True
    at = next((index for index in known if older[index].inode == mark.inode), known[-1])
    newer = [portion for index, portion in enumerate(older) if index > at and index not in known]
    return [replace(older[at], offset=mark.offset), *newer, current], False


def _rotated(path: Path) -> list[Path]:
    """The elder files of the log, oldest first."""
    beside = [file for file in path.parent.glob(glob.escape(path.name) + "[.-]*") if file.is_file()]
    return sorted(beside, key=lambda file: (file.stat().st_mtime_ns, file.name))


def _open(path: Path, opened: ExitStack) -> _Portion:
    opener = gzip.GzipFile if path.suffix == ".gz" else Path.open
    file = opened.enter_context(cast("IO[bytes]", opener(path, "rb")))
    first = _line(file)
    head = hashlib.sha256(first).hexdigest() if first.endswith(b"\n") else ""
    return _Portion(file, os.fstat(file.fileno()).st_ino, head, 0)


def _holds(portion: _Portion, mark: Mark) -> bool:
    """Whether this is the marked file, or a copy of it, as long as it was at least."""
    if not mark.head or portion.head != mark.head:
        return False
    return portion.file.seek(0, os.SEEK_END) >= mark.offset
