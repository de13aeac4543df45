"""The table in which a PBX keeps its event log (CEL) when cel_pgsql writes it: read on by id.

The columns are those of Asterisk's documentation of cel_pgsql, with `id serial`; the file shipped
beside cel_pgsql.conf makes it. A `Mark` here is the id up to which everything was read, and whose
table it was. What always holds:

- **The order of ids is not the order of commits.** A row may become visible after one with a higher
  id was read. So the mark never passes a row that is younger than `settled_at`, nor one whose
  transaction is not older than every transaction still running (its `xmin`); decision 0016.
- As in the file, the mark never passes a call that may still be wanted (`cel_log.wanted`).
- A row that is no event (no time, a number for a word) is counted and left out.
- The database may be LATIN1, as cel.sql makes it: then no byte of a caller's name can make it
  refuse a row, and what it holds is read as UTF-8.

What was read is read again now and then, and harms nobody (`backfill`); a table that was emptied
and began anew, or is another one, is read from its first row. It is only ever read.
"""

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import NullPool, RowMapping, create_engine, text
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from telephony import cel, cel_log
from telephony.cel import CelEvent
from telephony.cel_log import Mark, Reading
from telephony.errors import CelUnreadable

CONNECT_S: Final = 5
ANSWER_MS: Final = 120_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STRINGS: Final = (
    *("eventtype", "cid_name", "cid_num", "exten", "context", "channame", "appname", "appdata"),
    *("uniqueid", "linkedid", "peer", "extra"),
)
_ASKED: Final = text(
    f"SELECT id, eventtime, {', '.join(_STRINGS)}, "  # noqa: S608 - the names above
    "age(xmin) > age(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS xid)) AS settled "
    "FROM cel WHERE id > :after ORDER BY id"
)
_TOLD: Final = {
    "42P01": ("没有 cel 表", "there is no table cel"),
    "42703": ("cel 表缺少列", "the table cel lacks a column"),
    "42501": ("账号无权读取 cel 表", "the account may not read the table cel"),
    "28P01": ("账号或口令不对", "user or password is wrong"),
    "3D000": ("没有这个数据库", "there is no such database"),
}
"""What PostgreSQL's SQLSTATE means for whoever set it up."""


@dataclass(frozen=True, slots=True)
class Table:
    """A database that holds a table `cel`. `place`: the same without who logs in, for people."""

    url: str = field(repr=False)
    place: str

    @classmethod
    def parse(cls, url: str) -> "Table":
        """Of `postgresql://user:password@host/database`. Raises `CelUnreadable`."""
        try:
            read = make_url("postgresql+psycopg://" + url.split("://", 1)[1])
        except (ArgumentError, ValueError):
            read = None
        if read is None or not read.database or url.split("://", 1)[0] != "postgresql":
            raise CelUnreadable(
                "话单数据库地址应为 postgresql://账号:口令@主机/数据库。"
                " The CEL database is written postgresql://user:password@host/database."
            )
        place = f"{read.host or read.query.get('host', '')}:{read.port or 5432}/{read.database}"
        return cls(read.render_as_string(hide_password=False), f"postgresql://{place}")

    @property
    def head(self) -> str:
        """What a mark knows this table by."""
        return hashlib.sha256(self.place.encode()).hexdigest()


@dataclass(slots=True)
class _Tally:
    """What is learnt in passing while the rows stream by."""

    inbound: Collection[str]
    settled_at: int
    last: int
    """The id up to which the mark may go."""
    bytewise: bool
    """Whether each character stands for a byte that the PBX wrote."""
    settled: bool = True
    begun: dict[str, int] = field(default_factory=dict)
    records: int = 0
    unreadable: int = 0
    latest_at: int = 0


def read_on(
    table: Table,
    mark: Mark | None,
    inbound: Collection[str],
    *,
    settled_at: int,
    utc_offset_min: int = 0,
) -> Reading:
    """Every call with a row after `mark` (None: of all that are there), and the next mark.

    `settled_at` (µs): calls that ended before it will not be asked for again. Raises
    `CelUnreadable` when the table cannot be read; the message says what to mend.
    """
    engine = create_engine(
        table.url,
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={"connect_timeout": CONNECT_S, "tcp_user_timeout": ANSWER_MS,
                      "options": f"-c statement_timeout={ANSWER_MS}"},
    )  # fmt: skip
    try:
        with engine.connect() as connection:
            after, lost = _after(connection, table, mark)
            bytewise = connection.scalar(text("SHOW server_encoding")) == "LATIN1"
            tally = _Tally(inbound, settled_at, after, bytewise)
            calls = cel.calls(_events(connection, tally, utc_offset_min), inbound)
    except SQLAlchemyError as error:
        raise _unreadable(table, error) from None
    finally:
        engine.dispose()
    if tally.unreadable and not tally.records:
        raise CelUnreadable(
            "cel 表中没有可读的记录，请按随附的 cel.sql 建表（eventtype 为 varchar）。"
            " No row of the table cel can be read: make it by the cel.sql we ship."
        )
    held = cel_log.wanted(calls, tally.latest_at, settled_at)
    last = tally.last if held is None else min(tally.last, tally.begun[held] - 1)
    return Reading(calls, Mark(0, last, table.head), tally.records, tally.unreadable, lost)


def _after(connection: Connection, table: Table, mark: Mark | None) -> tuple[int, bool]:
    """After which id to read, and whether what the mark was in is gone."""
    if mark is None:
        return 0, False
    highest = connection.scalar(text("SELECT max(id) FROM cel")) or 0
    if mark.head != table.head or highest < mark.offset:
        return 0, True
    return mark.offset, False


def _events(connection: Connection, tally: _Tally, utc_offset_min: int) -> Iterator[CelEvent]:
    rows = connection.execution_options(yield_per=1000).execute(_ASKED, {"after": tally.last})
    for row in rows.mappings():
        event = _event(row, utc_offset_min, bytewise=tally.bytewise)
        tally.settled &= row["settled"] and (event is None or event.at < tally.settled_at)
        if tally.settled:
            tally.last = row["id"]
        if event is None:
            tally.unreadable += 1
            continue
        tally.records += 1
        tally.latest_at = max(tally.latest_at, event.at)
        if cel.begins(event, tally.inbound):
            tally.begun[event.linkedid] = row["id"]
        yield event


def _event(row: RowMapping, utc_offset_min: int, *, bytewise: bool) -> CelEvent | None:
    said = {name: row[name] if row[name] is not None else "" for name in _STRINGS}
    moment = row["eventtime"]
    if not isinstance(moment, datetime) or any(not isinstance(one, str) for one in said.values()):
        return None
    if bytewise:
        said = {name: one.encode("latin-1").decode("utf-8", "replace")
                for name, one in said.items()}  # fmt: skip
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC) - timedelta(minutes=utc_offset_min)
    return CelEvent(
        type=said["eventtype"],
        at=(moment - _EPOCH) // timedelta(microseconds=1),
        name=said["cid_name"],
        number=said["cid_num"],
        exten=said["exten"],
        context=said["context"],
        channel=said["channame"],
        application=said["appname"],
        data=said["appdata"],
        uniqueid=said["uniqueid"],
        linkedid=said["linkedid"],
        peer=said["peer"],
        extra=said["extra"],
    )


def _unreadable(table: Table, error: SQLAlchemyError) -> CelUnreadable:
    """What to mend. The driver's own text may hold the password, or a row."""
    state = getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None
    chinese, english = _TOLD.get(state or "", ("连不上或读不了", "it cannot be reached or read"))
    return CelUnreadable(
        f"话单数据库 {table.place}：{chinese}，请对照随附的 cel.sql 和 cel_pgsql.conf。"
        f" CEL database {table.place}: {english}; see the cel.sql and cel_pgsql.conf we ship."
    )
