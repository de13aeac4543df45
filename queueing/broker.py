"""RabbitMQ behind the transport's contract: consuming, and the way to `publishing`.

Two connections, because RabbitMQ stops reading from one that publishes too fast, and acks would
wait behind it.
Always holds: every call into the library is `bounded`; of a consumer not the connection but the
consumer itself is watched (DESIGN §4); a lost consumer declares its queue again.
The address holds a password: it is neither shown nor logged.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Iterable
from contextlib import aclosing
from typing import Any, Final

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, DeliveryMode

from queueing import link, topology
from queueing.errors import TransportDown
from queueing.link import LOST, SHORT_S, TIMEOUT_S, Where
from queueing.publishing import Publisher, named
from queueing.topology import DEDUPE_HEADER, Kind
from queueing.transport import Delivery, Gathered, Outcome
from queueing.waiting import bounded

logger = logging.getLogger(__name__)

TOGETHER: Final = 16  # and as many again arrive meanwhile
WATCH_S: Final = 3.0  # a consumer that hears nothing for so long is looked after
AGAIN_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0)  # consuming again within seconds of the port
AHEAD: Final = {topology.REPLIES: 32, topology.PARKED: 16}
"""How many messages wait in a consumer's hands. Of a department's queue one: what it requeues would
otherwise come after what it already holds. Our own consumers never requeue; that they hold few is
what bounds their memory when somebody sends noise."""


class RabbitMQ:
    """The broker at `url` (amqp:// or amqps://), with queues of one `kind`.

    Of a cluster `url` may name several nodes, with blanks between: the first that lets us in is
    taken, each time anew. It may be a function that says it, asked before each connection: a
    changed password is taken up without a restart.
    """

    def __init__(self, url: Where, *, kind: Kind = "quorum") -> None:
        self._where = url
        self._out = Publisher(url, kind)

    async def declare(self, departments: Iterable[str]) -> None:
        """Declare the topology for these departments as well, now and after each reconnection.

        Whoever never calls this (a department's own program, with rights on its own queue alone)
        declares nothing. Raises `TransportDown` or `TopologyMismatch`.
        """
        await self._out.declare(departments)

    async def ready(self) -> bool:
        """Whether there is a publishing link; opens one when there is none. Never raises."""
        return await self._out.ready()

    @property
    def blocked(self) -> bool:
        """Whether the broker has asked not to be published to now."""
        return self._out.blocked

    async def answers(self) -> bool:
        """Whether the broker answers over the publishing link, asked for something small."""
        return await self._out.answers()

    async def send(
        self, exchange: str, routing_key: str, body: bytes, dedupe_key: str, trace: str = ""
    ) -> Outcome:
        """Publish once; what the broker says, however long it takes, or that the link is gone."""
        return await self._out.send(exchange, routing_key, body, dedupe_key, trace)

    async def publish(
        self, exchange: str, routing_key: str, body: bytes, dedupe_key: str
    ) -> Outcome:
        """Publish once; the outcome within 2 × `TIMEOUT_S`."""
        return await self._out.publish(exchange, routing_key, body, dedupe_key)

    async def deliveries(self, queue: str) -> AsyncGenerator[Delivery, None]:
        """The queue's messages, for ever; a lost consumer is replaced on a fresh connection."""
        async with aclosing(self.gathered(queue)) as arriving:
            async for gathered in arriving:
                for delivery in gathered.deliveries:
                    yield delivery

    async def gathered(self, queue: str) -> AsyncGenerator[Gathered, None]:
        """As `deliveries`, as many at once as have come; at most `TOGETHER` of them."""
        tried = 0
        while True:
            try:
                async with aclosing(self._consume(queue)) as arriving:
                    async for messages in arriving:
                        tried = 0
                        taken = [_Taken(message) for message in messages]
                        yield Gathered(taken, taken[-1].ack_so_far)
            except LOST as problem:
                logger.warning("consumer of %s lost: %s", queue, named(problem))
            await asyncio.sleep(AGAIN_S[min(tried, len(AGAIN_S) - 1)])
            tried += 1

    async def _consume(self, queue: str) -> AsyncGenerator[list[AbstractIncomingMessage], None]:
        connection = await link.connect(link.addresses(self._where))
        try:
            wanted = [q for q in self._out.queues if q.name == queue]
            for _, problem in await link.declare_all(connection, wanted, SHORT_S):
                logger.warning("%s could not be declared: %s", queue, named(problem))
            channel = connection.channel(publisher_confirms=False)
            arrived: asyncio.Queue[AbstractIncomingMessage | None] = asyncio.Queue()
            channel.close_callbacks.add(lambda *_: arrived.put_nowait(None))
            tag = await bounded(_start(channel, queue, arrived), TIMEOUT_S)
            while True:
                try:
                    async with asyncio.timeout(WATCH_S):
                        message = await arrived.get()
                except TimeoutError:
                    await bounded(_watch(channel, queue, tag), TIMEOUT_S)
                    continue
                messages = [message]
                while not arrived.empty() and len(messages) < TOGETHER:
                    messages.append(arrived.get_nowait())
                if None in messages:  # what came before it comes again: it can no longer be settled
                    raise TransportDown("the channel was closed")
                yield [one for one in messages if one is not None]
        finally:
            await link.close(connection)

    async def close(self) -> None:
        """Close the publishing link; consumers close theirs when their generator is closed."""
        await self._out.close()


async def _start(
    channel: AbstractChannel, queue: str, arrived: "asyncio.Queue[AbstractIncomingMessage | None]"
) -> str:
    """Begin to consume; the consumer's tag."""
    await channel.initialize()
    await channel.set_qos(prefetch_count=AHEAD.get(queue, 1))
    source = await channel.get_queue(queue, ensure=False)
    return await source.consume(arrived.put)


async def _watch(channel: AbstractChannel, queue: str, tag: str) -> None:
    """Whether this consumer still consumes: the broker answers, and has not cancelled it."""
    await channel.declare_queue(queue, passive=True)
    underlay: Any = await channel.get_underlay_channel()
    if tag not in underlay.consumers:
        raise TransportDown(f"the broker cancelled the consumer of {queue}")


class _Taken:
    """An AMQP message as a `Delivery`."""

    def __init__(self, message: AbstractIncomingMessage) -> None:
        self._message = message
        self.body = message.body
        self.routing_key = message.routing_key or ""
        self.dedupe_key = str(message.headers.get(DEDUPE_HEADER) or "")
        self.user: str | None = message.user_id or ""
        self.lasting = message.delivery_mode == DeliveryMode.PERSISTENT

    @property
    def death(self) -> str:
        deaths: Any = self._message.headers.get("x-death") or []
        return "; ".join(
            f"{d.get('reason')} in {d.get('queue')} ({d.get('count')})" for d in deaths
        )

    async def ack(self) -> None:
        await self._settle(self._message.ack())

    async def ack_so_far(self) -> None:
        """This one, and each before it that is not settled."""
        await self._settle(self._message.ack(multiple=True))

    async def requeue(self) -> None:
        await self._settle(self._message.reject(requeue=True))

    async def reject(self) -> None:
        await self._settle(self._message.reject(requeue=False))

    async def _settle(self, step: Awaitable[object]) -> None:
        try:
            await bounded(step, TIMEOUT_S)
        except LOST as problem:
            logger.info("settling failed, it comes again: %s", type(problem).__name__)
