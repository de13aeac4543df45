"""RabbitMQ behind the transport's contract. With `looking`, the only import of aio_pika.

Publishing: confirms, mandatory, a fresh message id for each attempt (aiormq matches returned
messages by it) with the dedupe key in a header. Two connections, because RabbitMQ stops reading
from one that publishes too fast, and acks would wait behind it.
Always holds: every call into the library is `bounded`; a lost link is opened anew by us and the
topology declared again, queue by queue, so that one sick queue does not keep the others away;
nothing is published again by itself (the relay does that under the same dedupe key); of a consumer
not the connection but the consumer itself is watched (DESIGN §4).
The address holds a password: it is neither shown nor logged.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import (
    CONNECTION_EXCEPTIONS,
    ChannelPreconditionFailed,
    DeliveryError,
    PublishError,
)

from queueing import topology
from queueing.errors import QueueingError, TopologyMismatch, TransportDown
from queueing.messages import CONTENT_TYPE
from queueing.topology import DEDUPE_HEADER, Kind, Queue
from queueing.transport import Delivery, Outcome
from queueing.waiting import bounded

logger = logging.getLogger(__name__)

TIMEOUT_S: Final = 10.0
SHORT_S: Final = 2.0  # to say goodbye, to ask whether somebody is there, to declare one queue
WATCH_S: Final = 3.0  # a consumer that hears nothing for so long is looked after
AGAIN_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0)  # publishing again within seconds of the port
HEARTBEAT_S: Final = 10
AHEAD: Final = {topology.REPLIES: 16, topology.PARKED: 16}
"""How many messages wait in a consumer's hands. Of a department's queue one: what it requeues would
otherwise come after what it already holds. Our own consumers never requeue; that they hold few is
what bounds their memory when somebody sends noise."""
LOST: Final = (*CONNECTION_EXCEPTIONS, TimeoutError, QueueingError)


@dataclass(frozen=True, slots=True)
class _Link:
    connection: AbstractConnection
    channel: AbstractChannel


class RabbitMQ:
    """The broker at `url` (amqp:// or amqps://), with queues of one `kind`."""

    def __init__(self, url: str, *, kind: Kind = "quorum") -> None:
        joint = "&" if "?" in url else "?"
        self._url = url if "heartbeat=" in url else f"{url}{joint}heartbeat={HEARTBEAT_S}"
        self._user = unquote(urlsplit(url).username or "") or None  # the broker proves it
        self._kind = kind
        self._departments: set[str] = set()
        self._declares = False
        self._publisher: _Link | None = None
        self._opening = asyncio.Lock()
        self._trouble = ""

    async def declare(self, departments: Iterable[str]) -> None:
        """Declare the topology for these departments as well, now and after each reconnection.

        Whoever never calls this (a department's own program, with rights on its own queue alone)
        declares nothing. Raises `TransportDown` or `TopologyMismatch`.
        """
        self._declares = True
        self._departments |= set(departments)
        try:
            link = await self._link()
            for queue in self._queues():
                await bounded(_declare(link.connection, queue), TIMEOUT_S)
        except TopologyMismatch:
            raise
        except LOST as problem:
            raise TransportDown(_named(problem)) from problem

    def _queues(self) -> list[Queue]:
        return topology.queues(self._departments, self._kind) if self._declares else []

    async def ready(self) -> bool:
        """Whether there is a publishing link; opens one when there is none. Never raises."""
        try:
            await self._link()
        except LOST as problem:
            self._note(_named(problem))
            return False
        self._note("")
        return True

    def _note(self, trouble: str) -> None:
        if trouble != self._trouble:  # said once when it begins and once when it ends
            self._trouble = trouble
            logger.warning("broker away: %s", trouble) if trouble else logger.info("broker back")

    async def publish(
        self, exchange: str, routing_key: str, body: bytes, dedupe_key: str
    ) -> Outcome:
        """Publish once; the outcome within 2 × `TIMEOUT_S` and the time a dead link takes to show.

        That is less than the relay's lease.
        """
        message = aio_pika.Message(
            body,
            message_id=uuid4().hex,
            content_type=CONTENT_TYPE,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            headers={DEDUPE_HEADER: dedupe_key},
            user_id=self._user,
        )
        link: _Link | None = None
        try:
            async with asyncio.timeout(TIMEOUT_S):
                link = await self._link()
            target = await link.channel.get_exchange(exchange, ensure=False)
            await bounded(target.publish(message, routing_key, mandatory=True), TIMEOUT_S)
        except PublishError:
            return Outcome("unroutable", f"{exchange} has no queue for {routing_key}")
        except DeliveryError:
            return Outcome("refused", "the queue is full or failing (basic.nack)")
        except LOST as problem:
            # One stuck queue must not cost the others their link: only a dead one is dropped.
            silent = isinstance(problem, TimeoutError)
            if link is not None and not (silent and await _answers(link.connection)):
                await self._drop(link)
            return Outcome("unknown", _named(problem))
        return Outcome("confirmed")

    async def deliveries(self, queue: str) -> AsyncGenerator[Delivery, None]:
        """The queue's messages, for ever; a lost consumer is replaced on a fresh connection."""
        tried = 0
        while True:
            try:
                async with aclosing(self._consume(queue)) as arriving:
                    async for message in arriving:
                        tried = 0
                        yield _Taken(message)
            except LOST as problem:
                logger.warning("consumer of %s lost: %s", queue, _named(problem))
            await asyncio.sleep(AGAIN_S[min(tried, len(AGAIN_S) - 1)])
            tried += 1

    async def _consume(self, queue: str) -> AsyncGenerator[AbstractIncomingMessage, None]:
        connection = await bounded(aio_pika.connect(self._url), TIMEOUT_S)
        try:
            await self._declare_again(connection, [q for q in self._queues() if q.name == queue])
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
                if message is None:
                    raise TransportDown("the channel was closed")
                yield message
        finally:
            await _close(connection)

    async def close(self) -> None:
        """Close the publishing link; consumers close theirs when their generator is closed."""
        await self._drop(self._publisher)

    async def _link(self) -> _Link:
        async with self._opening:
            link = self._publisher
            if link is None or link.channel.is_closed or link.connection.is_closed:
                await self._drop(link)
                link = self._publisher = await self._open()
            return link

    async def _open(self) -> _Link:
        connection = await bounded(aio_pika.connect(self._url), TIMEOUT_S)
        try:
            await self._declare_again(connection, self._queues())
            channel = connection.channel(publisher_confirms=True, on_return_raises=True)
            await bounded(channel.initialize(), TIMEOUT_S)
        except BaseException:
            await _close(connection)
            raise
        return _Link(connection, channel)

    async def _declare_again(self, connection: AbstractConnection, queues: list[Queue]) -> None:
        """What can be declared; a queue that cannot is said, and shows in what is sent to it."""
        for queue in queues:
            try:
                await bounded(_declare(connection, queue), SHORT_S)
            except LOST as problem:
                if connection.is_closed:
                    raise
                logger.warning("%s could not be declared: %s", queue.name, _named(problem))

    async def _drop(self, link: _Link | None) -> None:
        if link is not None:
            if self._publisher is link:
                self._publisher = None
            await _close(link.connection)


async def _declare(connection: AbstractConnection, queue: Queue) -> None:
    """A queue with its exchange, on a channel of its own: a refusal closes the channel it met."""
    async with connection.channel(publisher_confirms=False) as channel:
        try:
            await channel.declare_exchange(queue.exchange, "topic", durable=True)
            made = await channel.declare_queue(queue.name, durable=True, arguments=queue.arguments)
            await made.bind(queue.exchange, queue.pattern)
        except ChannelPreconditionFailed as problem:
            raise TopologyMismatch(str(problem)) from problem


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


async def _answers(connection: AbstractConnection) -> bool:
    """Whether the other side still answers at all."""

    async def ask() -> None:
        async with connection.channel(publisher_confirms=False):
            pass

    try:
        await bounded(ask(), SHORT_S)
    except LOST:
        return False
    return True


async def _close(connection: AbstractConnection) -> None:
    try:
        await bounded(connection.close(), SHORT_S)
    except LOST as problem:
        logger.debug("closing a lost connection: %s", type(problem).__name__)


def _named(problem: BaseException) -> str:
    """The kind of trouble and its text; neither aio_pika's nor ours quotes the password."""
    return f"{type(problem).__name__} {problem}".strip()


class _Taken:
    """An AMQP message as a `Delivery`."""

    def __init__(self, message: AbstractIncomingMessage) -> None:
        self._message = message
        self.body = message.body
        self.routing_key = message.routing_key or ""
        self.dedupe_key = str(message.headers.get(DEDUPE_HEADER) or "")
        self.user: str | None = message.user_id or ""

    @property
    def death(self) -> str:
        deaths: Any = self._message.headers.get("x-death") or []
        return "; ".join(
            f"{d.get('reason')} in {d.get('queue')} ({d.get('count')})" for d in deaths
        )

    async def ack(self) -> None:
        await self._settle(self._message.ack())

    async def requeue(self) -> None:
        await self._settle(self._message.reject(requeue=True))

    async def reject(self) -> None:
        await self._settle(self._message.reject(requeue=False))

    async def _settle(self, step: Awaitable[object]) -> None:
        try:
            await bounded(step, TIMEOUT_S)
        except LOST as problem:
            logger.info("settling failed, it comes again: %s", type(problem).__name__)
