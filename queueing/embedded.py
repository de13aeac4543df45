"""The transport without a broker: the same contract over the database alone.

A queue is its rows by id; an ack removes the row. One consumer at a time has the head of a queue,
under a lease, so order within a queue is kept even across a crash (the lease then has to run out).
Readers are woken by their queue's bell (`ring`), and look every `LOOK_S` besides; looking takes no
writer's turn.
Always holds: `confirmed` is a committed row; a message for a queue that was not declared is
unroutable; what is rejected, or delivered more than `DELIVERY_LIMIT` times, moves to the parked
queue with its reason. What it deliberately has not: a bound on a queue's length.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from queueing import topology
from queueing.outbox import Begin, Clock
from queueing.tables import EmbeddedQueueRow, EmbeddedRow
from queueing.topology import DELIVERY_LIMIT, PARKED
from queueing.transport import Delivery, Gathered, Outcome
from queueing.waiting import Bell, finish

logger = logging.getLogger(__name__)

LEASE_US: Final = 15_000_000
"""How long a dead consumer's message stays out of sight. A live one may take longer: nobody else
reads its queue, and if somebody does, the message is recognised by its key."""
AWAY_S: Final = 1.0
"""Between looks at a database that is away."""


class Embedded:
    """Queues in the tables of `begin`."""

    def __init__(self, begin: Begin, clock: Clock, *, reading: Begin | None = None) -> None:
        self._begin = begin
        self._reading = reading or begin
        self._clock = clock
        self._bells: defaultdict[str, Bell] = defaultdict(Bell)

    def ring(self, queue: str) -> None:
        """Something may have come into this queue; from any thread."""
        self._bells[queue].ring()

    async def declare(self, departments: Iterable[str]) -> None:
        """Add the queues that are not there yet."""
        names = [queue.name for queue in topology.queues(departments, "classic")]
        await finish(asyncio.to_thread(self._declare, names))

    def _declare(self, names: list[str]) -> None:
        with self._begin() as session:
            there = set(session.scalars(select(EmbeddedQueueRow.name)))
            session.add_all(EmbeddedQueueRow(name=name) for name in names if name not in there)

    async def ready(self) -> bool:
        """Always: the database the message comes from is the broker."""
        return True

    @property
    def blocked(self) -> bool:
        """Never."""
        return False

    async def answers(self) -> bool:
        """Always, as `ready`."""
        return True

    async def send(
        self, exchange: str, routing_key: str, body: bytes, dedupe_key: str, trace: str = ""
    ) -> Outcome:
        """As `publish`: the database answers, or fails, within its own bounds."""
        del trace  # the message itself names it, and a row has no headers
        return await self.publish(exchange, routing_key, body, dedupe_key)

    async def publish(
        self, exchange: str, routing_key: str, body: bytes, dedupe_key: str
    ) -> Outcome:
        """One committed row in the queue the routing key names."""
        queue = topology.queue_for(exchange, routing_key)
        row = EmbeddedRow(
            queue=queue, routing_key=routing_key, dedupe_key=dedupe_key, body=body, fence=0
        )
        try:
            return await finish(asyncio.to_thread(self._publish, row))
        except Exception as problem:  # noqa: BLE001 - whatever it was: it may or may not be there
            return Outcome("unknown", type(problem).__name__)

    def _publish(self, row: EmbeddedRow) -> Outcome:
        row.enqueued_at = row.claimable_at = self._clock()
        with self._begin() as session:
            if session.get(EmbeddedQueueRow, row.queue) is None:
                return Outcome("unroutable", f"no queue {row.queue}")
            session.add(row)
            session.flush()  # here, and not by the commit: whoever is told of rows is told in time
        self.ring(row.queue)
        return Outcome("confirmed")

    async def deliveries(self, queue: str) -> AsyncGenerator[Delivery, None]:
        """The head of the queue, then the next; what is not settled is given back at once."""
        bell = self._bells[queue]
        while True:
            seen = bell.rings
            try:
                taken = await finish(asyncio.to_thread(self._claim, queue))
            except Exception as problem:  # noqa: BLE001 - the message is still there, whatever it was
                logger.warning("queue %s cannot be read: %s", queue, type(problem).__name__)
                await asyncio.sleep(AWAY_S)
                continue
            if taken is None:
                await bell.wait(seen)
                continue
            try:
                yield taken
            finally:
                if not taken.settled:
                    await taken.requeue()

    async def gathered(self, queue: str) -> AsyncGenerator[Gathered, None]:
        """The head of the queue, by itself: the next is claimed when this one is settled."""
        async with aclosing(self.deliveries(queue)) as arriving:
            async for delivery in arriving:
                yield Gathered([delivery], delivery.ack)

    def _claim(self, queue: str) -> "_Taken | None":
        now = self._clock()
        first = (
            select(EmbeddedRow).where(EmbeddedRow.queue == queue).order_by(EmbeddedRow.id).limit(1)
        )
        with self._reading() as session:
            head = session.scalar(first)
            if head is None or head.claimable_at > now:
                return None
        with self._begin() as session:
            head = session.scalar(first.with_for_update())
            if head is None or head.claimable_at > now:
                return None
            if head.fence < DELIVERY_LIMIT or queue == PARKED:
                head.claimable_at = now + LEASE_US
                head.fence += 1
                return _Taken(
                    head.id, head.fence, queue, head.body, head.routing_key, head.dedupe_key,
                    head.death, self,
                )  # fmt: skip
            _bury(head, "delivery_limit", now)
        self.ring(queue)  # for those behind it
        self.ring(PARKED)
        return None

    async def settle(self, taken: "_Taken", how: str) -> None:
        """Remove, give back or bury a row, if the lease is still ours; what fails comes again."""
        try:
            await finish(asyncio.to_thread(self._settle, taken, how))
        except Exception as problem:  # noqa: BLE001 - the lease runs out, whatever it was
            logger.warning("message %d not settled: %s", taken.id, type(problem).__name__)

    def _settle(self, taken: "_Taken", how: str) -> None:
        ours = (EmbeddedRow.id == taken.id) & (EmbeddedRow.fence == taken.fence)
        with self._begin() as session:
            if how == "ack":
                session.execute(delete(EmbeddedRow).where(ours))
            elif how == "requeue":
                again = update(EmbeddedRow).where(ours).values(claimable_at=self._clock())
                session.execute(again)
            else:
                self._reject(session, taken)
        self.ring(PARKED if how == "reject" else taken.queue)

    def _reject(self, session: Session, taken: "_Taken") -> None:
        row = session.get(EmbeddedRow, taken.id, with_for_update=True)
        if row is not None and row.fence == taken.fence:
            _bury(row, "rejected", self._clock())

    async def close(self) -> None:
        """Nothing to give back: every step was a transaction of its own."""


def _bury(row: EmbeddedRow, why: str, now: int) -> None:
    row.death = f"{why} in {row.queue} ({row.fence})"
    row.queue, row.fence, row.claimable_at = PARKED, 0, now


@dataclass(slots=True)
class _Taken:
    """A claimed row as a `Delivery`."""

    id: int
    fence: int
    queue: str
    body: bytes
    routing_key: str
    dedupe_key: str
    death: str
    home: Embedded
    settled: bool = False
    user: str | None = None
    lasting: bool = True

    async def ack(self) -> None:
        await self._settle("ack")

    async def requeue(self) -> None:
        await self._settle("requeue")

    async def reject(self) -> None:
        await self._settle("reject")

    async def _settle(self, how: str) -> None:
        if self.settled:
            return
        self.settled = True
        try:
            await self.home.settle(self, how)
        except Exception as problem:  # noqa: BLE001 - it comes again when the lease runs out
            logger.warning("%s failed, it comes again: %s", how, type(problem).__name__)
