"""What changed, told to whoever watches: from a committed act to the open pages.

An act notes a `Notice` on its session; `database.begin` hands the notes to the hub after the
commit, and never before, so that nobody is told of what did not happen. A subscriber that does not
read is dropped, not waited for: its page reconnects and fetches the present state. The hub knows
one process; `broadcast` tells the others.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy.orm import Session

WAITING_BOUND = 256  # notices a page may leave unread; then it starts over
_KEY = "notices"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something changed. `topic` says for whom, `kind` what, `ref` which (an id)."""

    topic: str
    kind: str
    ref: str = ""


def agent(pbx: str, interface: str) -> str:
    """The topic of whoever sits at `interface` of that PBX."""
    return f"agent:{pbx}:{interface}"


def presence(pbx: str, interface: str) -> str:
    """The topic of what the PBX says that this interface does."""
    return f"presence:{pbx}:{interface}"


def tell(session: Session, topic: str, kind: str, ref: object = "") -> None:
    """Note that `topic`'s watchers are to be told once `session` is committed."""
    session.info.setdefault(_KEY, []).append(Notice(topic, kind, str(ref)))


def take(session: Session) -> list[Notice]:
    """The notes of `session`, taken out of it."""
    noted: list[Notice] = session.info.pop(_KEY, [])
    return noted


class Subscription:
    """One watcher's queue, fed from any thread, read on its own event loop."""

    def __init__(self, topics: Collection[str]) -> None:
        self.topics = frozenset(topics)
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Notice | None] = asyncio.Queue(WAITING_BOUND)

    def offer(self, notice: Notice | None) -> None:
        """Hand over `notice`, from any thread; None ends the subscription."""
        try:
            self._loop.call_soon_threadsafe(self._put, notice)
        except RuntimeError:  # the loop has closed: nobody is watching any more
            return

    def _put(self, notice: Notice | None) -> None:
        if self._queue.full():
            while not self._queue.empty():
                self._queue.get_nowait()
            notice = None
        self._queue.put_nowait(notice)

    async def __aiter__(self) -> AsyncIterator[Notice]:
        while (notice := await self._queue.get()) is not None:
            yield notice

    async def next(self, timeout_s: float) -> Notice | None:
        """The next notice; None at the end.

        Raises:
            TimeoutError: nothing came in `timeout_s`.
        """
        async with asyncio.timeout(timeout_s):
            return await self._queue.get()


class Hub:
    """Who watches what, in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscriptions: set[Subscription] = set()
        self._watching: dict[str, dict[Subscription, None]] = {}
        """By topic, so that a pop for one page costs no look at all the others."""
        self._closed = False

    def publish(self, noted: Iterable[Notice]) -> None:
        """Tell the watchers of each notice's topic."""
        noted = list(noted)
        if not noted:
            return
        with self._lock:
            told = [
                (subscription, notice)
                for notice in noted
                for subscription in self._watching.get(notice.topic, ())
            ]
        for subscription, notice in told:
            subscription.offer(notice)

    @asynccontextmanager
    async def subscribe(self, topics: Collection[str]) -> AsyncIterator[Subscription]:
        """Watch `topics` for as long as the context is open."""
        subscription = Subscription(topics)
        with self._lock:
            self._subscriptions.add(subscription)
            for topic in subscription.topics:
                self._watching.setdefault(topic, {})[subscription] = None
            if self._closed:
                subscription.offer(None)
        try:
            yield subscription
        finally:
            with self._lock:
                self._subscriptions.discard(subscription)
                for topic in subscription.topics:
                    self._watching[topic].pop(subscription, None)
                    if not self._watching[topic]:
                        del self._watching[topic]

    def close(self) -> None:
        """End every subscription, so that open pages let the server stop."""
        with self._lock:
            self._closed = True
        self.start_over()

    def start_over(self) -> None:
        """End the present subscriptions: something may have been missed, and each page that
        reconnects fetches what is."""
        with self._lock:
            watching = list(self._subscriptions)
        for subscription in watching:
            subscription.offer(None)
