"""The relay while its broker is blocked, frozen, robbed of a queue, or sick in one of them.

Classic queues, for the reason that `test_broker_faults` gives.
"""

import asyncio
import subprocess
import sys
import time

import aio_pika
import pytest

from queueing import due, outbox, parked, topology
from queueing.broker import RabbitMQ
from queueing.ledger import LEASE_US
from queueing.relay import Relay
from queueing.tables import OutboxRow
from queueing.window import MOST
from tests.rig.rabbitmq import Broker
from tests.rig.store import Clock, Store
from tests.rig.waiting import closing, running, until
from tests.rig.workorders import offered

pytestmark = pytest.mark.alone  # what is measured is how often and how soon

QUEUE = topology.department_queue("sb")
LONG_S = 12.0
"""Longer than a publish was once waited for; shorter than a heartbeat is missed."""


def put(store: Store, first: int, last: int, department: str = "sb") -> None:
    with store.begin() as session:
        for number in range(first, last + 1):
            message = offered(number, department=department)
            outbox.put(
                session,
                message,
                department=department,
                ordering_key=message.work_order,
                dedupe_key=f"{message.work_order}:1",
                now=1,
            )


def confirmed(store: Store, department: str = "sb") -> int:
    with store.begin() as session:
        sent = session.query(OutboxRow).filter_by(state="confirmed", department=department)
        return sent.count()


def test_an_alarm_holds_everything_and_doubles_nothing(
    broker: Broker, sqlite_store: Store, clock: Clock
) -> None:
    """Protects: while the broker says `blocked` nothing is written, and what was is not sent
    again: it reads its sockets when the alarm ends."""
    vhost = broker.fresh_vhost()

    async def scenario() -> None:
        async with closing(RabbitMQ(broker.url(vhost), kind="classic")) as ours:
            await ours.declare(["sb"])
            relay = Relay(sqlite_store.begin, ours, clock)
            async with running(relay.run()):
                put(sqlite_store, 1, 100)
                await until(lambda: confirmed(sqlite_store) == 100)
                broker.alarm("memory", on=True)
                try:
                    put(sqlite_store, 101, 400)
                    await asyncio.sleep(LONG_S)
                    assert confirmed(sqlite_store) == 100
                    assert relay._window.flying <= relay._window.size
                finally:
                    broker.alarm("memory", on=False)
                await until(lambda: confirmed(sqlite_store) == 400)
        assert broker.depth(vhost, QUEUE) == 400

    asyncio.run(scenario())


def test_a_frozen_broker_is_sent_nothing_twice(
    broker: Broker, sqlite_store: Store, clock: Clock
) -> None:
    """Protects: SIGSTOP for less than the heartbeat: the window waits, and is confirmed once."""
    vhost = broker.fresh_vhost()

    async def scenario() -> None:
        async with closing(RabbitMQ(broker.url(vhost), kind="classic")) as ours:
            await ours.declare(["sb"])
            async with running(Relay(sqlite_store.begin, ours, clock).run()):
                put(sqlite_store, 1, 2_000)
                await until(lambda: confirmed(sqlite_store) > 50)
                broker.freeze()
                try:
                    await asyncio.sleep(LONG_S)
                    assert confirmed(sqlite_store) < 2_000
                finally:
                    broker.thaw()
                await until(lambda: confirmed(sqlite_store) == 2_000, seconds=40)
        assert broker.depth(vhost, QUEUE) == 2_000

    asyncio.run(scenario())


def test_a_queue_deleted_or_unbound_in_mid_run_is_declared_at_once(
    broker: Broker, sqlite_store: Store, clock: Clock
) -> None:
    """Protects: an operator's slip parks no work order, and needs no reconnection to be mended."""
    vhost = broker.fresh_vhost()

    async def unbind() -> None:
        async with await aio_pika.connect(broker.url(vhost)) as connection:
            queue = await (await connection.channel()).get_queue(QUEUE)
            await queue.unbind(topology.WORKORDERS, "workorder.sb.#")

    async def scenario() -> None:
        async with closing(RabbitMQ(broker.url(vhost), kind="classic")) as ours:
            await ours.declare(["sb"])
            async with running(Relay(sqlite_store.begin, ours, clock).run()):
                put(sqlite_store, 1, 10)
                await until(lambda: confirmed(sqlite_store) == 10)
                broker.delete_queue(vhost, QUEUE)
                put(sqlite_store, 11, 60)
                await until(lambda: confirmed(sqlite_store) == 60)
                await unbind()
                put(sqlite_store, 61, 110)
                await until(lambda: confirmed(sqlite_store) == 110)
        assert broker.depth(vhost, QUEUE) == 100
        assert sqlite_store.read(parked.unresolved) == []

    asyncio.run(scenario())


def test_a_sick_queue_holds_up_its_own_department_alone(
    broker: Broker, sqlite_store: Store, clock: Clock
) -> None:
    """Protects: nobody waits for a queue that does not answer: neither what lies behind its rows,
    nor the connecting; and when it is well it has each message once."""
    vhost = broker.fresh_vhost()

    async def scenario() -> None:
        url = broker.url(vhost)
        async with closing(RabbitMQ(url, kind="classic")) as ours:
            await ours.declare(["sb", "sick"])
            broker.sicken(vhost, topology.department_queue("sick"))
            try:
                put(sqlite_store, 1, 100, "sick")
                put(sqlite_store, 101, 400)
                async with running(Relay(sqlite_store.begin, ours, clock).run()):
                    await until(lambda: confirmed(sqlite_store) == 300, seconds=30)
                    assert confirmed(sqlite_store, "sick") == 0
                    await ours.close()  # and connects again
                    began = time.monotonic()
                    put(sqlite_store, 401, 450)
                    await until(lambda: confirmed(sqlite_store) == 350, seconds=30)
                    assert time.monotonic() - began < 15
                    broker.sicken(vhost, topology.department_queue("sick"), sick=False)
                    await until(lambda: confirmed(sqlite_store, "sick") == 100, seconds=40)
            finally:
                broker.sicken(vhost, topology.department_queue("sick"), sick=False)
        assert broker.depth(vhost, QUEUE) == 350

    asyncio.run(scenario())


ANOTHER = """
import asyncio, sys
from queueing.broker import RabbitMQ
from queueing.relay import Relay
from tests.rig.store import Clock, Store

async def relay(database, url):
    ours = RabbitMQ(url, kind="classic")
    await ours.declare(["sb"])
    await Relay(Store(database).begin, ours, Clock()).run()

asyncio.run(relay(*sys.argv[1:]))
"""


def another(store: Store, url: str) -> subprocess.Popen[bytes]:
    """A relay in a process of its own."""
    database = store.engine.url.render_as_string(hide_password=False)
    return subprocess.Popen([sys.executable, "-c", ANOTHER, database, url])


def idle(store: Store, relay: Relay) -> bool:
    """Whether this relay has nothing in its hands and finds nothing to claim."""
    return not relay._until and store.read(lambda s: due.look(s, relay._clock())) is None


def test_of_two_relays_the_survivor_carries_all(
    broker: Broker, postgres_store: Store, clock: Clock
) -> None:
    """Protects: relays need no lease of a duty: one is killed in full flight, and what it held
    goes out when its claims have run out; a second time at most what it had in its hands: a
    window in flight, and as much again that was answered, or claimed, and not yet marked."""
    vhost, total = broker.fresh_vhost(), 3_000
    url = broker.url(vhost)

    async def scenario() -> None:
        async with closing(RabbitMQ(url, kind="classic")) as ours:
            await ours.declare(["sb"])
            put(postgres_store, 1, total)
            other = another(postgres_store, url)
            try:
                await until(lambda: confirmed(postgres_store) > 20)
                survivor = Relay(postgres_store.begin, ours, clock)
                async with running(survivor.run()):
                    await until(lambda: confirmed(postgres_store) > 300)
                    other.kill()
                    other.wait(10)
                    await until(lambda: idle(postgres_store, survivor), seconds=40)
                    clock.ahead_us = LEASE_US
                    await until(lambda: confirmed(postgres_store) == total, seconds=60)
            finally:
                other.kill()
                other.wait(10)
        assert total <= broker.depth(vhost, QUEUE) <= total + 3 * MOST

    asyncio.run(scenario())
