"""The lending of messages as a transport, so that it is held to what every transport promises.

A department's queue is read as a program does over HTTPS, one message at a time; everything else is
the embedded transport's.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

from queueing import pulling
from queueing.embedded import Embedded
from queueing.pulling import Ending, Lent
from queueing.topology import PARKED, REPLIES
from queueing.transport import Delivery
from tests.rig.store import Clock, Store

LEASE_US: Final = 15_000_000


class Pulled(Embedded):
    """Reads departments' queues by `pulling`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        super().__init__(store.begin, clock)
        self.store = store
        self.clock = clock

    async def deliveries(self, queue: str) -> AsyncGenerator[Delivery, None]:
        """As a program that asks again and again for one message."""
        if queue in (PARKED, REPLIES):
            async for delivery in super().deliveries(queue):
                yield delivery
        while True:
            lent = await asyncio.to_thread(self._lend, queue)
            if lent is None:
                await asyncio.sleep(0.02)
                continue
            taken = _Taken(self, queue, lent)
            try:
                yield taken
            finally:
                await taken.requeue()

    def _lend(self, queue: str) -> Lent | None:
        with self.store.begin() as session:
            lent = pulling.lend(session, queue, most=1, lasts_us=LEASE_US, now=self.clock())
        return lent[0] if lent else None


@dataclass(slots=True)
class _Taken:
    home: Pulled
    queue: str
    lent: Lent
    user: None = None
    death: str = ""
    lasting: bool = True

    @property
    def body(self) -> bytes:
        return self.lent.body

    @property
    def routing_key(self) -> str:
        return self.lent.routing_key

    @property
    def dedupe_key(self) -> str:
        return self.lent.dedupe_key

    async def ack(self) -> None:
        await asyncio.to_thread(self._settle, "ack")

    async def requeue(self) -> None:
        await asyncio.to_thread(self._settle, "fail")

    async def reject(self) -> None:
        await asyncio.to_thread(self._settle, "reject")

    def _settle(self, how: Ending) -> None:
        with self.home.store.begin() as session:
            pulling.settle(
                session, self.queue, self.lent.id, self.lent.lease, how, self.home.clock()
            )
