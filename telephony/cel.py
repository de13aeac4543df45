"""The PBX's own log of every channel event (CEL), as our cel_custom.conf writes it: CSV.

AMI keeps nothing for whoever was away; CEL keeps everything, late. This module knows the columns;
files are `cel_log`'s, and what the lines mean, and which calls they are, is `cel_story`'s to say.

`eventtime` in the file is the PBX's local time with its distance from UTC (`%F %T.%3q%z`): right
also in the hour that daylight saving repeats, and when the PBX's zone is changed. A file of the
first days has no distance (`%F %T.%3q`): then it is an argument, in minutes. The last line may
still be being written: a line without its end is left out.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from telephony.cel_call import CelCall, CelEvent, begins
from telephony.cel_story import calls
from telephony.errors import CelUnreadable

__all__ = ["COLUMNS", "CelCall", "CelEvent", "begins", "calls", "event_of", "unreadable"]

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
