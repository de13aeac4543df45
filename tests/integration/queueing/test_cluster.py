"""A cluster of three whose nodes die in turn, under load: nothing lost, every queue drains to 0.

On RabbitMQ 4.3: the node that hotline and department are connected to, then the queue's leader,
then two at once (what is left is a minority, and confirms nothing). While two of three live, work
orders go out and are answered. The policies are those that `hotline init` writes for 4.3.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, suppress

import pika  # type: ignore[import-untyped]
import pytest
from pika.exceptions import AMQPError  # type: ignore[import-untyped]

from queueing import topology
from queueing.broker import RabbitMQ
from queueing.department import Department
from queueing.inbox import ReplyConsumer
from queueing.relay import Relay
from queueing.tables import InboxRow
from queueing.topology import WORKORDERS
from tests.integration.queueing.test_broker_faults import confirmed, put
from tests.rig import releases
from tests.rig.cluster import Cluster, cluster
from tests.rig.rabbitmq import Broker
from tests.rig.store import Clock, Store
from tests.rig.waiting import closing, running, until

pytestmark = pytest.mark.timeout(400)

QUEUE = topology.department_queue("sb")
A_ROUND = 200
DOWN_S = 1.5
STILL_S = 15.0
"""For so long at the most nothing may happen: a dead node's minute would be four times that."""


async def goes_on(count: Callable[[], int], total: int) -> None:
    """Until it has come to `total`, with no long pause; however slow the machine is."""
    while (seen := await asyncio.to_thread(count)) < total:
        await until(lambda seen=seen: count() > seen, seconds=STILL_S)  # type: ignore[misc]


@pytest.fixture(scope="module")
def three() -> Iterator[Cluster]:
    """Three nodes of RabbitMQ 4.3."""
    with cluster(releases.newest()) as made:
        yield made


def test_nodes_die_in_turn_and_nothing_is_lost(
    three: Cluster, sqlite_store: Store, clock: Clock
) -> None:
    """Protects: a house on a cluster: minority, leader and majority may die, and come back; with
    most of it alive the work goes on before the dead are back."""
    vhost = three.nodes[0].fresh_vhost()
    three.nodes[0].import_definitions(topology.policies_since_4_3(vhost))
    urls = " ".join(node.url(vhost) for node in three.nodes)
    seen: dict[str, int] = {}

    async def sign_all() -> None:
        async with (
            closing(RabbitMQ(urls)) as theirs,
            aclosing(Department("sb", theirs, clock, seen).orders()) as orders,
        ):
            async for order in orders:
                await order.sign("张三")

    def applied() -> set[str]:
        return {row.work_order for row in sqlite_store.read(lambda s: s.query(InboxRow).all())}

    def dying() -> Iterator[Sequence[Broker]]:
        yield three.nodes[:1]
        yield [three.leader(vhost, QUEUE)]
        yield three.nodes[1:]

    async def scenario() -> None:
        async with closing(RabbitMQ(urls, kind="quorum")) as ours:
            await ours.declare(["sb"])
            replies = ReplyConsumer(sqlite_store.begin, ours, lambda *_: None, clock)
            relay = Relay(sqlite_store.begin, ours, clock)
            async with running(relay.run(), replies.run(), sign_all()):
                total = 0
                for nodes in dying():
                    put(sqlite_store, total + 1, total + A_ROUND)
                    await until(lambda total=total: len(applied()) > total)  # type: ignore[misc]
                    for node in nodes:
                        await asyncio.to_thread(node.kill)
                    put(sqlite_store, total + A_ROUND + 1, total + 2 * A_ROUND)
                    total += 2 * A_ROUND
                    if len(nodes) == 1:
                        await goes_on(lambda: len(applied()), total)
                    else:
                        await asyncio.sleep(DOWN_S)
                    await asyncio.to_thread(three.start, *nodes)
                    await goes_on(lambda: len(applied()), total)
                assert confirmed(sqlite_store) == total == len(seen)
                await until(lambda: three.depth(vhost, QUEUE) == 0)

    asyncio.run(scenario())


def test_what_a_consumer_on_a_dead_node_had_in_hand_is_worked_soon(three: Cluster) -> None:
    """Protects: left alone, 4.3 keeps it for a minute, from replies and orders alike, and those
    behind it are worked before it."""
    first, second, third = three.nodes
    vhost = first.fresh_vhost()
    first.import_definitions(topology.policies_since_4_3(vhost))

    async def published() -> None:
        async with closing(RabbitMQ(first.url(vhost), kind="quorum")) as ours:
            await ours.declare(["sb"])
            for body in (b"held", b"next"):
                await ours.publish(WORKORDERS, "workorder.sb.offered.v1", body, "k")

    async def came() -> list[bytes]:
        async with (
            closing(RabbitMQ(third.url(vhost))) as theirs,
            aclosing(theirs.deliveries(QUEUE)) as arriving,
        ):
            got = []
            async for delivery in arriving:
                got.append(delivery.body)
                await delivery.ack()
                if len(got) == 2:
                    return got
        raise AssertionError("the deliveries ended")

    asyncio.run(published())
    holder = pika.BlockingConnection(pika.URLParameters(second.url(vhost)))
    channel = holder.channel()
    channel.basic_qos(prefetch_count=1)
    _, _, body = next(channel.consume(QUEUE))
    assert body == b"held"
    second.kill()
    try:
        began = time.monotonic()
        assert asyncio.run(came()) == [b"next", b"held"]
        assert time.monotonic() - began < STILL_S
    finally:
        with suppress(AMQPError):
            holder.close()
        three.start(second)
