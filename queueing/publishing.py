"""Publishing to RabbitMQ: one link at a time, opened anew when it is lost.

Connecting declares the three exchanges and no queue before the first publish: queues are declared
beside it, eight at a time, so that sick ones keep nobody waiting. Where a message comes back and
its queue is one of ours, somebody has deleted or unbound that queue: it is declared at once, once
for all that came back, and the message published again; coming back twice it is unroutable.
Always holds: nothing else is published again by itself (the relay does that under the same dedupe
key); after each reconnection everything that was ever declared is declared again.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

from aio_pika.exceptions import DeliveryError, PublishError

from queueing import link, topology
from queueing.errors import TopologyMismatch, TransportDown
from queueing.link import LOST, SHORT_S, TIMEOUT_S, Link, Where
from queueing.topology import Kind, Queue
from queueing.transport import Outcome
from queueing.waiting import bounded

logger = logging.getLogger(__name__)

RETURNED: Final = "unroutable"


class Publisher:
    """The publishing half of the broker at these URLs."""

    def __init__(self, where: Where, kind: Kind) -> None:
        self._where = where
        self._kind = kind
        self._departments: set[str] = set()
        self._declares = False
        self._link: Link | None = None
        self._opening = asyncio.Lock()
        self._declaring: asyncio.Task[None] | None = None
        self._mending: dict[str, asyncio.Future[bool]] = {}
        self._trouble = ""

    @property
    def queues(self) -> list[Queue]:
        """What is declared over each new link; nothing, for whoever never asked for any."""
        return topology.queues(self._departments, self._kind) if self._declares else []

    async def declare(self, departments: Iterable[str]) -> None:
        """Have these departments' queues too. Raises `TransportDown` or `TopologyMismatch`."""
        self._declares = True
        self._departments |= set(departments)
        try:
            opened = await self._opened()
        except LOST as problem:
            raise TransportDown(named(problem)) from problem
        problems = await link.declare_all(opened.connection, self.queues, TIMEOUT_S)
        for _, met in problems:
            if isinstance(met, TopologyMismatch):
                raise met
        for _, met in problems:
            raise TransportDown(named(met)) from met

    async def ready(self) -> bool:
        """Whether there is a link; opens one when there is none. Never raises."""
        try:
            await self._opened()
        except LOST as problem:
            self._note(named(problem))
            return False
        self._note("")
        return True

    def _note(self, trouble: str) -> None:
        if trouble != self._trouble:  # said once when it begins and once when it ends
            self._trouble = trouble
            logger.warning("broker away: %s", trouble) if trouble else logger.info("broker back")

    @property
    def blocked(self) -> bool:
        """Whether the broker takes nothing at present."""
        return self._link is not None and self._link.alive and self._link.blocked

    async def answers(self) -> bool:
        """Whether the broker answers over this link."""
        return self._link is not None and self._link.alive and await self._link.answers()

    async def send(
        self, exchange: str, routing_key: str, body: bytes, dedupe_key: str, trace: str = ""
    ) -> Outcome:
        """Publish; what the broker says, however long it takes, or that the link is gone."""
        outcome = await self._once(exchange, routing_key, body, dedupe_key, trace)
        queue = topology.queue_for(exchange, routing_key)
        if outcome.verdict == RETURNED and await self._mended(queue):
            return await self._once(exchange, routing_key, body, dedupe_key, trace)
        return outcome

    async def publish(
        self, exchange: str, routing_key: str, body: bytes, dedupe_key: str
    ) -> Outcome:
        """The same within 2 × `TIMEOUT_S`; no answer until then is `unknown`."""
        try:
            return await bounded(self.send(exchange, routing_key, body, dedupe_key), TIMEOUT_S)
        except LOST as problem:
            # One stuck queue must not cost the others their link: only a dead one is dropped.
            current = self._link
            if current is not None and not await current.answers():
                await self._drop(current)
            return Outcome("unknown", named(problem))

    async def _once(
        self, exchange: str, routing_key: str, body: bytes, dedupe_key: str, trace: str
    ) -> Outcome:
        current: Link | None = None
        try:
            current = await self._opened()
            await current.publish(exchange, routing_key, body, dedupe_key, trace)
        except PublishError:
            return Outcome(RETURNED, f"{exchange} has no queue for {routing_key}")
        except DeliveryError:
            return Outcome("refused", "the queue is full or failing (basic.nack)")
        except LOST as problem:
            if current is not None and not current.alive:
                await self._drop(current)
            return Outcome("unknown", named(problem))
        return Outcome("confirmed")

    async def _mended(self, name: str) -> bool:
        """Whether the queue `name` is one of ours and stands again; asked once at a time."""
        wanted = [queue for queue in self.queues if queue.name == name]
        if not wanted or self._link is None:
            return False
        if name not in self._mending:
            mending = asyncio.ensure_future(self._mend(self._link, wanted))
            self._mending[name] = mending
            mending.add_done_callback(lambda _: self._mending.pop(name))
        return await asyncio.shield(self._mending[name])

    async def _mend(self, current: Link, wanted: list[Queue]) -> bool:
        logger.warning("%s was gone or unbound; declared again", wanted[0].name)
        return not await link.declare_all(current.connection, wanted, SHORT_S)

    async def _opened(self) -> Link:
        if self._link is not None and self._link.alive:
            return self._link
        async with self._opening:
            if self._link is None or not self._link.alive:
                await self._drop(self._link)
                self._link = await self._open()
            return self._link

    async def _open(self) -> Link:
        opened = await Link.open(link.addresses(self._where))
        if self._declares:
            try:
                await bounded(link.declare_exchanges(opened.connection), TIMEOUT_S)
            except BaseException:
                await link.close(opened.connection)
                raise
            self._declaring = asyncio.create_task(self._declare_again(opened))
        return opened

    async def _declare_again(self, opened: Link) -> None:
        """What can be declared; a queue that cannot is said, and shows in what is sent to it."""
        for queue, problem in await link.declare_all(opened.connection, self.queues, SHORT_S):
            if opened.alive:
                logger.warning("%s could not be declared: %s", queue.name, named(problem))

    async def close(self) -> None:
        """Give the link back."""
        await self._drop(self._link)

    async def _drop(self, dropped: Link | None) -> None:
        if dropped is None:
            return
        if self._link is dropped:
            self._link = None
            if self._declaring is not None:
                self._declaring.cancel()
        await link.close(dropped.connection)


def named(problem: BaseException) -> str:
    """The kind of trouble and its text; neither aio_pika's nor ours quotes the password."""
    return f"{type(problem).__name__} {problem}".strip()
