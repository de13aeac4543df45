"""Three ways to wait: for our own step to its end, for another's call only so long, and for a
bell that somebody's commit rings.

Always holds: a cancellation of ours is never lost, whatever the awaited code does with it; a ring
between looking and waiting is not missed.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

T = TypeVar("T")

LOOK_S: Final = 2.0
"""Who is woken looks by itself as well, so seldom: a lost ring costs two seconds."""


class Bell:
    """Rung from any thread, heard on any event loop. Who waits says how often it had been rung when
    they last looked, and is woken at once when that has grown since."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self.rings = 0

    def ring(self) -> None:
        """Wake whoever waits."""
        with self._lock:
            self.rings += 1
            waiting = list(self._waiting)
        for loop, heard in waiting:
            with suppress(RuntimeError):  # its loop has closed: nobody waits there any more
                loop.call_soon_threadsafe(heard.set)

    async def wait(self, seen: int, seconds: float = LOOK_S) -> None:
        """Until it has been rung more often than `seen`, for `seconds` at the most."""
        one = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            if self.rings != seen:
                return
            self._waiting.add(one)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await one[1].wait()
        finally:
            with self._lock:
                self._waiting.discard(one)


async def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end even when we are cancelled meanwhile, then let the cancellation go on.

    For steps that hold a claim or an unsettled delivery: broken off half-way they would have to
    wait for a lease to run out. The work must be bounded in time.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        _look_at(task)
        raise


async def bounded(
    call: Awaitable[T], seconds: float, undo: Callable[[T], Awaitable[object]] | None = None
) -> T:
    """A library's call, for at most `seconds`; raises TimeoutError then. What it brings all the
    same when nobody waits for it any more is handed to `undo`.

    The call has a task of its own. aiormq and aio_pika answer some cancellations with another
    error, cancel what waits on a channel they close, and in `finally` wait once more without a
    bound: a plain timeout could hang, a cancellation of ours be swallowed, and theirs be taken for
    ours. So what does not end in time is cancelled and left behind; a call that was cancelled from
    inside is a lost connection (ConnectionError).
    """
    task = asyncio.ensure_future(call)
    try:
        done, _ = await asyncio.wait([task], timeout=seconds)
    except asyncio.CancelledError:
        _leave(task, undo)
        raise
    if not done:
        _leave(task, undo)
        raise TimeoutError
    if task.cancelled():
        raise ConnectionError("cancelled by the library")
    return task.result()


_undoing: set["asyncio.Future[Any]"] = set()
"""What is being undone: a loop keeps no task alive by itself."""


def _leave(task: "asyncio.Future[T]", undo: Callable[[T], Awaitable[object]] | None) -> None:
    def ended(task: "asyncio.Future[T]") -> None:
        _look_at(task)
        if undo is not None and not task.cancelled() and task.exception() is None:
            undoing = asyncio.ensure_future(undo(task.result()))
            _undoing.add(undoing)
            undoing.add_done_callback(_undoing.discard)

    task.add_done_callback(ended)
    task.cancel()


def _look_at(task: "asyncio.Future[Any]") -> None:
    """Take note of how it ended: nobody else will, and asyncio would complain."""
    if not task.cancelled():
        task.exception()
