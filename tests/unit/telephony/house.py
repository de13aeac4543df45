"""What the tests of telephony share: a database of its own, its unit of work, real traces."""

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from telephony import backfill
from telephony.batch import Batch, Connected, Lost
from telephony.board import Board
from telephony.cel import CelCall
from telephony.facts import Fact
from telephony.message import Message
from telephony.tables import Base
from telephony.wire import Wire

TRACES = Path(__file__).resolve().parents[2] / "traces"
PBX = "pbx-1"
NOW = 1_795_400_000_000_000


def trace(name: str) -> bytes:
    """A real stream: of the package's own traces, or of tests/traces."""
    packaged = files("telephony") / "traces" / name
    return packaged.read_bytes() if packaged.is_file() else (TRACES / name).read_bytes()


def messages(data: bytes) -> list[Message]:
    """A stream without a banner, taken apart."""
    return Wire(greeted=True).feed(data)


class Store:
    """A database of one test. `begin` is a unit of work, as the gateway's is."""

    def __init__(self, url: str) -> None:
        pool = None if url == "sqlite://" else NullPool  # no connection outlives its use
        self.engine = create_engine(url, hide_parameters=True, poolclass=pool)
        Base.metadata.create_all(self.engine)
        self._turn = threading.Lock()

    @contextmanager
    def begin(self) -> Iterator[Session]:
        with self._turn, Session(self.engine) as session, session.begin():
            yield session


class Taker:
    """A board and its store: takes batches the way the gateway does, and remembers the facts."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.facts: list[Fact] = []
        self._seq = itertools.count()
        self.session = "s1"
        self.load()

    def load(self) -> None:
        """As after a restart of the gateway."""
        with self.store.begin() as session:
            self.board = Board.load(session, PBX)

    def batch(
        self, messages: Iterable[Message] = (), change: Connected | Lost | None = None
    ) -> Batch:
        """The next batch of this link session."""
        return Batch(self.session, next(self._seq), NOW, tuple(messages), change)

    def take(self, batch: Batch, after: Callable[[Session], None] = lambda _: None) -> list[Fact]:
        """One unit of work; `after` runs in it, last."""
        with self.store.begin() as session:
            facts = self.board.take(session, batch)
            after(session)
        self.board.confirm()
        self.facts += facts
        return facts


def fill(session: Session, calls: Sequence[CelCall], *, read_until_at: int, now: int) -> list[Fact]:
    """Every interval that can be, made good, a portion at a time."""
    facts: list[Fact] = []
    for filling in backfill.fillings(session, PBX, calls, read_until_at=read_until_at, now=now):
        while not filling.done:
            facts += filling.go_on(session)
    return facts
