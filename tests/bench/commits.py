"""Socket bytes → committed (journal, call, ticket, its story), against a loop that only appends the
same bytes, in the same batches, to one table with the same durability."""

import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import psycopg

from tests.bench.house import House
from tests.bench.load import CHUNK, Tale, chunks, stream
from tests.bench.measure import Result, compare, timed

WARM = 30  # calls


def bare_sqlite(data: Sequence[bytes], at: Path) -> float:
    """WAL and `synchronous=FULL`, as the gateway's."""
    with closing(sqlite3.connect(at / "bare.sqlite", isolation_level=None)) as database:
        for said in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL",
                     "CREATE TABLE bare (id INTEGER PRIMARY KEY, raw BLOB NOT NULL)"):  # fmt: skip
            database.execute(said)

        def append() -> None:
            for chunk in data:
                database.execute("BEGIN IMMEDIATE")
                database.execute("INSERT INTO bare (raw) VALUES (?)", (chunk,))
                database.execute("COMMIT")

        return timed(append)


def bare_postgresql(data: Sequence[bytes], url: str) -> float:
    """One row and one commit a batch."""
    with psycopg.connect(url.replace("+psycopg", "")) as database:
        database.execute("CREATE TABLE bare (id BIGSERIAL PRIMARY KEY, raw BYTEA NOT NULL)")
        database.commit()

        def append() -> None:
            for chunk in data:
                database.execute("INSERT INTO bare (raw) VALUES (%s)", (chunk,))
                database.commit()

        return timed(append)


def gateway(data: Sequence[bytes], warm: Sequence[bytes], at: Path, url: str) -> float:
    """The product's way, in a database of its own; `warm` calls first, for a gateway runs long and
    composes its statements once."""
    with closing(House(at, url)) as house:
        for chunk in warm:
            house.take(chunk)

        def take() -> None:
            for chunk in data:
                house.take(chunk)

        return timed(take)


def run(
    name: str,
    tales: list[tuple[Tale, int]],
    calls: int,
    rounds: int,
    *,
    fresh: Callable[[], str] | None = None,
    size: int = CHUNK,
    floor: float | None = None,
) -> Result:
    """`fresh`: makes an empty PostgreSQL database and answers its URL; None: SQLite."""
    messages = list(stream(tales, calls))
    data = list(chunks(iter(messages), size))
    warm = list(chunks(stream(tales, WARM, first=calls + 1), size))

    def ours() -> float:
        with tempfile.TemporaryDirectory() as at:
            url = fresh() if fresh else f"sqlite:///{at}/gateway.sqlite"
            return gateway(data, warm, Path(at), url)

    def base() -> float:
        if fresh:
            return bare_postgresql(data, fresh())
        with tempfile.TemporaryDirectory() as at:
            return bare_sqlite(data, Path(at))

    per_call = len(messages) / calls
    return compare(
        f"bytes → committed, {name} ({per_call:.0f} events a call, {size // 1024} KiB a batch)",
        ours, base, events=len(messages), calls=calls, rounds=rounds, floor=floor,
    )  # fmt: skip
