"""The log: appending, checking and proving, each against the least it could cost.

Append: the gateway's own unit of work with its lines, against the bare rows inserted in the same
batches with the same durability. Check: the whole log as `hotline audit verify` does it, against
SHA-256 over the same lines one by one. The lines are in the database, so the bare loop has to have
them from there: it reads the same lines from the same table, as the texts that were hashed when
they were written, by the driver alone, and that is what is judged. Beside it, for what the way
through the database costs: the lines as whole texts in a table made for that, and lying in memory
already; a check of what is in memory checks nothing, so no floor hangs on it. Proof: a line's
inclusion among 10⁴, 10⁵ and 10⁶, by statements and by time.
"""

import hashlib
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import event

from gateway.database import Database
from gateway.flow import log
from recordings import audit, lines, verifying
from recordings.tables import Base
from tests.bench.measure import Result, compare, timed

APPEND = 0.3
CHECK = 0.3
PROOF = 2.0
BATCHES = (1, 10, 100)
AT = 1_795_400_000_000_000

Row = tuple[Any, ...]


def results(*, quick: bool, fresh: Callable[[], str]) -> Iterator[Result]:
    """All of it; `fresh` makes an empty PostgreSQL database and answers its URL."""
    count, rounds = (200, 3) if quick else (600, 7)
    for batch in BATCHES:
        yield append("SQLite", batch, count, rounds)
        yield append("PostgreSQL", batch, count, rounds, fresh)
    yield from check(20_000 if quick else 100_000, 3 if quick else 5)
    yield from prove((10_000, 100_000) if quick else (10_000, 100_000, 1_000_000))


def append(
    name: str, batch: int, count: int, rounds: int, fresh: Callable[[], str] | None = None
) -> Result:
    """`count` transactions of `batch` lines each."""
    rows = [_row(number) for number in range(batch)]

    def ours() -> float:
        with tempfile.TemporaryDirectory() as at:
            database = Database(fresh() if fresh else f"sqlite:///{at}/log.sqlite")
            Base.metadata.create_all(database.engine)
            _noted(database, rows)

            def work() -> None:
                for _ in range(count):
                    _noted(database, rows)

            took = timed(work)
            database.dispose()
            return took

    def base() -> float:
        if fresh:
            return _bare_postgresql(fresh().replace("+psycopg", ""), rows, count)
        with tempfile.TemporaryDirectory() as at:
            return _bare_sqlite(Path(at), rows, count)

    return compare(f"log, append, {name}, {batch} lines a commit", ours, base,
                   events=batch * count, calls=0, rounds=rounds, floor=APPEND)  # fmt: skip


def check(count: int, rounds: int) -> Iterator[Result]:
    """A log of `count` lines, checked; on SQLite."""
    with tempfile.TemporaryDirectory() as at:
        database = _filled(Path(at), count)
        with database.reading() as session:
            leaves = [leaf.decode() for _, leaf, _ in verifying.leaves(session)]
        with closing(sqlite3.connect(Path(at) / "bare.sqlite")) as bare:
            bare.execute("CREATE TABLE bare (id INTEGER PRIMARY KEY, leaf TEXT NOT NULL)")
            bare.executemany("INSERT INTO bare (leaf) VALUES (?)", [(leaf,) for leaf in leaves])
            bare.commit()

            def ours() -> float:
                with database.reading() as session:
                    return timed(lambda: verifying.verify(session))

            def read() -> float:
                asked = verifying.WRITTEN["sqlite"]
                with closing(sqlite3.connect(Path(at) / "log.sqlite")) as log:
                    return timed(lambda: [_hashed(text) for _, text, _ in log.execute(asked)])

            def whole() -> float:
                asked = "SELECT leaf FROM bare ORDER BY id"
                return timed(lambda: [_hashed(leaf) for (leaf,) in bare.execute(asked)])

            def in_memory() -> float:
                return timed(lambda: [_hashed(leaf) for leaf in leaves])

            for what, base, floor in (("read from the same table and hashed", read, CHECK),
                                      ("whole texts, fetched and hashed", whole, None),
                                      ("hashed in memory", in_memory, None)):  # fmt: skip
                yield compare(f"log, verify {count:,} lines, against {what}", ours, base,
                              events=count, calls=0, rounds=rounds, floor=floor)  # fmt: skip
        database.dispose()


def prove(sizes: Sequence[int]) -> Iterator[Result]:
    """A proof among more and more lines: how much longer than among the fewest."""
    with tempfile.TemporaryDirectory() as at:
        first, database = 0.0, _filled(Path(at), 0)
        for size in sizes:
            _grow(database, size)
            statements, took = _proved(database, size)
            first = first or took
            most = 2 * size.bit_length() + 4
            if statements > most:
                yield Result(f"log, statements of a proof among {size:,}", ratio=statements / most,
                             ceiling=1.0)  # fmt: skip
            yield Result(
                f"log, proof among {size:,} lines ({statements} statements, {took * 1e3:.1f} ms), "
                f"against {sizes[0]:,}",
                ratio=took / first,
                ceiling=PROOF,
            )
        database.dispose()


def _proved(database: Database, size: int) -> tuple[int, float]:
    """Statements of the costliest of some proofs, and seconds of the middle one."""
    said = []
    event.listen(database.engine, "before_cursor_execute", lambda *_: said.append(1))
    took, most = [], 0
    for index in (0, size // 3, size // 2, size - 2, size - 1) * 5:
        said.clear()
        with database.reading() as session:
            took.append(timed(lambda: audit.prove(session, index)))  # noqa: B023 - run at once
        most = max(most, len(said))
    return most, sorted(took)[len(took) // 2]


def _filled(at: Path, count: int) -> Database:
    database = Database(f"sqlite:///{at}/log.sqlite")
    Base.metadata.create_all(database.engine)
    _grow(database, count)
    return database


def _grow(database: Database, count: int) -> None:
    """Lines up to `count` there are."""
    while True:
        with database.begin() as session:
            size = audit.head(session)[0]
            if size >= count:
                return
            for number in range(size, min(count, size + 5_000)):
                _defer(session, _row(number))


def _row(number: int) -> Row:
    """What a line of somebody listening holds."""
    detail = {"bytes": [[number, number + 65_536]], "grant": number % 97}
    return ("recordings:recording:heard", f"supervisor{number % 13}", "192.0.2.17",
            f"recording:{number}", detail)  # fmt: skip


def _noted(database: Database, rows: Sequence[Row]) -> None:
    with database.begin() as session:
        for action, actor, origin, obj, detail in rows:
            log.note(session, action, actor=actor, origin=origin, obj=obj, outcome="ok", now=AT,
                     detail=detail)  # fmt: skip


def _defer(session: Any, row: Row) -> None:
    action, actor, origin, obj, detail = row
    noted = lines.noted(action, actor=actor, origin=origin, obj=obj, outcome="ok", at=AT,
                        detail=detail)  # fmt: skip
    audit.defer(session, noted)


_TABLE = (
    "CREATE TABLE bare (id {key}, at BIGINT NOT NULL, action TEXT NOT NULL, actor TEXT NOT NULL, "
    "origin TEXT NOT NULL, obj TEXT NOT NULL, outcome TEXT NOT NULL, grant_id BIGINT, "
    "detail TEXT NOT NULL, nodes {blob} NOT NULL)"
)
_INSERT = (
    "INSERT INTO bare (at, action, actor, origin, obj, outcome, grant_id, detail, nodes) "
    "VALUES ({marks})"
)
_INDEXES = tuple(f"CREATE INDEX bare_{name} ON bare ({name})"
                 for name in ("at", "action", "actor", "obj"))  # fmt: skip
"""A bare row is found again by the same columns as a line of the log."""


def _bare_rows(rows: Sequence[Row]) -> list[Row]:
    noted = [lines.noted(action, actor=actor, origin=origin, obj=obj, outcome="ok", at=AT,
                         detail=detail)
             for action, actor, origin, obj, detail in rows]  # fmt: skip
    return [(one.at, one.action, one.actor, one.origin, one.obj, one.outcome, None, one.detail,
             bytes(64)) for one in noted]  # fmt: skip


def _bare_sqlite(at: Path, rows: Sequence[Row], count: int) -> float:
    with closing(sqlite3.connect(at / "bare.sqlite", isolation_level=None)) as database:
        for said in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL",
                     _TABLE.format(key="INTEGER PRIMARY KEY", blob="BLOB"), *_INDEXES):  # fmt: skip
            database.execute(said)
        insert, bare = _INSERT.format(marks=", ".join("?" * 9)), _bare_rows(rows)

        def work() -> None:
            for _ in range(count):
                database.execute("BEGIN IMMEDIATE")
                for row in bare:
                    database.execute(insert, row)
                database.execute("COMMIT")

        return timed(work)


def _bare_postgresql(url: str, rows: Sequence[Row], count: int) -> float:
    with psycopg.connect(url) as database:
        for said in (_TABLE.format(key="BIGSERIAL PRIMARY KEY", blob="BYTEA"), *_INDEXES):
            database.execute(said.encode())
        database.commit()
        insert, bare = _INSERT.format(marks=", ".join(["%s"] * 9)).encode(), _bare_rows(rows)

        def work() -> None:
            for _ in range(count):
                for row in bare:
                    database.execute(insert, row)
                database.commit()

        return timed(work)


def _hashed(leaf: str) -> bytes:
    return hashlib.sha256(leaf.encode()).digest()
