"""The database: one engine, and `begin()`, the only commit in the code.

A unit of work is one transaction: it commits when its block ends well and is undone when it does
not, and what it noted for the watchers (`notices`) is told by that commit alone. The lines it noted
for the log are written last of all (`recordings.audit`): the log's lock is held for one commit,
never for an act. Reading is one snapshot, on either database. SQLite is in
WAL with `synchronous=FULL`, starts writing with BEGIN IMMEDIATE (a read that later writes would
otherwise fail half-way) and lets this process's writers queue on a lock instead of sleeping in
SQLite's busy handler. PostgreSQL takes the same code with its own locks. This module knows no
table.
"""

import select
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from gateway import notices
from recordings import audit
from telephony.prepared import say

BUSY_TIMEOUT_MS = 30_000  # another process's writer may hold the file; ours wait on the lock


class Database:
    """An engine for `url` and its two kinds of work: `begin` (writes) and `reading`.

    `within` may add to a transaction what its notes need there; `told` has them after the commit.
    """

    def __init__(
        self,
        url: str,
        told: Callable[[list[notices.Notice]], None] = lambda _: None,
        within: Callable[[Session, list[notices.Notice]], None] = lambda _session, _noted: None,
    ) -> None:
        self.url = make_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _sqlite(url) if self.sqlite else _postgresql(url)
        self._brief = _sqlite(url, "NORMAL") if self.sqlite else _postgresql(url, lasting=False)
        # PostgreSQL's usual isolation shows each statement a later state; SQLite's is a snapshot.
        self._snapshots = (
            self.engine
            if self.sqlite
            else self.engine.execution_options(isolation_level="REPEATABLE READ")
        )
        self._told = told
        self._within = within
        # Writers of one SQLite file take turns; PostgreSQL's need no turn.
        self._turn: threading.Lock | nullcontext[None] = (
            threading.Lock() if self.sqlite else nullcontext()
        )

    @contextmanager
    def begin(self, *, lasting: bool = True) -> Iterator[Session]:
        """One transaction that may write: committed at the end of the block, or undone.

        Not `lasting`: a power cut may undo the last of these, wholly and none of another kind. For
        what is then simply done again, and must not wait for the disk (decision 0031).
        """
        engine = self.engine if lasting else self._brief
        with self._turn, Session(engine, expire_on_commit=False) as session:
            session.connection(execution_options={"hotline_writes": True})
            yield session
            noted = notices.take(session)
            self._within(session, noted)
            audit.settle(session)
            session.commit()
        self._told(noted)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One consistent view for reading, a snapshot; nothing done in it is kept."""
        with Session(self._snapshots, expire_on_commit=False, autoflush=False) as session:
            yield session

    def dispose(self) -> None:
        """Close every connection."""
        self.engine.dispose()
        self._brief.dispose()


def _postgresql(url: str, *, lasting: bool = True) -> Engine:
    engine = create_engine(
        url,
        # A listener that is told nothing learns within half a minute that nobody is there.
        connect_args={"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3},
        pool_size=10,
        max_overflow=20,
        hide_parameters=True,
    )
    event.listen(engine, "checkout", _listen)
    if not lasting:
        event.listen(engine, "connect", _hurry)
    return engine


def _hurry(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    """Said once a connection: said in each transaction it would be a way there and back more."""
    connection.cursor().execute("SET synchronous_commit = off")
    connection.commit()


def _listen(
    connection: DBAPIConnection, _entry: ConnectionPoolEntry, _fairy: PoolProxiedConnection
) -> None:
    """Give up a connection whose server said something while nobody asked: it is a farewell.

    A ping would ask the same, and cost each act a way there and back (decision 0030).
    """
    waiting = select.poll()
    if not connection.closed:
        waiting.register(connection.fileno(), select.POLLIN)
    if connection.closed or waiting.poll(0):
        raise DisconnectionError


def _sqlite(url: str, synchronous: str = "FULL") -> Engine:
    file = make_url(url).database
    if file:
        Path(file).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1000},
        pool_size=20,
        hide_parameters=True,  # an error quotes no caller's name or number (DESIGN §3, promise 10)
    )
    event.listen(engine, "connect", partial(_prepare, synchronous))
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(synchronous: str, connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    # The driver's own BEGIN comes late and deferred; ours is sent by `_begin`.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", f"synchronous={synchronous}", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("hotline_writes", False)
    say(connection, "BEGIN IMMEDIATE" if writes else "BEGIN")
