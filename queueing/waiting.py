"""Two ways to wait: for our own step to its end, and for another's call only so long.

Always holds: a cancellation of ours is never lost, whatever the awaited code does with it.
"""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


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


async def bounded(call: Awaitable[T], seconds: float) -> T:
    """A library's call, for at most `seconds`; raises TimeoutError then.

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
        _leave(task)
        raise
    if not done:
        _leave(task)
        raise TimeoutError
    if task.cancelled():
        raise ConnectionError("cancelled by the library")
    return task.result()


def _leave(task: "asyncio.Future[Any]") -> None:
    task.add_done_callback(_look_at)
    task.cancel()


def _look_at(task: "asyncio.Future[Any]") -> None:
    """Take note of how it ended: nobody else will, and asyncio would complain."""
    if not task.cancelled():
        task.exception()
