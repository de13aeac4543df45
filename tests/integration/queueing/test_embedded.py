"""What only the embedded transport has to prove: leases and ids in the database."""

import asyncio
from contextlib import aclosing

from queueing import topology
from queueing.embedded import LEASE_US, Embedded
from queueing.topology import WORKORDERS
from tests.rig.store import Clock, Store

KEY = "workorder.sb.offered.v1"
QUEUE = topology.department_queue("sb")


def test_a_late_ack_settles_nothing_of_anothers(store: Store, clock: Clock) -> None:
    """Protects: a consumer that lost its lease removes nothing (fence, no id given out twice)."""

    async def scenario() -> None:
        queue = Embedded(store.begin, clock)
        await queue.declare(["sb"])
        await queue.publish(WORKORDERS, KEY, b"first", "k1")
        async with (
            aclosing(queue.deliveries(QUEUE)) as slow,
            aclosing(queue.deliveries(QUEUE)) as quick,
        ):
            late = await anext(slow)
            clock.ahead_us += LEASE_US
            again = await anext(quick)
            assert again.body == late.body == b"first"
            await again.ack()
            await queue.publish(WORKORDERS, KEY, b"second", "k2")
            second = await anext(quick)
            await late.ack()
            assert second.body == b"second"
        async with asyncio.timeout(5), aclosing(queue.deliveries(QUEUE)) as later:
            assert (await anext(later)).body == b"second"

    asyncio.run(scenario())


def test_the_head_in_hand_holds_those_behind_it(store: Store, clock: Clock) -> None:
    """Protects: order, also when a consumer died with the head of the queue in its hands."""

    async def scenario() -> None:
        queue = Embedded(store.begin, clock)
        await queue.declare(["sb"])
        await queue.publish(WORKORDERS, KEY, b"first", "k1")
        await queue.publish(WORKORDERS, KEY, b"second", "k2")
        dead = queue._claim(QUEUE)
        assert dead is not None
        assert queue._claim(QUEUE) is None
        clock.ahead_us += LEASE_US
        again = queue._claim(QUEUE)
        assert again is not None
        assert (again.body, again.fence) == (b"first", 2)

    asyncio.run(scenario())
