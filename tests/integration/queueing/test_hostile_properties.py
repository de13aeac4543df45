"""Replies with properties nobody can decode, through a real broker: read by their bodies."""

import asyncio

import pika  # type: ignore[import-untyped]
import pytest

from queueing import messages, topology
from queueing.broker import RabbitMQ
from queueing.inbox import ReplyConsumer
from queueing.replies_in import Signed
from queueing.tables import InboxRow
from queueing.topology import REPLIES
from tests.rig.store import Clock, Store
from tests.rig.waiting import closing, running, until

KEY = topology.reply_key("sb")


def body(number: int) -> bytes:
    said = Signed(work_order=f"WO-2026-{number:06}-1", version=1, department="sb", by="张三")
    return messages.encode(said, event_id=f"e{number}", source="sb", time_us=1)


PROPERTIES: dict[str, dict[str, object]] = {
    "timestamp in microseconds": {"timestamp": 1_700_000_000_000_000},
    "content type in another code": {"content_type": "应用".encode("gbk")},
}


@pytest.mark.parametrize("what", PROPERTIES)
def test_a_reply_is_read_by_its_body(
    amqp_url: str, sqlite_store: Store, clock: Clock, what: str
) -> None:
    """Protects: one department's slip in a property would end our connection at each delivery, and
    no department's reply would be applied any more."""

    def applied() -> int:
        return sqlite_store.read(lambda session: session.query(InboxRow).count())

    async def scenario() -> None:
        async with closing(RabbitMQ(amqp_url, kind="classic")) as ours:
            await ours.declare(["sb"])
            connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
            channel = connection.channel()
            odd = pika.BasicProperties(delivery_mode=2, **PROPERTIES[what])
            channel.basic_publish(REPLIES, KEY, body(1), odd)
            channel.basic_publish(REPLIES, KEY, body(2), pika.BasicProperties(delivery_mode=2))
            connection.close()
            replies = ReplyConsumer(sqlite_store.begin, ours, lambda *_: None, clock)
            async with running(replies.run()):
                await until(lambda: applied() == 2, seconds=10)

    asyncio.run(scenario())
