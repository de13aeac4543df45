"""CEL: the PBX's own record is read as it is written, and says which calls there were."""

import csv
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony import cel, cel_source
from tests.rig import cel_file
from tests.unit.telephony.house import TRACES

REAL = TRACES / "two-calls.cel.csv"
SECOND = 1_000_000
FIRST_AT = 1_795_396_930_899_000


def first_row(spoil: Callable[[str], str] = str) -> list[str]:
    """The columns of a real file's first line, after something was done to it."""
    (row,) = csv.reader([spoil(REAL.read_text().splitlines()[0])])
    return row


def test_a_real_file_holds_its_two_calls() -> None:
    """`reconcile` counts against these: both calls, answered, recorded, by whom and how long."""
    first, second = cel.calls(cel_file.read(REAL))
    assert (first.linkedid, second.linkedid) == ("1795396930.0", "1795396931.2")
    assert first.started_at == FIRST_AT
    assert (first.queued, first.answered, first.recorded) == (True, True, True)
    assert (first.queue, first.agent, first.dialled) == ("hotline", "PJSIP/8003", "12333")
    assert first.ended_at is not None
    assert 4 * SECOND < first.ended_at - first.started_at < 6 * SECOND


def test_the_pbxs_local_time_becomes_utc() -> None:
    """A PBX on China Standard Time writes 8 hours ahead: the calls must meet their AMI times."""
    assert cel.event_of(first_row(), 480).at == FIRST_AT - 8 * 3600 * SECOND


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: line.replace('","', '";"', 1),
        lambda line: line.replace("2026-11-23", "soon", 1),
        lambda line: line.replace("2026-11-23", "2026-13-32", 1),
    ],
)
def test_other_columns_are_an_error(spoil: Callable[[str], str]) -> None:
    """A PBX with its own cel_custom.conf must not be counted as one without calls."""
    with pytest.raises(ValueError):  # noqa: PT011 - `cel_log` says where, and what to do
        cel.event_of(first_row(spoil), 0)


def test_agents_channels_and_other_contexts_are_no_calls() -> None:
    """Only the leading channel that comes in from outside is a call."""
    events = list(cel_file.read(REAL))
    assert cel.calls(events, inbound={"elsewhere"}) == []
    assert cel.calls([event for event in events if event.uniqueid != event.linkedid]) == []


def test_a_callers_name_cannot_break_a_record(tmp_path: Path) -> None:
    """Quotes, a lone carriage return and U+2028 in a name stay inside their column."""
    name = '甲""\r\u2028\x85","CHAN_END'.replace('","', '"",""')
    line = REAL.read_text().splitlines(keepends=True)[0]
    hostile = tmp_path / "Master.csv"
    hostile.write_text(line.replace('"13800131"', f'"{name}"', 1), encoding="utf-8", newline="")
    reading = cel_source.read_on(
        hostile, None, frozenset({"from-pstn"}), settled_at=0, utc_offset_min=0
    )
    (call,) = reading.calls
    assert call.caller_name == '甲"\r\u2028\x85","CHAN_END'


def line(time: str) -> list[str]:
    """A record with that time."""
    return ["CHAN_START", time, *[""] * 8, "1.1", "1.1", "", ""]


@pytest.mark.parametrize(
    ("earlier", "later", "apart_s"),
    [
        ("2026-11-01 01:59:59.500-0400", "2026-11-01 01:00:00.500-0500", 1),  # an hour told twice
        ("2026-03-08 01:59:59.500-0500", "2026-03-08 03:00:00.500-0400", 1),  # an hour left out
        ("2026-11-30 23:59:59.500+0800", "2026-12-01 00:00:00.500+0800", 1),  # midnight and month
        ("2026-11-30 23:59:59.500+0800", "2026-11-30 16:00:00.500+0000", 1),  # the PBX was moved
        ("1986-09-13 23:30:00.000+0900", "1986-09-13 23:00:00.000+0800", 1800),  # China, long ago
        ("2026-11-30 10:00:00.000+0545", "2026-11-30 04:15:01.000+0000", 1),  # Nepal
    ],
)
def test_no_change_of_clocks_is_misread(earlier: str, later: str, apart_s: int) -> None:
    """The log's own distance from UTC counts, whatever the setting says: no call gets longer or
    shorter, and none changes its place, when the PBX's clock is put on or back."""
    first, second = (cel.event_of(line(time), 480).at for time in (earlier, later))
    assert second - first == apart_s * SECOND


@given(st.integers(0, 4_000_000_000_000), st.integers(-12 * 60, 14 * 60))
def test_a_moment_is_read_as_it_was_in_any_zone(ms: int, ahead_min: int) -> None:
    """Whatever zone a PBX is in, its log and its AMI name the same moment."""
    zone = timezone(timedelta(minutes=ahead_min))
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    local = moment.astimezone(zone)
    text = f"{local:%Y-%m-%d %H:%M:%S}.{ms % 1000:03d}{local:%z}"
    assert cel.event_of(line(text), 7).at == ms * 1000
