"""RabbitMQ cut off, killed, away, and back: nothing lost, repetitions recognised.

These use classic durable queues: RabbitMQ 3.10.8 has left a single node's quorum queue without a
leader after kills (DESIGN §4), which would be that release's fault in a test of ours.
"""

import asyncio
import time
from contextlib import aclosing

import pytest

from queueing import outbox, topology
from queueing.broker import RabbitMQ
from queueing.department import Department
from queueing.errors import TopologyMismatch, TransportDown
from queueing.inbox import ReplyConsumer
from queueing.relay import Relay
from queueing.tables import InboxRow, OutboxRow
from queueing.topology import WORKORDERS
from tests.rig.proxy import proxy
from tests.rig.rabbitmq import Broker, free_port
from tests.rig.store import Clock, Store
from tests.rig.waiting import closing, running, until
from tests.rig.workorders import offered

pytestmark = pytest.mark.alone  # what is measured is how soon

KEY = "workorder.sb.offered.v1"
QUEUE = topology.department_queue("sb")


def put(store: Store, first: int, last: int) -> None:
    with store.begin() as session:
        for number in range(first, last + 1):
            message = offered(number)
            outbox.put(
                session,
                message,
                department="sb",
                ordering_key=message.work_order,
                dedupe_key=f"{message.work_order}:1",
                now=1,
            )


def confirmed(store: Store) -> int:
    with store.begin() as session:
        return session.query(OutboxRow).filter_by(state="confirmed").count()


async def take(department: Department, count: int) -> list[str]:
    """The next `count` work orders, acked."""
    got: list[str] = []
    async with asyncio.timeout(60), aclosing(department.orders()) as orders:
        async for order in orders:
            got.append(order.message.work_order)
            await order.ack()
            if len(got) == count:
                return got
    raise AssertionError("the orders ended")


def test_cut_between_publish_and_confirm_is_sent_again_and_recognised(
    broker: Broker, sqlite_store: Store, clock: Clock
) -> None:
    """Protects: the moment when we cannot know: twice in the queue, once to the department."""
    vhost = broker.fresh_vhost()
    put(sqlite_store, 1, 1)

    async def scenario() -> None:
        async with proxy("127.0.0.1", broker.port) as wire:
            through = broker.url(vhost).replace(str(broker.port), str(wire.port))
            async with closing(RabbitMQ(through, kind="classic")) as ours:
                await ours.declare(["sb"])
                relay = Relay(sqlite_store.begin, ours, clock)
                wire.hold_answers()
                async with running(relay.run()):
                    await wire.sends(offered(1).summary.encode())
                    await until(lambda: broker.depth(vhost, QUEUE) == 1)
                    assert confirmed(sqlite_store) == 0
                    wire.cut()
                    wire.let_answers()
                    await until(lambda: confirmed(sqlite_store) == 1)
        await until(lambda: broker.depth(vhost, QUEUE) == 2)
        async with closing(RabbitMQ(broker.url(vhost))) as theirs:
            department = Department("sb", theirs, clock)
            put(sqlite_store, 2, 2)
            async with (
                closing(RabbitMQ(broker.url(vhost), kind="classic")) as ours,
                running(Relay(sqlite_store.begin, ours, clock).run()),
            ):
                await until(lambda: confirmed(sqlite_store) == 2)
            names = ["WO-2026-000001-1", "WO-2026-000002-1"]
            assert await take(department, 2) == names
            assert department.repeated == 1

    asyncio.run(scenario())


def test_a_silent_broker_is_not_waited_for(broker: Broker, clock: Clock) -> None:
    """Protects: a half-open connection: no publish and no readiness hangs for ever."""
    vhost = broker.fresh_vhost()

    async def scenario() -> None:
        async with proxy("127.0.0.1", broker.port) as wire:
            through = broker.url(vhost).replace(str(broker.port), str(wire.port))
            async with closing(RabbitMQ(through, kind="classic")) as ours:
                await ours.declare(["sb"])
                wire.hold_answers()
                began = time.monotonic()
                outcome = await ours.publish(WORKORDERS, KEY, b"x", "k")
                assert outcome.verdict == "unknown"
                assert time.monotonic() - began < 20
                stopped = asyncio.ensure_future(ours.publish(WORKORDERS, KEY, b"x", "k"))
                await asyncio.sleep(0.2)
                stopped.cancel()
                async with asyncio.timeout(5):
                    assert isinstance(
                        (await asyncio.gather(stopped, return_exceptions=True))[0],
                        asyncio.CancelledError,
                    )
                wire.cut()
                wire.let_answers()
                assert await ours.ready()
                again = await ours.publish(WORKORDERS, KEY, b"x", "k")
                assert again.verdict == "confirmed"

    asyncio.run(scenario())


def test_rows_pile_up_while_the_broker_is_away_and_drain_after(
    broker: Broker, sqlite_store: Store, clock: Clock
) -> None:
    """Protects: an absent broker costs time and nothing else; drained soon after the port."""
    vhost = broker.fresh_vhost()

    async def scenario() -> None:
        url = broker.url(vhost)
        async with (
            closing(RabbitMQ(url, kind="classic")) as ours,
            closing(RabbitMQ(url)) as theirs,
        ):
            await ours.declare(["sb"])
            # This consumer is idle when the broker dies, and has to notice by itself.
            taking = asyncio.ensure_future(take(Department("sb", theirs, clock), 500))
            async with running(Relay(sqlite_store.begin, ours, clock).run()):
                put(sqlite_store, 1, 50)
                await until(lambda: confirmed(sqlite_store) == 50)
                await until(lambda: broker.depth(vhost, QUEUE) == 0)
                await asyncio.to_thread(broker.kill)
                put(sqlite_store, 51, 500)
                await asyncio.sleep(1.5)
                assert confirmed(sqlite_store) == 50
                await asyncio.to_thread(broker.start)
                await until(lambda: confirmed(sqlite_store) == 500, seconds=10)
            got = await taking
        assert got == [f"WO-2026-{number:06}-1" for number in range(1, 501)]

    asyncio.run(scenario())


def test_killed_under_load_nothing_is_lost_and_repetitions_are_recognised(
    broker: Broker, sqlite_store: Store, clock: Clock
) -> None:
    """Protects: kill -9 in full flight, both ways: each work order signed once, replies once."""
    vhost = broker.fresh_vhost()
    total = 300
    seen: dict[str, int] = {}

    async def sign_all() -> None:
        async with closing(RabbitMQ(broker.url(vhost))) as theirs:
            department = Department("sb", theirs, clock, seen)
            async with aclosing(department.orders()) as orders:
                async for order in orders:
                    await order.sign("张三")

    def applied() -> list[str]:
        with sqlite_store.begin() as session:
            return [row.work_order for row in session.query(InboxRow)]

    async def scenario() -> None:
        url = broker.url(vhost)
        async with closing(RabbitMQ(url, kind="classic")) as ours:
            await ours.declare(["sb"])
            replies = ReplyConsumer(sqlite_store.begin, ours, lambda *_: None, clock)
            relay = Relay(sqlite_store.begin, ours, clock)
            async with running(relay.run(), replies.run(), sign_all()):
                put(sqlite_store, 1, total)
                await until(lambda: len(applied()) > total // 10)
                await asyncio.to_thread(broker.restart)
                await until(lambda: len(set(applied())) == total, seconds=60)
        assert broker.depth(vhost, QUEUE) == 0

    asyncio.run(scenario())
    assert confirmed(sqlite_store) == total
    assert len(seen) == total
    assert len(applied()) == total


def test_a_consumer_comes_back_after_its_queue_was_deleted(broker: Broker) -> None:
    """Protects: the broker cancels a consumer without closing its channel: it is noticed."""
    vhost = broker.fresh_vhost()

    async def scenario() -> None:
        url = broker.url(vhost)
        async with closing(RabbitMQ(url, kind="classic")) as ours:
            await ours.declare(["sb"])
            await ours.publish(WORKORDERS, KEY, b"first", "k")
            async with asyncio.timeout(30), aclosing(ours.deliveries(QUEUE)) as arriving:
                first = await anext(arriving)
                await first.ack()
                await asyncio.to_thread(broker.delete_queue, vhost, QUEUE)
                coming = asyncio.ensure_future(anext(arriving))
                await asyncio.sleep(0.5)
                await ours.declare(["sb"])
                await ours.publish(WORKORDERS, KEY, b"second", "k")
                assert (await coming).body == b"second"

    asyncio.run(scenario())


def test_a_full_queue_refuses_and_the_publisher_hears_of_it(broker: Broker) -> None:
    """Protects: reject-publish: what does not fit is refused, not dropped and not confirmed."""
    vhost = broker.fresh_vhost()

    async def scenario() -> None:
        async with closing(RabbitMQ(broker.url(vhost), kind="classic")) as ours:
            await ours.declare(["sb"])
            broker.limit_queues(vhost, 3)
            outcomes = [await ours.publish(WORKORDERS, KEY, b"x", "k") for _ in range(6)]
            verdicts = [outcome.verdict for outcome in outcomes]
            assert verdicts == ["confirmed"] * 3 + ["refused"] * 3

    asyncio.run(scenario())


def test_a_queue_has_a_bound_of_bytes_by_policy(broker: Broker) -> None:
    """Protects: the broker's disk, from a queue of few messages that are long; a queue that was
    there before, with its arguments as they were, is bound too. The parked queue is not."""
    vhost = broker.fresh_vhost()
    small = topology.definitions(["sb"], vhost=vhost)["policies"]
    for policy in small:
        policy["definition"]["max-length-bytes"] = 3_000

    async def scenario() -> None:
        async with closing(RabbitMQ(broker.url(vhost), kind="classic")) as ours:
            await ours.declare(["sb"])
            broker.import_definitions({"policies": small})
            for exchange, verdict in ((WORKORDERS, "refused"), (topology.PARKED, "confirmed")):
                outcomes = [await ours.publish(exchange, KEY, b"x" * 1000, "k") for _ in range(6)]
                verdicts = [outcome.verdict for outcome in outcomes]
                assert verdicts[:3] + verdicts[-1:] == ["confirmed"] * 3 + [verdict]

    asyncio.run(scenario())


def test_other_properties_of_a_queue_are_named(broker: Broker) -> None:
    """Protects: a queue of another kind is told to the operator, not worked around."""
    vhost = broker.fresh_vhost()

    async def scenario() -> None:
        async with closing(RabbitMQ(broker.url(vhost), kind="classic")) as ours:
            await ours.declare(["sb"])
        async with closing(RabbitMQ(broker.url(vhost), kind="quorum")) as other:
            with pytest.raises(TopologyMismatch, match=r"约定.*hotline\.parked"):
                await other.declare(["sb"])

    asyncio.run(scenario())


def test_an_unreachable_broker_is_said_and_not_raised(clock: Clock) -> None:
    """Protects: ready and publish answer; declare says what to do and shows no password."""

    async def scenario() -> None:
        url = f"amqp://user:hidden-secret@127.0.0.1:{free_port()}/"
        async with closing(RabbitMQ(url)) as ours:
            assert not await ours.ready()
            assert (await ours.publish(WORKORDERS, KEY, b"x", "k")).verdict == "unknown"
            with pytest.raises(TransportDown, match="暂不可用") as caught:
                await ours.declare(["sb"])
            assert "hidden-secret" not in repr(caught.value) + str(caught.value) + repr(ours)

    asyncio.run(scenario())


def test_definitions_are_what_the_gateway_declares(broker: Broker) -> None:
    """Protects: an operator who imports the document and a gateway that declares agree."""
    vhost = broker.fresh_vhost()
    broker.import_definitions(topology.definitions(["sb"], vhost=vhost))

    async def scenario() -> None:
        async with closing(RabbitMQ(broker.url(vhost))) as ours:
            outcome = await ours.publish(WORKORDERS, KEY, b"x", "k")
            assert outcome.verdict == "confirmed"
            await ours.declare(["sb"])

    asyncio.run(scenario())
