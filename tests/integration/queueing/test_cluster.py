"""A cluster of three whose nodes die in turn, under load: nothing lost, every queue drains to 0.

On RabbitMQ 4.3: the node that hotline and department are connected to, then the queue's leader,
then two at once (what is left is a minority, and confirms nothing). While two of three live, work
orders go out and are answered.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import aclosing

import pytest

from queueing import topology
from queueing.broker import RabbitMQ
from queueing.department import Department
from queueing.inbox import ReplyConsumer
from queueing.relay import Relay
from queueing.tables import InboxRow
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


@pytest.fixture
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
                        await until(lambda total=total: len(applied()) == total, seconds=90)  # type: ignore[misc]
                    else:
                        await asyncio.sleep(DOWN_S)
                    await asyncio.to_thread(three.start, *nodes)
                    await until(lambda total=total: len(applied()) == total, seconds=90)  # type: ignore[misc]
                assert confirmed(sqlite_store) == total == len(seen)
                await until(lambda: three.depth(vhost, QUEUE) == 0)

    asyncio.run(scenario())
