"""A connection that publishes: what the broker is asked over it, and when it is dead.

A publish waits for the broker's word and for nothing else: confirm, return, nack, or the end of the
connection, which a missing heartbeat brings about. A timer of its own would publish again to a
broker that is slow, blocked or frozen, and that takes both copies when it comes round.
Always holds: every other call into the library is `bounded`; a connection that has ended leaves
nobody waiting; a queue is declared on a channel of its own, because a refusal closes the channel.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, ChannelPreconditionFailed
from aiormq import spec

from queueing import readable
from queueing.errors import QueueingError, TopologyMismatch, TransportDown
from queueing.messages import CONTENT_TYPE
from queueing.topology import DEDUPE_HEADER, EXCHANGES, Queue
from queueing.waiting import bounded

TIMEOUT_S: Final = 10.0
SHORT_S: Final = 2.0  # to say goodbye, to ask whether somebody is there, to declare one queue
HEARTBEAT_S: Final = 6
"""aiormq gives a connection up that has been silent for three times (this + 1 s)."""
AT_ONCE: Final = 8  # queues that are declared side by side
LOST: Final = (*CONNECTION_EXCEPTIONS, TimeoutError, QueueingError)

Where = str | Callable[[], str]
"""The URLs of a broker, or what is asked for them before each connection: a password that was
changed is then taken up by the next. What is asked must not raise."""


def addresses(where: Where) -> tuple[str, ...]:
    """The nodes that `where` names now, one or several of a cluster with blanks between; each with
    our heartbeat, unless it has one of its own."""
    return tuple(
        url if "heartbeat=" in url else f"{url}{'&' if '?' in url else '?'}heartbeat={HEARTBEAT_S}"
        for url in (where if isinstance(where, str) else where()).split()
    )


async def connect(nodes: Sequence[str]) -> AbstractConnection:
    """To the first of the nodes that lets us in, within `TIMEOUT_S` for all of them together.

    Raises what the last of them said, one of `LOST`.
    """
    met: BaseException = TransportDown("no node is named")
    for url in nodes:
        try:
            opening = aio_pika.connect(url, connection_class=readable.Connection)
            return await bounded(opening, TIMEOUT_S / len(nodes), undo=close)
        except LOST as problem:
            met = problem
    raise met


class Link:
    """A publishing connection with its channel."""

    def __init__(
        self,
        connection: AbstractConnection,
        channel: AbstractChannel,
        wire: Any,  # noqa: ANN401 - aiormq's channel
        user: str | None,
    ) -> None:
        self.connection = connection
        self._user = user  # who speaks: the broker proves it
        self._channel = channel
        self._wire = wire
        self._waiting: set[asyncio.Task[Any]] = set()
        self._ended = False
        connection.close_callbacks.add(self._closed)
        channel.close_callbacks.add(self._closed)

    @classmethod
    async def open(cls, nodes: Sequence[str]) -> "Link":
        """Connect; the exchanges are not asked for. Raises one of `LOST`."""
        connection = await connect(nodes)
        try:
            channel = connection.channel(publisher_confirms=True, on_return_raises=True)
            await bounded(channel.initialize(), TIMEOUT_S)
            user = unquote(urlsplit(nodes[0]).username or "") or None  # of a cluster: of all
            return cls(connection, channel, await channel.get_underlay_channel(), user)
        except BaseException:
            await close(connection)
            raise

    @property
    def alive(self) -> bool:
        """Whether something can still be published over it."""
        return not (self._ended or self._channel.is_closed or self.connection.is_closed)

    @property
    def blocked(self) -> bool:
        """Whether the broker has asked not to be published to (`connection.blocked`): its memory
        or disk alarm. aiormq lets that be awaited, and not asked."""
        waiting = self._wire.connection.ready()
        try:
            waiting.send(None)
        except StopIteration:
            return False
        finally:
            waiting.close()
        return True

    async def publish(
        self, exchange: str, routing_key: str, body: bytes, dedupe_key: str, trace: str = ""
    ) -> None:
        """Until the broker has it. Raises what the library says of a return or a nack, and one of
        `LOST` when the connection ends first."""
        task: asyncio.Task[Any] = asyncio.current_task()  # type: ignore[assignment] # we are in one
        self._waiting.add(task)
        properties = spec.Basic.Properties(
            content_type=CONTENT_TYPE,
            delivery_mode=2,
            headers={DEDUPE_HEADER: dedupe_key, **({"traceparent": trace} if trace else {})},
            user_id=self._user,
        )  # and a message id from aiormq, fresh for each attempt: it matches returns by it
        try:
            await self._wire.basic_publish(
                body, exchange=exchange, routing_key=routing_key, properties=properties,
                mandatory=True, wait=False,
            )  # fmt: skip
        except asyncio.CancelledError:
            if self._ended and task.cancelling() == 1:
                task.uncancel()  # it was us, below
            elif task.cancelling():
                raise
            raise ConnectionError("the connection ended first") from None
        finally:
            self._waiting.discard(task)

    def _closed(self, *_: object) -> None:
        """The library answers those who wait, as a rule; whom it forgets, we do not."""
        asyncio.get_running_loop().call_later(SHORT_S, self._end)

    def _end(self) -> None:
        self._ended = True
        for task in self._waiting:
            task.cancel()

    async def answers(self) -> bool:
        """Whether the other side still answers at all."""

        async def ask() -> None:
            async with self.connection.channel(publisher_confirms=False):
                pass

        try:
            await bounded(ask(), SHORT_S)
        except LOST:
            return False
        return True


async def declare_exchanges(connection: AbstractConnection) -> None:
    """What a publish must find, or the broker closes the channel. No queue's health matters."""
    async with connection.channel(publisher_confirms=False) as channel:
        for name in EXCHANGES:
            await channel.declare_exchange(name, "topic", durable=True)


async def declare(connection: AbstractConnection, queue: Queue) -> None:
    """A queue with its exchange. Raises `TopologyMismatch`, or one of `LOST`."""
    async with connection.channel(publisher_confirms=False) as channel:
        try:
            await channel.declare_exchange(queue.exchange, "topic", durable=True)
            made = await channel.declare_queue(queue.name, durable=True, arguments=queue.arguments)
            await made.bind(queue.exchange, queue.pattern)
        except ChannelPreconditionFailed as problem:
            raise TopologyMismatch(str(problem)) from problem


async def declare_all(
    connection: AbstractConnection, queues: Iterable[Queue], seconds: float
) -> list[tuple[Queue, BaseException]]:
    """Several side by side, each within `seconds`; those that could not be, and why."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(queue: Queue) -> None:
        async with turns:
            await bounded(declare(connection, queue), seconds)

    wanted = list(queues)
    ended = await asyncio.gather(*map(one, wanted), return_exceptions=True)
    return [
        (queue, problem)
        for queue, problem in zip(wanted, ended, strict=True)
        if problem is not None
    ]


async def close(connection: AbstractConnection) -> None:
    """Say goodbye, within bounds."""
    try:
        await bounded(connection.close(), SHORT_S)
    except LOST:
        return
