"""A department's program that needs none: it tells each message, and may hand it to a command.

What is told is for whoever reads it; the command works. Its exit status 0 means that the work order
is taken in; anything else, that it is not: it comes again after a while, and once it has failed as
often as a broker would deliver it, it goes to the parked queue, where the hotline sees it.
Always holds: a version is remembered before it is acked, and neither told nor handed over again
afterwards; killed before that, the same message is told and handed over once more. So the command
has to bear that (work order, version) is the same again; what it answers through `Department` or
`hotline department reply` has the same id then, and takes effect once.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Final

from queueing.department import Department, Order
from queueing.remembered import Remembered
from queueing.topology import DELIVERY_LIMIT

logger = logging.getLogger(__name__)

STDERR: Final = 2
AGAIN_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
"""How long an order that could not be worked is held before it is given back."""


class Listener:
    """Takes the work orders of `department` in until `stop` is called. `tell` is told of each;
    `command` (program and arguments, none: telling is all) reads the event on standard input, one
    line of UTF-8 JSON as it came; what it prints goes to standard error."""

    def __init__(
        self,
        department: Department,
        remembered: Remembered,
        tell: Callable[[Order], None],
        command: Sequence[str] = (),
    ) -> None:
        self.taken = 0
        self._department = department
        self._remembered = remembered
        self._tell = tell
        self._command = command
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End after the order in hand, which is worked to its end and settled."""
        self._stopping.set()

    async def run(self) -> None:
        """Order after order until stopped. Raises OSError where the command cannot be run, and
        `NotRemembered`: what is in hand comes again then."""
        async with aclosing(self._department.orders()) as orders:
            while (order := await self._next(orders)) is not None:
                await self._take(order)

    async def _next(self, orders: AsyncGenerator[Order, None]) -> Order | None:
        """The next order; None once it is to stop."""
        if self._stopping.is_set():
            return None
        coming = asyncio.ensure_future(anext(orders))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({coming, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return coming.result() if coming.done() else None
        finally:
            for waiting in (coming, stopping):
                waiting.cancel()
            await asyncio.gather(coming, stopping, return_exceptions=True)

    async def _take(self, order: Order) -> None:
        number, version = order.message.work_order, order.message.version
        if not self._remembered.failures(number, version):
            self._tell(order)
        status = await self._worked(order.body)
        if status == 0:
            await order.ack()
            self.taken += 1
            return
        times = self._remembered.fail(number, version)
        logger.warning("%s v%d failed (exit %d), %d so far", number, version, status, times)
        if times >= DELIVERY_LIMIT:
            await order.reject()
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(AGAIN_S[min(times, len(AGAIN_S)) - 1]):
                await self._stopping.wait()

    async def _worked(self, body: bytes) -> int:
        """The command's exit status over this event; 0 where there is no command."""
        if not self._command:
            return 0
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.PIPE, stdout=STDERR
        )
        await process.communicate(body.replace(b"\n", b" ") + b"\n")
        return process.returncode or 0
