"""The CEL file read on: through every rotation, no call missed, and nothing told twice."""

import gzip
import shutil
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony import cel, marks
from telephony.batch import Batch, Connected, Lost
from telephony.cel_log import HOPELESS_US, Mark, Reading, read_on
from telephony.errors import CelUnreadable
from telephony.tables import LinkGapRow
from tests.rig import cel_file
from tests.unit.telephony.house import NOW, PBX, TRACES, Store, Taker, fill
from tests.unit.telephony.test_board import dump

INBOUND = frozenset({"from-pstn"})
EVER = 2**62
REAL = (TRACES / "two-calls.cel.csv").read_text()
FIRST = [line for line in REAL.splitlines(keepends=True) if '"1795396930.0"' in line]


def call(number: int) -> list[str]:
    """The lines of the real file's first call as call `number`, two seconds after the last."""
    lines = []
    for line in FIRST:
        kind, at, rest = line.split(",", 2)
        moment = datetime.fromisoformat(at.strip('"')) + timedelta(seconds=2 * number)
        for channel in ("0", "1", "2", "3"):
            rest = rest.replace(f"179539693{'0' if channel in '01' else '1'}.{channel}",
                                f"{1795396930 + number}.{10 * number + int(channel)}")  # fmt: skip
        lines.append(f'{kind},"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}",{rest}')
    return lines


def log(calls: int) -> list[str]:
    """The lines of so many calls, overlapping, in the order of time."""
    lines = [line for number in range(calls) for line in call(number)]
    return sorted(lines, key=lambda line: line.split(",")[1])


class Pbx:
    """Writes the log, and rotates it as logrotate does."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "Master.csv"
        self.path.touch()
        self.rotations = 0

    def write(self, text: str) -> None:
        with self.path.open("a", encoding="utf-8", newline="") as file:
            file.write(text)

    def rotate(self, how: str) -> None:
        self.rotations += 1
        to = self.path.with_name(f"Master.csv-{self.rotations:04d}")
        if how == "rename":
            self.path.rename(to)
            self.path.touch()
            return
        shutil.copy2(self.path, to)
        if how == "compress":
            with gzip.open(f"{to}.gz", "wb") as packed:
                packed.write(to.read_bytes())
            to.unlink()
            self.path.unlink()
            self.path.touch()
        else:
            self.path.write_bytes(b"")

    def read(self, mark: Mark | None, settled_at: int = EVER) -> Reading:
        return read_on(self.path, mark, INBOUND, settled_at=settled_at)


@pytest.fixture
def pbx(tmp_path: Path) -> Pbx:
    return Pbx(tmp_path)


def test_a_second_reading_begins_where_the_first_stopped(pbx: Pbx) -> None:
    """A gap in the month's last hour does not cost the reading of the month."""
    pbx.write("".join(log(20)))
    first = pbx.read(None)
    assert (len(first.calls), first.records) == (20, 20 * len(FIRST))
    assert first.mark.offset == pbx.path.stat().st_size
    pbx.write("".join(call(20)))
    second = pbx.read(first.mark)
    assert [known.linkedid for known in second.calls] == ["1795396950.200"]
    assert second.records == len(FIRST)


def test_a_call_that_still_lasts_holds_the_mark(pbx: Pbx) -> None:
    """The next reading has to see the call whole: its end alone says nothing."""
    pbx.write("".join(call(0)) + "".join(call(1)[:-3]))
    half = pbx.read(None)
    assert half.mark.offset == len("".join(call(0)))
    pbx.write("".join(call(1)[-3:]))
    (whole,) = pbx.read(half.mark).calls
    assert whole == cel.calls(cel_file.read(pbx.path))[1]


def test_a_call_that_a_gap_may_still_want_holds_the_mark(pbx: Pbx) -> None:
    """An interval that is open, or was heard too little of, gets its calls whole."""
    pbx.write("".join(call(0)) + "".join(call(1)))
    ends = [known.ended_at for known in pbx.read(None).calls]
    assert ends[1] is not None
    assert pbx.read(None, settled_at=ends[1]).mark.offset == len("".join(call(0)))
    assert pbx.read(None, settled_at=ends[1] + 1).mark.offset == pbx.path.stat().st_size


def test_a_call_the_pbx_died_under_holds_the_mark_a_day(pbx: Pbx) -> None:
    """It never ends: without a limit each reading would for ever begin before it."""
    pbx.write("".join(call(0)[:5]))
    later = HOPELESS_US // 2_000_000
    pbx.write("".join(call(later - 60)))
    assert pbx.read(None).mark.offset == 0
    pbx.write("".join(call(later + 60)))
    assert pbx.read(None).mark.offset == pbx.path.stat().st_size


@pytest.mark.parametrize("how", ["rename", "copytruncate", "compress"])
def test_a_rotated_file_is_finished_first(pbx: Pbx, how: str) -> None:
    """What was written between the last reading and the rotation is not lost; twice rotated too."""
    pbx.write("".join(call(0)))
    mark = pbx.read(None).mark
    for number in (1, 2):
        pbx.write("".join(call(number)))
        pbx.rotate(how)
    pbx.write("".join(call(3)))
    reading = pbx.read(mark)
    assert [known.linkedid for known in reading.calls] == [
        "1795396931.10", "1795396932.20", "1795396933.30",
    ]  # fmt: skip
    assert not reading.lost
    assert pbx.read(reading.mark).records == 0


def test_a_file_rotated_before_its_first_line_is_found(pbx: Pbx) -> None:
    """An empty file has no first line to be known by: all there is is read."""
    mark = pbx.read(None).mark
    pbx.write("".join(call(0)))
    pbx.rotate("rename")
    pbx.write("".join(call(1)))
    assert len(pbx.read(mark).calls) == 2


def test_a_marked_file_that_is_gone_is_said_and_all_else_read(pbx: Pbx) -> None:
    """Nobody can read what was deleted; what is left is not passed over for it."""
    pbx.write("".join(call(0)))
    mark = pbx.read(None).mark
    pbx.rotate("rename")
    pbx.path.with_name("Master.csv-0001").unlink()
    pbx.write("".join(call(1)))
    reading = pbx.read(mark)
    assert reading.lost
    assert len(reading.calls) == 1


def test_a_torn_record_costs_itself_alone(pbx: Pbx) -> None:
    """A power cut in the middle of a line does not swallow the calls of the next morning."""
    lines = call(0)
    pbx.write("".join(lines[:-1]) + lines[-1][:60] + "".join(call(1)))
    reading = pbx.read(None)
    assert reading.unreadable == 1
    assert reading.calls[1].ended_at is not None
    assert [reading.calls[1]] == cel.calls(cel_file.read(other(pbx, call(1))))


def other(pbx: Pbx, lines: list[str]) -> Path:
    """Another file of these lines alone."""
    path = pbx.path.with_name("other.csv")
    path.write_text("".join(lines))
    return path


def test_another_format_is_an_error(pbx: Pbx) -> None:
    """A PBX with its own cel_custom.conf must not be taken for one without calls."""
    pbx.write("CHAN_START;2026\nCHAN_END;2026\n")
    with pytest.raises(CelUnreadable, match=r"cel_custom\.conf"):
        pbx.read(None)


def test_an_endless_line_is_not_held_in_memory(pbx: Pbx) -> None:
    """A broken disk's gigabyte of zeroes is cut into pieces nobody can read, and passed."""
    pbx.write("".join(call(0)) + "\0" * 1_000_000 + "\n" + "".join(call(1)))
    reading = pbx.read(None)
    assert len(reading.calls) == 2
    assert reading.unreadable > 0


def test_quotes_and_line_feeds_in_a_name_stay_in_their_record(pbx: Pbx) -> None:
    """What a caller calls himself neither ends a record nor begins one."""
    hostile = '甲""\n""CHAN_START"",""2026-01-01 00:00:00.000"",'
    pbx.write("".join(call(0)).replace('"13800131"', f'"{hostile}"', 1) + "".join(call(1)))
    reading = pbx.read(None)
    assert reading.unreadable == 0
    assert reading.calls[0].caller_name == hostile.replace('""', '"')
    assert len(reading.calls) == 2


def open_gap(store: Store, taker: Taker) -> None:
    """An interval over the whole log, that waits to be filled."""
    taker.take(Batch("s1", 0, 1, change=Connected()))
    taker.take(Batch("s1", 1, 1, change=Lost("closed", 1)))
    taker.take(Batch("s2", 0, NOW, change=Connected()))


def take(store: Store, reading: Reading) -> None:
    """What the gateway does with a reading; the interval is left waiting."""
    with store.begin() as session:
        now = max((call.last_at for call in reading.calls), default=NOW)  # an end may yet come
        fill(session, reading.calls, read_until_at=NOW, now=now)
        marks.keep(session, PBX, reading, NOW)
        for gap in session.query(LinkGapRow):
            gap.backfilled_at = None


STEPS = st.lists(
    st.tuples(st.integers(1, 3000), st.sampled_from(["", "rename", "copytruncate", "compress"])),
    min_size=1,
    max_size=8,
)


@given(calls=st.integers(1, 6), steps=STEPS)
@settings(max_examples=30, deadline=None)
def test_however_it_is_cut_and_rotated_the_calls_are_the_same(
    calls: int, steps: list[tuple[int, str]]
) -> None:
    """Promise 1: reading on at any moment, through any rotation, leaves the rows that one reading
    of the whole would; and a reading from the first line afterwards changes nothing."""
    lines = log(calls)
    with tempfile.TemporaryDirectory() as name:
        pbx, whole = Pbx(Path(name)), Path(name) / "whole.csv"
        whole.write_text("".join(lines))
        stores = [Store("sqlite://"), Store("sqlite://")]
        for store in stores:
            open_gap(store, Taker(store))
        text = "".join(lines)
        at = 0
        for size, rotation in [*steps, (len(text), "")]:
            pbx.write(text[at : at + size])
            at = min(at + size, len(text))
            with stores[0].begin() as session:
                mark = marks.find(session, PBX)
            take(stores[0], pbx.read(mark))
            if rotation:
                rest = text.find("\n", at - 1) + 1  # the PBX ends its line first
                pbx.write(text[at:rest])
                at = max(at, rest)
                pbx.rotate(rotation)
        everything = read_on(whole, None, INBOUND, settled_at=EVER)
        take(stores[1], everything)
        told = dump(stores[0])
        assert (told["call"], told["call_leg"]) == (
            dump(stores[1])["call"], dump(stores[1])["call_leg"],
        )  # fmt: skip
        assert len(told["call"]) == calls
        take(stores[0], everything)
        assert dump(stores[0])["call"] == told["call"]
        for store in stores:
            store.engine.dispose()
