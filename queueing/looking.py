"""A look at a real broker through its own protocol: what is not as agreed, and how much lies in its
queues. Changes nothing.

Each queue is asked for passively, and one that is there is declared with the agreed arguments,
which RabbitMQ answers with the first difference, or does nothing. A message that no queue takes is
published to each exchange: it comes back where the broker is well, and no answer comes while an
alarm (memory, disk) keeps it from reading what is published. Bindings and rights cannot be seen
through AMQP: `differences` sees them, in exported definitions.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import (
    CONNECTION_EXCEPTIONS,
    ChannelClosed,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
    PublishError,
)
from aiormq import exceptions

from queueing import link, topology
from queueing.errors import TransportDown
from queueing.topology import Queue
from queueing.waiting import bounded

TIMEOUT_S: Final = 5.0
PROBE: Final = "doctor.nobody"
"""A key that none of our patterns takes."""


async def troubles(url: str, wanted: Iterable[Queue]) -> list[str]:
    """What is wrong at the broker, each with what to do; none where all is well.

    Raises:
        TransportDown: it cannot be reached, or does not let us in.
    """
    wanted = list(wanted)
    exchanges = sorted({queue.exchange for queue in wanted} - {topology.PARKED})  # that takes all
    async with _connected(url) as connection:
        found = [told for queue in wanted if (told := await _queue(connection, queue))]
        probed = [await _probe(connection, exchange) for exchange in exchanges]
    return found + [told for told in probed if told]


@dataclass(frozen=True, slots=True)
class Standing:
    """A queue as the broker tells of it: messages that wait, and programs that read it."""

    ready: int
    readers: int


async def standing(url: str, names: Iterable[str]) -> dict[str, Standing]:
    """Those of these queues that are there.

    Raises:
        TransportDown: the broker cannot be reached, or does not let us in.
    """
    found = {}
    async with _connected(url) as connection:
        for name in names:
            try:
                found[name] = await bounded(_stands(connection, name), TIMEOUT_S)
            except ChannelNotFoundEntity:
                continue
            except (*CONNECTION_EXCEPTIONS, ChannelClosed, TimeoutError) as problem:
                raise TransportDown(type(problem).__name__) from problem
    return found


async def _stands(connection: AbstractConnection, name: str) -> Standing:
    async with connection.channel(publisher_confirms=False) as channel:
        told = (await channel.declare_queue(name, passive=True)).declaration_result
        return Standing(told.message_count or 0, told.consumer_count or 0)


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[AbstractConnection]:
    try:
        connection = await bounded(link.connect(link.addresses(url)), TIMEOUT_S)
    except (*CONNECTION_EXCEPTIONS, TimeoutError) as problem:
        raise TransportDown(type(problem).__name__) from problem
    try:
        yield connection
    finally:
        try:
            await bounded(connection.close(), TIMEOUT_S)
        except (*CONNECTION_EXCEPTIONS, TimeoutError):
            pass  # under an alarm it does not hear our goodbye either


async def depths(url: str, queues: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Ready messages and consumers of each of these queues; one that does not answer is left out.

    Raises:
        TransportDown: the broker cannot be reached, or does not let us in.
    """
    found = {}
    async with _connected(url) as connection:
        for queue in queues:
            with suppress(*CONNECTION_EXCEPTIONS, ChannelClosed, TimeoutError):
                found[queue] = await bounded(_depth(connection, queue), TIMEOUT_S)
    return found


async def _depth(connection: AbstractConnection, queue: str) -> tuple[int, int]:
    async with connection.channel(publisher_confirms=False) as channel:
        declared = (await channel.declare_queue(queue, passive=True)).declaration_result
        return declared.message_count or 0, declared.consumer_count or 0


async def _queue(connection: AbstractConnection, queue: Queue) -> str:
    async def ask() -> None:
        async with connection.channel(publisher_confirms=False) as channel:
            await channel.declare_queue(queue.name, passive=True)
            await channel.declare_queue(queue.name, durable=True, arguments=queue.arguments)

    try:
        await bounded(ask(), TIMEOUT_S)
    except ChannelNotFoundEntity:
        return (
            f"没有队列 {queue.name}：启动网关或导入定义。 There is no queue {queue.name}: start "
            "the gateway, or import the definitions."
        )
    except ChannelPreconditionFailed as problem:
        return (
            f"队列 {queue.name} 的参数不符（{problem}）：清空后删除，网关会重新声明。 Queue "
            f"{queue.name} has other arguments: empty and delete it; the gateway declares it anew."
        )
    except exceptions.ChannelAccessRefused:
        return (
            f"没有队列 {queue.name} 的权限：导入 hotline init 写出的定义。 No rights to queue "
            f"{queue.name}: import the definitions that hotline init wrote."
        )
    except (*CONNECTION_EXCEPTIONS, ChannelClosed, TimeoutError) as problem:
        return (
            f"队列 {queue.name} 不可用（{type(problem).__name__}）：请看其节点与首领。 Queue "
            f"{queue.name} does not answer: look at its node and leader."
        )
    return ""


async def _probe(connection: AbstractConnection, exchange: str) -> str:
    async def publish() -> None:
        message = aio_pika.Message(b"", delivery_mode=aio_pika.DeliveryMode.NOT_PERSISTENT)
        async with connection.channel(on_return_raises=True) as channel:
            target = await channel.get_exchange(exchange, ensure=False)
            await target.publish(message, PROBE, mandatory=True)

    try:
        await bounded(publish(), TIMEOUT_S)
    except PublishError:
        return ""
    except ChannelNotFoundEntity:
        return (
            f"没有交换机 {exchange}：启动网关或导入定义。 There is no exchange {exchange}: start "
            "the gateway, or import the definitions."
        )
    except TimeoutError:
        return (
            "消息服务收而不发：内存或磁盘告警，请看 rabbitmqctl status。 The broker takes nothing "
            "that is published: a memory or disk alarm; see rabbitmqctl status."
        )
    except (*CONNECTION_EXCEPTIONS, ChannelClosed) as problem:
        return (
            f"不能向 {exchange} 发布（{type(problem).__name__}）：请核对权限。 Cannot publish to "
            f"{exchange}: look at the account's rights."
        )
    return (
        f"{exchange} 上有一条通配绑定，任何消息都会多出一份：请解除。 Some binding of {exchange} "
        "takes every message: remove it."
    )
