"""The PBX's own log of every channel event (CEL), as our cel_custom.conf writes it: CSV.

AMI keeps nothing for whoever was away; CEL keeps everything, late. This module reads the file and
says which calls it holds, from outside or placed by us; it compares nothing and writes nothing.

`eventtime` in the file is the PBX's local time with its distance from UTC (`%F %T.%3q%z`): right
also in the hour that daylight saving repeats, and when the PBX's zone is changed. A file of the
first days has no distance (`%F %T.%3q`): then it is an argument, in minutes. The last line may
still be being written: a line without its end is left out.
"""

import csv
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final

from telephony.errors import CelUnreadable
from telephony.events import interface_of
from telephony.outgoing import is_outgoing

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

_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\.(\d{3})(?:([+-])(\d\d)([0-5]\d))?")
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
    extra: str = ""


@dataclass(slots=True)
class CelCall:
    """One call, as CEL holds it. Times in µs; `ended_at` None: not in the file. Of one we placed,
    `answered_at` is when the person took it, and `agent_leg` the person's channel."""

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
    picked_up_at: int | None = None
    """Placed by us: when the agent took their own phone up."""
    hangup_cause: int = 0
    """Placed by us: the Q.850 cause of the agent's channel."""

    @property
    def outgoing(self) -> bool:
        """Whether we placed it."""
        return is_outgoing(self.linkedid)

    @property
    def queued(self) -> bool:
        """Whether it entered a queue."""
        return self.queued_at is not None

    @property
    def answered(self) -> bool:
        """Whether an agent took it out of the queue, or the person we called answered."""
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
    """The calls whose leading channel began in an inbound context or bears a name that we gave, in
    the order they began."""
    found: dict[str, CelCall] = {}
    uniqueids: dict[str, str] = {}
    called: dict[str, CelCall] = {}
    for event in events:
        uniqueids[event.channel] = event.uniqueid
        if begins(event, inbound):
            found[event.linkedid] = _begun(event)
            continue
        call = called.get(event.uniqueid) or found.get(event.linkedid)
        if call is None:
            continue
        if call.outgoing:
            _placed(call, event, uniqueids)
            if call.agent_leg is not None:
                called[call.agent_leg] = call
        elif event.uniqueid == event.linkedid:
            _lead(call, event, uniqueids)
    return list(found.values())


def begins(event: CelEvent, inbound: Collection[str]) -> bool:
    """Whether this is the first event of a call from outside, or of one that we placed."""
    leads = event.uniqueid == event.linkedid
    wanted = event.context in inbound or is_outgoing(event.uniqueid)
    return leads and event.type == "CHAN_START" and wanted


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


def _begun(event: CelEvent) -> CelCall:
    """The call that its first event stands for. One we placed begins with the agent's own phone,
    and whom it is for is told later."""
    if is_outgoing(event.linkedid):
        return CelCall(event.linkedid, event.at, agent=interface_of(event.channel))
    return CelCall(
        linkedid=event.linkedid,
        started_at=event.at,
        caller_number=event.number,
        caller_name=event.name,
        dialled=event.exten,
    )


def _placed(call: CelCall, event: CelEvent, uniqueids: Mapping[str, str]) -> None:
    """What one event adds to a call we placed: of the agent's channel, or of the person's, which
    is recorded and with which the call ends once they have answered."""
    agents = event.uniqueid == call.linkedid
    match event.type, event.application:
        case "APP_START", "MixMonitor" if call.recorded_at is None:
            call.recorded_at = event.at
        case "ANSWER", _ if agents and call.picked_up_at is None:
            call.picked_up_at = event.at
        case "APP_START", "Dial" if agents and not call.dialled:
            call.caller_number = call.dialled = event.exten
        case "BRIDGE_ENTER", "Dial" if agents and call.answered_at is None:
            call.answered_at = event.at
            call.agent_leg = uniqueids.get(event.peer)
        case "HANGUP", _ if agents:
            call.hangup_cause = _cause(event.extra)
        case "CHAN_END", _ if event.uniqueid == (call.agent_leg or call.linkedid):
            call.ended_at = event.at


def _cause(extra: str) -> int:
    """The Q.850 number that a HANGUP carries; 0 when it cannot be read."""
    try:
        return int(json.loads(extra)["hangupcause"])
    except (ValueError, KeyError, TypeError):
        return 0


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
        at=_second(match[1])
        + int(match[2]) * 1000
        - _ahead_min(match, utc_offset_min) * 60_000_000,
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
        extra=row[13],
    )


def _ahead_min(match: re.Match[str], otherwise: int) -> int:
    """How far ahead of UTC the time is written, in minutes."""
    if match[3] is None:
        return otherwise
    minutes = int(match[4]) * 60 + int(match[5])
    return -minutes if match[3] == "-" else minutes


@lru_cache(maxsize=64)
def _second(text: str) -> int:
    """µs since the epoch; a busy PBX writes hundreds of lines with the same second."""
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
