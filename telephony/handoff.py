"""From the reader thread to the event loop: what came in, in order, bounded.

`put` is called by the reader thread, must never wait and never raises: a session whose socket is
unread for 100 ms is dropped by the PBX. When the bound is reached it answers False, and the line
gives the connection up with a recorded gap rather than hold memory without end. Word of the link
itself always has room. `take` is called by the loop: it gives all that is there, up to a bound, as
one batch, so that the busier the PBX, the fewer the transactions.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final

from telephony.batch import Batch, Connected, Lost
from telephony.wire import Message

BATCH_MESSAGES: Final = 2_000
HELD_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Item:
    link_session: str
    at: int
    messages: tuple[Message, ...] = ()
    change: Connected | Lost | None = None
    size: int = 0


class Handoff:
    """A queue of one producer thread and one consumer task."""

    def __init__(self, loop: asyncio.AbstractEventLoop, held_bytes: int = HELD_BYTES) -> None:
        self._loop = loop
        self._held_bytes = held_bytes
        self._items: deque[_Item] = deque()
        self._bytes = 0
        self._lock = Lock()
        self._filled = asyncio.Event()
        self._closed = False
        self._seq: dict[str, int] = {}

    def put(self, link_session: str, at: int, messages: Sequence[Message]) -> bool:
        """Hands messages over (none: the PBX was heard). False: no room, nothing was taken."""
        size = sum(len(message.raw) for message in messages)
        with self._lock:
            if self._bytes + size > self._held_bytes:
                return False
            self._bytes += size
            self._items.append(_Item(link_session, at, tuple(messages), size=size))
        self._wake()
        return True

    def tell(self, link_session: str, at: int, change: Connected | Lost) -> None:
        """Hands over that the link came or went, in order with its messages."""
        with self._lock:
            self._items.append(_Item(link_session, at, change=change))
        self._wake()

    def close(self) -> None:
        """Nothing more will come: `take` ends with None once empty. Called in the loop."""
        self._closed = True
        self._filled.set()

    async def take(self) -> Batch | None:
        """The next batch, as soon as there is one; None when closed and empty."""
        while True:
            batch = self._pop()
            if batch is not None or self._closed:
                return batch
            self._filled.clear()
            if not self._items:
                await self._filled.wait()

    def _pop(self) -> Batch | None:
        messages: list[Message] = []
        last: _Item | None = None
        with self._lock:
            while self._items and len(messages) < BATCH_MESSAGES:
                item = self._items[0]
                fits = last is None or (
                    item.change is None
                    and last.change is None
                    and item.link_session == last.link_session
                )
                if not fits:
                    break
                last = self._items.popleft()
                self._bytes -= last.size
                messages.extend(last.messages)
        if last is None:
            return None
        seq = self._seq.get(last.link_session, 0)
        self._seq = {last.link_session: seq + 1}
        return Batch(last.link_session, seq, last.at, tuple(messages), last.change)

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._filled.set)
        except RuntimeError:  # the loop is closed: nobody is left to hear it
            self._closed = True
