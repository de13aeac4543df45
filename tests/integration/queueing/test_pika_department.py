"""A department's own program, written with `pika` from the JSON on the wire alone.

Nothing of ours is used on its side: what it knows stands in DESIGN §5 and in the messages.
"""

import asyncio
import json
from typing import Any

import pika  # type: ignore[import-untyped]
from sqlalchemy.orm import Session

from queueing import outbox
from queueing.broker import RabbitMQ
from queueing.inbox import ReplyConsumer
from queueing.messages import DepartmentReply, Envelope, Replied
from queueing.relay import Relay
from tests.rig.store import Clock, Store
from tests.rig.waiting import closing, running, until
from tests.rig.workorders import offered


def read_one_and_reply(url: str) -> dict[str, Any]:
    """Take one work order, answer it, and give back what was read."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.confirm_delivery()
    for method, properties, body in channel.consume("department.sb", inactivity_timeout=20):
        assert method is not None, "no work order came"
        event = json.loads(body)
        answer = {
            "specversion": "1.0",
            "id": "our-number-17",
            "source": "urn:department:sb",
            "type": "cn.12333.reply.v1",
            "time": "2026-11-23T10:00:00+08:00",
            "data": {
                "event": "replied",
                "work_order": event["data"]["work_order"],
                "version": event["data"]["version"],
                "department": "sb",
                "by": "承办人",
                "result": "情况属实",
                "measures": "已道歉并增设窗口",
            },
        }
        for _ in range(2):  # a careful program that repeats itself
            channel.basic_publish(
                "hotline.replies",
                "reply.sb.v1",
                json.dumps(answer).encode(),
                pika.BasicProperties(delivery_mode=2),
                mandatory=True,
            )
        channel.basic_ack(method.delivery_tag)
        assert properties.content_type == "application/cloudevents+json; charset=utf-8"
        assert properties.headers["x-dedupe-key"] == event["id"]
        break
    connection.close()
    assert isinstance(event, dict)
    return event


def test_a_pika_program_reads_a_work_order_and_answers(
    amqp_url: str, store: Store, clock: Clock
) -> None:
    """Protects: the contract is the JSON and the queue names, not our library."""
    applied: list[DepartmentReply] = []

    def handler(_session: Session, reply: DepartmentReply, _envelope: Envelope) -> None:
        applied.append(reply)

    with store.begin() as session:
        outbox.put(
            session, offered(), department="sb", ordering_key="t", dedupe_key="t:1", now=clock()
        )

    async def scenario() -> dict[str, Any]:
        async with closing(RabbitMQ(amqp_url)) as ours:
            await ours.declare(["sb"])
            consumer = ReplyConsumer(store.begin, ours, handler, clock)
            async with running(Relay(store.begin, ours, clock).run(), consumer.run()):
                event = await asyncio.to_thread(read_one_and_reply, amqp_url)
                await until(lambda: applied)
                await asyncio.sleep(0.3)
            return event

    event = asyncio.run(scenario())
    assert event["data"]["summary"] == offered().summary
    assert event["data"]["due_at"] == "2026-11-26T09:00:00Z"
    (reply,) = applied
    assert isinstance(reply, Replied)
    assert (reply.work_order, reply.result) == (offered().work_order, "情况属实")
