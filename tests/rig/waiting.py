"""Loops beside a test, and waiting for what they bring about."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from queueing.transport import Transport

T = TypeVar("T")


@asynccontextmanager
async def closing(transport: Transport) -> AsyncIterator[Transport]:
    """A transport that is closed at the end."""
    try:
        yield transport
    finally:
        await transport.close()


@asynccontextmanager
async def running(*loops: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """The loops beside the block; a loop that ends by itself fails the test."""
    tasks = [asyncio.ensure_future(loop) for loop in loops]
    try:
        yield
        assert not [task for task in tasks if task.done()]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(question: Callable[[], T], seconds: float = 20.0) -> T:
    """Ask in a thread until the answer is true; its last answer is in the failure."""
    deadline = time.monotonic() + seconds
    while not (answer := await asyncio.to_thread(question)):
        assert time.monotonic() < deadline, f"still {answer!r} after {seconds} s"
        await asyncio.sleep(0.02)
    return answer
