"""A database with queueing's tables for one test, and a clock that can be turned."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TypeVar

from sqlalchemy import create_engine, event
from sqlalchemy.orm import Session

from queueing.tables import Base

T = TypeVar("T")


class Store:
    """A database of one test; `begin` is the unit of work, as the gateway's is."""

    def __init__(self, url: str) -> None:
        sqlite = url.startswith("sqlite")
        self.engine = create_engine(url, hide_parameters=True)
        self._turn = threading.Lock() if sqlite else nullcontext()
        if sqlite:
            event.listen(self.engine, "connect", _ours_to_begin)
            event.listen(self.engine, "begin", lambda c: c.exec_driver_sql("BEGIN IMMEDIATE"))
        Base.metadata.create_all(self.engine)

    @contextmanager
    def begin(self) -> Iterator[Session]:
        with self._turn, Session(self.engine, expire_on_commit=False) as session, session.begin():
            session.connection()
            yield session

    def read(self, question: Callable[[Session], T]) -> T:
        """The answer to one question, in a transaction of its own."""
        with self.begin() as session:
            return question(session)


def _ours_to_begin(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # sqlite3 would begin by itself, and deferred
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA foreign_keys=ON")


class Clock:
    """The machine's time in µs, plus what a test adds."""

    def __init__(self) -> None:
        self.ahead_us = 0

    def __call__(self) -> int:
        return time.time_ns() // 1000 + self.ahead_us
