"""From the reader thread to the event loop: what came in, in order, bounded, and spilt to disk.

`put` is called by the reader thread, must never wait and never raises: the PBX drops a session
whose socket takes nothing for `writetimeout` (100 ms unless set), and what it queued meanwhile with
it (decision 0010). It touches memory alone. When the loop does not keep up and
`spill_bytes` are held, a thread of its own moves all that is held to a file (`spill`), which is
taken first from then on; and with it the batch that is being offered, so that a crash finds there
everything that was not committed, without a hole. What is left when the line stops goes the same
way. When the file takes no more, memory fills to `held_bytes`; then `put` answers False, and the
line gives the connection up with a recorded gap rather than hold memory without end. Word of the
link itself always has room.

`take` is called by the loop: it gives all that is there, up to a bound, as one batch, so that the
busier the PBX, the fewer the transactions; `taken` says that it is committed.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Final

from telephony.batch import Batch, Connected, Lost
from telephony.events import Event
from telephony.message import Message
from telephony.readers import events_of
from telephony.spill import Spill

log = logging.getLogger(__name__)

BATCH_MESSAGES: Final = 2_000
SPILL_BYTES: Final = 4 * 1024 * 1024
HELD_BYTES: Final = 64 * 1024 * 1024
SPILL_AGAIN_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Item:
    link_session: str
    at: int
    messages: tuple[Message, ...] = ()
    change: Connected | Lost | None = None
    events: tuple[Event, ...] = ()
    size: int = 0


class Handoff:
    """A queue of one producer thread and one consumer task. Made and closed in the loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        spill: Spill | None = None,
        *,
        held_bytes: int = HELD_BYTES,
        spill_bytes: int = SPILL_BYTES,
    ) -> None:
        self._loop = loop
        self._spill = spill
        self._held_bytes = held_bytes
        self._spill_bytes = spill_bytes
        self._items: deque[_Item] = deque()
        self._bytes = 0
        self._lock = Condition()  # guards all below; notified when there is much to move
        self._filled = asyncio.Event()
        self._closed = False
        self._seq: dict[str, int] = {}
        self._ready: deque[tuple[Batch, int]] = deque()
        """Named for the file, which did not take them: (batch, bytes)."""
        self._moving = self._ended = False
        self._offered: Batch | None = None
        self._offered_kept = False  # whether the offered batch is in the file, too
        if spill is not None:
            self._mover = Thread(target=self._move_on, name="ami-spill", daemon=True)
            self._mover.start()

    def put(self, link_session: str, at: int, messages: Sequence[Message]) -> bool:
        """Hands messages over (none: the PBX was heard). False: no room, nothing was taken."""
        size = sum(len(message.raw) for message in messages)
        # Read here and not by whoever takes them: this thread works while that one commits.
        events = events_of(messages, at)
        with self._lock:
            if self._bytes + size > self._held_bytes:
                return False
            self._bytes += size
            self._items.append(_Item(link_session, at, tuple(messages), events=events, size=size))
            if self._bytes > self._spill_bytes:
                self._lock.notify()
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
            self._filled.clear()
            with self._lock:
                on_disk = self._spill is not None and self._spill.waiting
                moving = self._moving
                if not on_disk and not moving:
                    named = self._ready.popleft() if self._ready else self._pop(self._items)
                    if named is not None:
                        self._bytes -= named[1]
                        self._offered, self._offered_kept = named[0], False
                        return named[0]
            if on_disk and self._spill is not None:
                batch = await asyncio.to_thread(self._spill.next)
                if batch is None:
                    continue
                self._offered, self._offered_kept = batch, True
                return batch
            if self._closed and not moving:
                return None
            await self._filled.wait()

    async def taken(self) -> None:
        """The batch last given is committed."""
        with self._lock:
            kept, self._offered = self._offered_kept, None
        if kept and self._spill is not None:
            if not self._spill.begun:  # it went to disk while it was being offered
                await asyncio.to_thread(self._spill.next)
            await asyncio.to_thread(self._spill.done)

    def end(self, *, keep: bool) -> None:
        """Called last: `keep`s what was not taken for the next start. May wait for the disk."""
        if self._spill is None:
            return
        with self._lock:
            self._ended = True
            self._lock.notify()
        self._mover.join()
        if keep:
            self._move()
        else:
            self._spill.clear()
        self._spill.close()

    def _move_on(self) -> None:
        """The mover thread: memory to disk, whenever much is held."""
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._ended or self._bytes > self._spill_bytes)
                if self._ended:
                    return
            if not self._move():
                with self._lock:
                    self._lock.wait_for(lambda: self._ended, SPILL_AGAIN_S)

    def _move(self) -> bool:
        """All that is held to disk, in order; False when the disk did not take it."""
        assert self._spill is not None  # noqa: S101 - else there is no mover
        with self._lock:
            self._moving = True  # and so nothing is given meanwhile: `_ready` is ours alone
            items, self._items = self._items, deque()
            first = [self._offered] if self._offered and not self._offered_kept else []
        while (named := self._pop(items)) is not None:
            self._ready.append(named)
        batches = first + [batch for batch, _ in self._ready]
        moved = True
        try:
            if batches:
                self._spill.append(batches)
                log.warning("the database does not keep up: %d batches to disk", len(batches))
        except OSError as error:
            moved = False
            log.warning("the spill file takes no more (errno %s)", error.errno)
        with self._lock:
            if moved:
                self._bytes -= sum(size for _, size in self._ready)
                self._ready.clear()
                # Taken meanwhile: then it is offered again, and known.
                self._offered_kept = self._offered is not None
            self._moving = False
        self._wake()
        return moved

    def _pop(self, items: deque[_Item]) -> tuple[Batch, int] | None:
        """The next batch of `items`, and its bytes."""
        messages: list[Message] = []
        events: list[Event] = []
        last: _Item | None = None
        size = 0
        while items and len(messages) < BATCH_MESSAGES:
            item = items[0]
            fits = last is None or (
                item.change is None
                and last.change is None
                and item.link_session == last.link_session
            )
            if not fits:
                break
            last = items.popleft()
            size += last.size
            messages += last.messages
            events += last.events
        if last is None:
            return None
        seq = self._seq.get(last.link_session, 0)
        self._seq = {last.link_session: seq + 1}
        told = tuple(messages), last.change, tuple(events)
        return Batch(last.link_session, seq, last.at, *told), size

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._filled.set)
        except RuntimeError:  # the loop is closed: nobody is left to hear it
            self._closed = True
