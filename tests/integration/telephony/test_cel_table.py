"""CEL in the PBX's own PostgreSQL: what a real Asterisk writes there is read as its file is."""

import secrets
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from telephony import cel, cel_source, cel_table
from telephony.cel_log import Mark, Reading
from telephony.cel_table import Table
from telephony.errors import CelUnreadable
from tests.rig import cel_file
from tests.rig.asterisk import asterisk, free_ports
from tests.rig.postgres import Postgres, postgres

SHIPPED = Path(__file__).resolve().parents[3] / "deploy" / "asterisk" / "cel.sql"
INBOUND = frozenset({"from-pstn"})
START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
S = 1_000_000
LATER = 2**62


def at(seconds: float) -> int:
    return int(START.timestamp() * S) + int(seconds * S)


def furnished(cluster: Postgres, name: str) -> None:
    """The database as the head of cel.sql has it made."""
    how = ("--encoding", "LATIN1", "--locale", "C", "--template", "template0")
    cluster.run("createdb", *cluster.where, *how, name)
    readable = cluster.directory / f"{name}.sql"
    readable.write_text(SHIPPED.read_text(encoding="utf-8"), encoding="utf-8")
    readable.chmod(0o644)
    cluster.run("psql", *cluster.where, "-d", name, "-v", "ON_ERROR_STOP=1", "-f", str(readable))


@pytest.fixture
def url(postgres_cluster: Postgres) -> str:
    """An empty CEL database."""
    name = f"cel_{secrets.token_hex(4)}"
    furnished(postgres_cluster, name)
    return f"postgresql://postgres@/{name}?host={postgres_cluster.directory}"


@pytest.fixture
def writer(url: str) -> Iterator[psycopg.Connection]:
    """Whoever writes, as the PBX does: each row by itself."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def row(writer: psycopg.Connection, kind: str, linkedid: str, seconds: float, **more: str) -> None:
    """One row of the caller's own channel."""
    said = {
        "eventtype": kind, "eventtime": (START + timedelta(seconds=seconds)).replace(tzinfo=None),
        "uniqueid": linkedid, "linkedid": linkedid, "context": "from-pstn", "exten": "12333",
        "cid_num": "13800138013", "channame": f"PJSIP/trunk-{linkedid}", **more,
    }  # fmt: skip
    names, places = ", ".join(said), ", ".join(["%s"] * len(said))
    asked = f"INSERT INTO cel ({names}) VALUES ({places})"
    writer.execute(asked.encode(), list(said.values()))


def call(writer: psycopg.Connection, linkedid: str, seconds: float) -> None:
    """A whole call of five seconds."""
    row(writer, "CHAN_START", linkedid, seconds)
    row(writer, "APP_START", linkedid, seconds + 1, appname="Queue", appdata="hotline,,,,60")
    row(writer, "CHAN_END", linkedid, seconds + 5)


def read(url: str, mark: Mark | None = None, settled_at: int = LATER) -> Reading:
    return cel_table.read_on(Table.parse(url), mark, INBOUND, settled_at=settled_at)


def test_a_real_pbx_writes_the_same_into_its_table_as_into_its_file() -> None:
    """Real calls, one with a Chinese name, one with bytes that are no text at all: not one row is
    refused, and file and table tell the same calls."""
    (port,) = free_ports(1)
    callers = [("13800138001", "王小明 𠮷"), ("13800138002", "\udcff\udcfe")]
    with postgres(port) as cluster:
        cluster.run("createuser", *cluster.where, "-s", "asterisk")
        furnished(cluster, "asterisk_cel")
        with asterisk(cel_port=port) as pbx:
            assert pbx.place_calls(2, 1, 1500, callers=callers).successful == 2
            time.sleep(1)
            table = Table.parse(f"postgresql://asterisk@127.0.0.1:{port}/asterisk_cel")
            reading = cel_source.read_on(table, None, INBOUND, settled_at=LATER)
            filed = cel.calls(cel_file.read(pbx.cel), INBOUND)
    assert [one.linkedid for one in reading.calls] == [one.linkedid for one in filed]
    for tabled, known in zip(reading.calls, filed, strict=True):
        assert abs(tabled.started_at - known.started_at) < 1000
        assert abs((tabled.ended_at or 0) - (known.ended_at or 0)) < 1000
        for name in ("caller_name", "caller_number", "queue", "agent", "agent_leg", "dialled",
                     "answered", "recorded", "queued", "hangup_cause"):  # fmt: skip
            assert getattr(tabled, name) == getattr(known, name), name
    assert reading.unreadable == 0
    assert {one.caller_name for one in filed} >= {"王小明 𠮷"}


def test_reading_goes_on_after_the_mark(url: str, writer: psycopg.Connection) -> None:
    """A second reading has the new call alone, and one that is still up is read whole again."""
    call(writer, "1.1", 0)
    row(writer, "CHAN_START", "2.1", 10)
    first = read(url)
    assert [(one.linkedid, one.ended_at) for one in first.calls] == [
        ("1.1", at(5)), ("2.1", None),
    ]  # fmt: skip
    row(writer, "CHAN_END", "2.1", 20)
    call(writer, "3.1", 30)
    second = read(url, first.mark)
    assert [(one.linkedid, one.started_at) for one in second.calls] == [
        ("2.1", at(10)), ("3.1", at(30)),
    ]  # fmt: skip
    third = read(url, second.mark)
    assert (third.calls, third.mark, third.records) == ([], second.mark, 0)


def test_a_row_that_commits_late_is_not_passed(url: str, writer: psycopg.Connection) -> None:
    """The order of ids is not that of commits: a call whose rows become visible after later ones
    were read is found by the next reading."""
    with psycopg.connect(url) as slow:
        call(slow, "1.1", 0)
        call(writer, "2.1", 10)
        first = read(url)
        assert [one.linkedid for one in first.calls] == ["2.1"]
        slow.commit()
    second = read(url, first.mark)
    assert [one.linkedid for one in second.calls] == ["1.1", "2.1"]


def test_the_mark_keeps_away_from_what_is_young(url: str, writer: psycopg.Connection) -> None:
    """Not even a row of no call of ours moves it past `settled_at`."""
    call(writer, "1.1", 0)
    row(writer, "CHAN_START", "8.1", 60, context="agents")
    young = read(url, settled_at=at(60))
    row(writer, "CHAN_START", "9.1", 61, context="agents")
    old = read(url, settled_at=at(62))
    assert old.mark.offset == young.mark.offset + 2


def test_a_table_that_began_anew_is_read_from_its_first_row(
    url: str, writer: psycopg.Connection
) -> None:
    """Emptied with its numbers, or another database altogether: read whole, and said."""
    call(writer, "1.1", 0)
    call(writer, "2.1", 10)
    mark = read(url).mark
    writer.execute("TRUNCATE cel RESTART IDENTITY")
    call(writer, "3.1", 20)
    again = read(url, mark)
    assert ([one.linkedid for one in again.calls], again.lost) == (["3.1"], True)
    other = read(url, replace(again.mark, head="0" * 64))
    assert ([one.linkedid for one in other.calls], other.lost) == (["3.1"], True)


def test_local_times_are_taken_back_to_utc(url: str, writer: psycopg.Connection) -> None:
    """A PBX without usegmtime writes Beijing time; its distance is a setting."""
    call(writer, "1.1", 8 * 3600)
    told = cel_table.read_on(Table.parse(url), None, INBOUND, settled_at=LATER, utc_offset_min=480)
    assert told.calls[0].started_at == at(0)


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        ("ALTER TABLE cel RENAME TO other", "no table cel"),
        ("ALTER TABLE cel DROP COLUMN peer", "lacks a column"),
        ("ALTER TABLE cel ALTER eventtype TYPE integer USING 1", "cel.sql"),
    ],
)
def test_a_table_that_is_not_ours_says_what_to_do(
    url: str, writer: psycopg.Connection, harm: str, says: str
) -> None:
    """The message names what is wrong and the file that mends it, in both languages."""
    call(writer, "1.1", 0)
    writer.execute(harm.encode())
    with pytest.raises(CelUnreadable) as told:
        read(url)
    assert says in str(told.value)
    assert "cel.sql" in str(told.value)


@pytest.mark.parametrize(
    "wrong",
    [
        "postgresql://asterisk:s3cret@127.0.0.1:1/cel",
        "postgresql://asterisk:s3cret@cel.invalid/cel",
    ],
)
def test_a_database_that_is_away_is_told_without_the_secret(wrong: str) -> None:
    """Refused or unknown: where it should be, and not who logs in."""
    with pytest.raises(CelUnreadable) as told:
        read(wrong)
    assert "s3cret" not in str(told.value) + repr(Table.parse(wrong))
    assert "/cel" in str(told.value)


@pytest.mark.parametrize("wrong", ["postgresql://host", "mysql://u:p@h/cel", "postgresql://h:x/c"])
def test_an_address_that_is_none_is_refused(wrong: str) -> None:
    """A database without a name, another product, a port that is no number."""
    with pytest.raises(CelUnreadable):
        cel_source.parse(wrong)
