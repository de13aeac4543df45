"""What every transport promises, tried on the embedded one and on RabbitMQ alike.

The kill tests are elsewhere; here the broker is well.
"""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

from queueing import messages, topology
from queueing.department import Department
from queueing.messages import ExtensionAsked, Progress, Remarked, Signed
from queueing.topology import DELIVERY_LIMIT, PARKED, REPLIES, WORKORDERS
from queueing.transport import Delivery, Transport
from tests.integration.queueing.conftest import MakeTransport
from tests.rig.store import Clock
from tests.rig.workorders import offered

KEY = "workorder.sb.offered.v1"
QUEUE = topology.department_queue("sb")


async def next_of(transport: Transport, queue: str) -> Delivery:
    """The first delivery of a queue, acked."""
    async with asyncio.timeout(20), aclosing(transport.deliveries(queue)) as arriving:
        delivery = await anext(arriving)
        await delivery.ack()
        return delivery


def test_what_is_confirmed_is_delivered_once_and_in_order(transports: MakeTransport) -> None:
    """Protects: body and keys arrive as sent, in order, and an ack is for good."""

    async def scenario() -> None:
        async with transports() as ours, transports() as theirs:
            await ours.declare(["sb"])
            for number in range(20):
                outcome = await ours.publish(WORKORDERS, KEY, b"%d" % number, f"k{number}")
                assert outcome.verdict == "confirmed"
            got = []
            async with asyncio.timeout(20), aclosing(theirs.deliveries(QUEUE)) as arriving:
                async for delivery in arriving:
                    got.append((delivery.body, delivery.routing_key, delivery.dedupe_key))
                    await delivery.ack()
                    if len(got) == 20:
                        break
            assert got == [(b"%d" % n, KEY, f"k{n}") for n in range(20)]
            await ours.publish(WORKORDERS, KEY, b"last", "last")
            assert (await next_of(theirs, QUEUE)).body == b"last"

    asyncio.run(scenario())


def test_a_key_without_a_queue_is_unroutable(transports: MakeTransport) -> None:
    """Protects: a work order for a department nobody declared is not swallowed."""

    async def scenario() -> None:
        async with transports() as ours:
            await ours.declare(["sb"])
            outcome = await ours.publish(WORKORDERS, "workorder.nobody.offered.v1", b"x", "k")
            assert outcome.verdict == "unroutable"
            assert "nobody" in outcome.detail
            await ours.declare(["nobody"])
            again = await ours.publish(WORKORDERS, "workorder.nobody.offered.v1", b"x", "k")
            assert again.verdict == "confirmed"

    asyncio.run(scenario())


def test_many_unroutable_at_once_get_their_own_answers(transports: MakeTransport) -> None:
    """Protects: aiormq's matching by message id: half of a window returned, half confirmed."""

    async def scenario() -> None:
        async with transports() as ours:
            await ours.declare(["sb"])
            codes = ["sb", "nobody"] * 20
            outcomes = await asyncio.gather(
                *(
                    ours.publish(WORKORDERS, f"workorder.{code}.offered.v1", b"x", "same key")
                    for code in codes
                )
            )
            verdicts = [outcome.verdict for outcome in outcomes]
            assert verdicts == ["confirmed", "unroutable"] * 20

    asyncio.run(scenario())


def test_what_is_not_settled_comes_again(transports: MakeTransport) -> None:
    """Protects: a consumer that goes away in the middle loses nothing."""

    async def scenario() -> None:
        async with transports() as ours, transports() as first, transports() as second:
            await ours.declare(["sb"])
            await ours.publish(WORKORDERS, KEY, b"x", "k")
            async with asyncio.timeout(20), aclosing(first.deliveries(QUEUE)) as arriving:
                assert (await anext(arriving)).body == b"x"
            again = await next_of(second, QUEUE)
            assert (again.body, again.dedupe_key) == (b"x", "k")

    asyncio.run(scenario())


def test_what_is_rejected_is_parked_with_its_reason(transports: MakeTransport) -> None:
    """Protects: a department's no leads to the parked queue and not into the void."""

    async def scenario() -> None:
        async with transports() as ours:
            await ours.declare(["sb"])
            await ours.publish(WORKORDERS, KEY, b"poison", "k")
            async with asyncio.timeout(20), aclosing(ours.deliveries(QUEUE)) as arriving:
                await (await anext(arriving)).reject()
                letter = await next_of(ours, PARKED)
            assert (letter.body, letter.routing_key, letter.dedupe_key) == (b"poison", KEY, "k")
            assert "rejected" in letter.death
            assert QUEUE in letter.death

    asyncio.run(scenario())


def test_a_department_answers_through_it(transports: MakeTransport, clock: Clock) -> None:
    """Protects: the client library works over every transport, repetition recognised."""

    async def scenario() -> None:
        async with transports() as ours, transports() as theirs:
            await ours.declare(["sb"])
            body = messages.encode(offered(), event_id="e", source="s", time_us=clock())
            newer = messages.encode(offered(version=2), event_id="e2", source="s", time_us=clock())
            for sent in (body, body, newer):
                await ours.publish(WORKORDERS, KEY, sent, "k")
            department = Department("sb", theirs, clock)
            async with asyncio.timeout(20), aclosing(department.orders()) as orders:
                order = await anext(orders)
                assert order.message == offered()
                await order.sign("张三")
                assert (await anext(orders)).message == offered(version=2)
            assert department.repeated == 1
            reply = await next_of(ours, REPLIES)
            assert reply.routing_key == "reply.sb.v1"
            envelope = messages.decode(reply.body)
            assert envelope.event_id == reply.dedupe_key
            assert envelope.message == Signed(
                work_order="WO-2026-000001-1", version=1, department="sb", by="张三"
            )

    asyncio.run(scenario())


def test_a_department_tells_how_it_goes_and_keeps_the_order(
    transports: MakeTransport, clock: Clock
) -> None:
    """Protects: progress, a wish for more time and a remark are no end: what is not answered comes
    again to a program that dies over it."""
    until = datetime(2026, 12, 3, tzinfo=UTC)

    async def scenario() -> None:
        async with transports() as ours:
            await ours.declare(["sb"])
            body = messages.encode(offered(), event_id="e", source="s", time_us=clock())
            await ours.publish(WORKORDERS, KEY, body, "k")
            department = Department("sb", ours, clock)
            async with asyncio.timeout(20), aclosing(department.orders()) as orders:
                order = await anext(orders)
                await order.progress("张三", "已调取监控")
                await order.ask_extension("张三", until, "须外单位协助")
                await order.remark("张三", "请一并核查叫号系统")
            said = [messages.decode((await next_of(ours, REPLIES)).body).message for _ in range(3)]
            about: dict[str, Any] = {
                "work_order": "WO-2026-000001-1",
                "version": 1,
                "department": "sb",
            }
            assert said == [
                Progress(**about, by="张三", text="已调取监控"),
                ExtensionAsked(**about, by="张三", until=until, reason="须外单位协助"),
                Remarked(**about, by="张三", text="请一并核查叫号系统"),
            ]
            async with asyncio.timeout(20), aclosing(department.orders()) as orders:
                assert (await anext(orders)).message == offered()

    asyncio.run(scenario())


def test_an_answer_said_again_is_the_same_answer(transports: MakeTransport, clock: Clock) -> None:
    """Protects: a program that died between its answer and its ack, and has forgotten, answers
    again under the id it used before; other words have another id."""

    async def scenario() -> None:
        async with transports() as ours:
            await ours.declare(["sb"])
            body = messages.encode(offered(), event_id="e", source="s", time_us=clock())
            for _ in range(3):
                await ours.publish(WORKORDERS, KEY, body, "k")
            for by in ("张三", "张三", "李四"):
                department = Department("sb", ours, clock)
                async with asyncio.timeout(20), aclosing(department.orders()) as orders:
                    await (await anext(orders)).sign(by)
            first, again, other = [
                messages.decode((await next_of(ours, REPLIES)).body) for _ in range(3)
            ]
            assert (first.event_id, first.digest) == (again.event_id, again.digest)
            assert other.event_id != first.event_id

    asyncio.run(scenario())


def test_a_type_not_known_yet_is_passed_over(transports: MakeTransport, clock: Clock) -> None:
    """Protects: a newer hotline's messages park nothing at an older client, and stop nothing."""

    async def scenario() -> None:
        async with transports() as ours:
            await ours.declare(["sb"])
            good = messages.encode(offered(), event_id="e", source="s", time_us=clock())
            newer = [
                good.replace(b"workorder.offered.v1", kind)
                for kind in (b"workorder.nonesuch.v1", b"workorder.offered.v2")
            ]
            for body in (*newer, good):
                await ours.publish(WORKORDERS, KEY, body, "k")
            await ours.publish(topology.PARKED, "x", b"marker", "k")
            department = Department("sb", ours, clock)
            async with asyncio.timeout(20), aclosing(department.orders()) as orders:
                assert (await anext(orders)).message == offered()
            assert department.unknown == 2
            assert (await next_of(ours, PARKED)).body == b"marker", "and nothing before it"

    asyncio.run(scenario())


def test_what_a_department_cannot_read_is_parked(transports: MakeTransport, clock: Clock) -> None:
    """Protects: an unreadable work order does not stop those behind it."""

    async def scenario() -> None:
        async with transports() as ours:
            await ours.declare(["sb"])
            good = messages.encode(offered(), event_id="e", source="s", time_us=clock())
            for body in (b"\xff", good):
                await ours.publish(WORKORDERS, KEY, body, "k")
            department = Department("sb", ours, clock)
            async with asyncio.timeout(20), aclosing(department.orders()) as orders:
                assert (await anext(orders)).message == offered()
            assert (await next_of(ours, PARKED)).body == b"\xff"

    asyncio.run(scenario())


def test_what_is_delivered_too_often_is_parked(transports: MakeTransport) -> None:
    """Protects: a message that its consumer fails on each time ends where a person sees it.

    A classic queue counts no deliveries (topology): there it stays, in its place.
    """

    async def scenario() -> None:
        async with transports() as ours:
            await ours.declare(["sb"])
            await ours.publish(WORKORDERS, KEY, b"poison", "k1")
            await ours.publish(WORKORDERS, KEY, b"next", "k2")
            tried = 0
            async with asyncio.timeout(40), aclosing(ours.deliveries(QUEUE)) as arriving:
                async for delivery in arriving:
                    if delivery.body == b"next":
                        await delivery.ack()
                        break
                    tried += 1
                    if tried > DELIVERY_LIMIT + 5:
                        await delivery.reject()
                    else:
                        await delivery.requeue()
            letter = await next_of(ours, PARKED)
            assert letter.body == b"poison"
            counted = "delivery_limit" in letter.death
            assert counted == (tried <= DELIVERY_LIMIT + 1)

    asyncio.run(scenario())
