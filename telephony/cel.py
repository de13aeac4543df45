"""The PBX's own log of every channel event (CEL), as our cel_custom.conf writes it: CSV.

AMI keeps nothing for whoever was away; CEL keeps everything, late. This module reads the file and
says which calls from outside it holds; it compares nothing and writes nothing.

`eventtime` in the file is the PBX's local time (`%F %T.%3q`); how far that is from UTC is an
argument, in minutes. The last line may still be being written: a line without its end is left out.
"""

import csv
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final

from telephony.errors import CelUnreadable
from telephony.events import interface_of

COLUMNS: Final = (
    "type",
    "time",
    "name",
    "number",
    "dnid",
    "exten",
    "context",
    "channel",
    "application",
    "data",
    "uniqueid",
    "linkedid",
    "peer",
    "extra",
)

_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\.(\d{3})")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CelEvent:
    """One line. `at`: µs since the epoch, to the millisecond."""

    type: str
    at: int
    name: str = field(repr=False)
    number: str = field(repr=False)
    exten: str
    context: str
    channel: str
    application: str
    data: str
    uniqueid: str
    linkedid: str
    peer: str


@dataclass(slots=True)
class CelCall:
    """One call from outside, as CEL holds it. Times in µs; `ended_at` None: not in the file."""

    linkedid: str
    started_at: int
    caller_number: str = field(default="", repr=False)
    caller_name: str = field(default="", repr=False)
    dialled: str = ""
    queue: str | None = None
    queued_at: int | None = None
    answered_at: int | None = None
    agent: str | None = None
    agent_leg: str | None = None
    """The unique id of the agent's channel, as AMI calls the leg."""
    recorded_at: int | None = None
    ended_at: int | None = None

    @property
    def queued(self) -> bool:
        """Whether it entered a queue."""
        return self.queued_at is not None

    @property
    def answered(self) -> bool:
        """Whether an agent took it: it was bridged out of the queue."""
        return self.answered_at is not None

    @property
    def recorded(self) -> bool:
        """Whether MixMonitor was started on it."""
        return self.recorded_at is not None


def read(
    path: Path, since_at: int = 0, until_at: int | None = None, *, utc_offset_min: int = 0
) -> Iterator[CelEvent]:
    """The file's events with `since_at` <= time < `until_at` (µs), in its order.

    Raises `CelUnreadable` for a line of other columns, `OSError` when there is no such file.
    """
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        rows = csv.reader(_whole_lines(file))
        while True:
            try:
                found = event_of(next(rows), utc_offset_min)
            except StopIteration:
                return
            except (ValueError, csv.Error):
                raise unreadable(rows.line_num) from None
            if found.at >= since_at and (until_at is None or found.at < until_at):
                yield found


def calls(
    events: Iterable[CelEvent], inbound: Collection[str] = frozenset({"from-pstn"})
) -> list[CelCall]:
    """The calls whose leading channel began in an inbound context, in the order they began."""
    found: dict[str, CelCall] = {}
    uniqueids: dict[str, str] = {}
    for event in events:
        uniqueids[event.channel] = event.uniqueid
        if begins(event, inbound):
            found[event.linkedid] = CelCall(
                linkedid=event.linkedid,
                started_at=event.at,
                caller_number=event.number,
                caller_name=event.name,
                dialled=event.exten,
            )
        elif event.uniqueid in found:  # joined to an older call, it bears that one's linkedid
            _lead(found[event.uniqueid], event, uniqueids)
    return list(found.values())


def begins(event: CelEvent, inbound: Collection[str]) -> bool:
    """Whether this is the first event of a call from outside."""
    leads = event.uniqueid == event.linkedid
    return leads and event.type == "CHAN_START" and event.context in inbound


def _lead(call: CelCall, event: CelEvent, uniqueids: Mapping[str, str]) -> None:
    """What one event of the caller's own channel adds."""
    match event.type, event.application:
        case "APP_START", "MixMonitor" if call.recorded_at is None:
            call.recorded_at = event.at
        case "APP_START", "Queue" if call.queued_at is None:
            call.queued_at = event.at
            call.queue = event.data.partition(",")[0]
        case "BRIDGE_ENTER", "Queue" if call.answered_at is None:
            call.answered_at = event.at
            call.agent = interface_of(event.peer) if event.peer else None
            call.agent_leg = uniqueids.get(event.peer)
        case "CHAN_END", _:
            call.ended_at = event.at


def _whole_lines(lines: Iterable[str]) -> Iterator[str]:
    """All lines that have their end: the PBX may be in the middle of the last one."""
    return (line for line in lines if line.endswith("\n"))


def unreadable(number: int) -> CelUnreadable:
    """The error for a record that has not our columns; `number` counts from 1."""
    return CelUnreadable(
        f"CEL 文件第 {number} 条无法读取，请使用随附的 cel_custom.conf。"
        f" Record {number} of the CEL file cannot be read: use the cel_custom.conf we ship."
    )


def event_of(row: list[str], utc_offset_min: int) -> CelEvent:
    """One record's columns understood. Raises `ValueError` for other columns or another time."""
    match = _TIME.fullmatch(row[1]) if len(row) == len(COLUMNS) else None
    if match is None:
        raise ValueError("columns")
    return CelEvent(
        type=row[0],
        at=_second(match[1]) + int(match[2]) * 1000 - utc_offset_min * 60_000_000,
        name=row[2],
        number=row[3],
        exten=row[5],
        context=row[6],
        channel=row[7],
        application=row[8],
        data=row[9],
        uniqueid=row[10],
        linkedid=row[11],
        peer=row[12],
    )


@lru_cache(maxsize=64)
def _second(text: str) -> int:
    """µs since the epoch; a busy PBX writes hundreds of lines with the same second."""
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
