"""Departments with real accounts at a real RabbitMQ: what they may, and everything they may not."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import pika  # type: ignore[import-untyped]
import pytest
from pika.adapters.blocking_connection import BlockingChannel  # type: ignore[import-untyped]
from pika.exceptions import ChannelClosedByBroker  # type: ignore[import-untyped]
from sqlalchemy.orm import Session

from queueing import layout, messages, parked, topology
from queueing.broker import RabbitMQ
from queueing.department import Department
from queueing.inbox import ReplyConsumer
from queueing.layout import GATEWAY, Layout
from queueing.messages import Signed
from queueing.topology import PARKED, REPLIES, WORKORDERS
from tests.rig.rabbitmq import Broker
from tests.rig.store import Clock, Store
from tests.rig.waiting import closing, running, until
from tests.rig.workorders import offered

KEY = "workorder.sb.offered.v1"
QUEUES = ("department.sb", "department.jy", REPLIES, PARKED)


@dataclass(frozen=True, slots=True)
class House:
    """A virtual host made from the document alone, with its accounts."""

    broker: Broker
    vhost: str

    def url(self, user: str) -> str:
        return self.broker.url_as(user, f"pw-{user}", self.vhost)

    def depths(self) -> list[int]:
        return [self.broker.depth(self.vhost, queue) for queue in QUEUES]


@pytest.fixture
def house(broker: Broker) -> Iterator[House]:
    vhost = broker.fresh_vhost()
    users = (GATEWAY, "department.sb", "department.jy")
    hashes = {user: layout.hashed(f"pw-{user}", b"salt") for user in users}
    document = layout.definitions(Layout(("sb", "jy"), "classic"), vhost=vhost, users=hashes)
    with broker.with_accounts(document):
        yield House(broker, vhost)


def signed(department: str = "sb", number: int = 1) -> bytes:
    message = Signed(work_order=f"WO-{number}", version=1, department=department, by="张三")
    return messages.encode(message, event_id=f"e{number}", source="s", time_us=7)


Attempt = Callable[[BlockingChannel], object]


def publishes(exchange: str, key: str, user: str | None = "department.sb") -> Attempt:
    properties = pika.BasicProperties(delivery_mode=2, user_id=user)
    return lambda channel: channel.basic_publish(exchange, key, signed(), properties)


FORBIDDEN: dict[str, Attempt] = {
    "read another's queue": lambda c: c.basic_get("department.jy"),
    "consume another's queue": lambda c: next(c.consume("department.jy", inactivity_timeout=5)),
    "read the replies": lambda c: c.basic_get(REPLIES),
    "read what is parked": lambda c: c.basic_get(PARKED),
    "purge another's queue": lambda c: c.queue_purge("department.jy"),
    "delete its own queue": lambda c: c.queue_delete("department.sb"),
    "delete another's queue": lambda c: c.queue_delete("department.jy"),
    "declare a queue": lambda c: c.queue_declare("department.sb.2"),
    "an exclusive queue": lambda c: c.queue_declare("", exclusive=True),
    "declare an exchange": lambda c: c.exchange_declare("department.sb", "fanout"),
    "bind its queue to all work orders": lambda c: c.queue_bind("department.sb", WORKORDERS, "#"),
    "bind its queue to the replies": lambda c: c.queue_bind("department.sb", REPLIES, "#"),
    "unbind another's queue": lambda c: c.queue_unbind(
        "department.jy", WORKORDERS, "workorder.jy.#"
    ),
    "bind exchanges": lambda c: c.exchange_bind(REPLIES, WORKORDERS, "#"),
    "speak for another": publishes(REPLIES, "reply.jy.v1"),
    "another version": publishes(REPLIES, "reply.sb.v2"),
    "a longer key": publishes(REPLIES, "reply.sb.v1.x"),
    "a pattern as key": publishes(REPLIES, "reply.#"),
    "a work order to another": publishes(WORKORDERS, "workorder.jy.offered.v1"),
    "a work order to itself": publishes(WORKORDERS, KEY),
    "into what is parked": publishes(PARKED, "reply.sb.v1"),
    "directly into another's queue": publishes("", "department.jy"),
    "directly into its own queue": publishes("", "department.sb"),
    "directly into the replies": publishes("", REPLIES),
    "another's name": publishes(REPLIES, "reply.sb.v1", user="department.jy"),
    "the gateway's name": publishes(REPLIES, "reply.sb.v1", user=GATEWAY),
}


def test_what_a_department_may_not(house: House) -> None:
    """Protects: each is refused by the broker, the channel is closed, and nothing arrives or goes:
    a department cannot read another's work orders nor speak in its name."""

    async def seed() -> None:
        async with closing(RabbitMQ(house.url(GATEWAY), kind="classic")) as ours:
            await ours.declare(["sb", "jy"])  # the document is what the gateway would declare
            outcome = await ours.publish(WORKORDERS, "workorder.jy.offered.v1", b"theirs", "k")
            assert outcome.verdict == "confirmed"

    asyncio.run(seed())
    before = house.depths()
    assert before == [0, 1, 0, 0]
    connection = pika.BlockingConnection(pika.URLParameters(house.url("department.sb")))
    met: dict[str, int] = {}
    for name, attempt in FORBIDDEN.items():
        channel = connection.channel()
        channel.confirm_delivery()
        try:
            attempt(channel)
        except ChannelClosedByBroker as refused:
            met[name] = refused.reply_code
    connection.close()
    wanted = dict.fromkeys(FORBIDDEN, 403) | {"another's name": 406, "the gateway's name": 406}
    assert met == wanted
    assert house.depths() == before


def test_what_a_department_may(house: House, store: Store, clock: Clock) -> None:
    """Protects: with no right to declare anything it takes its own work order and answers, and the
    answer is known to be its own; without user-id it is not, and is parked."""
    applied: list[str] = []

    def handler(_session: Session, replies: Sequence[messages.DepartmentReply]) -> None:
        applied.extend(reply.work_order for reply in replies)

    def as_department(user_id: str | None) -> None:
        connection = pika.BlockingConnection(pika.URLParameters(house.url("department.sb")))
        channel = connection.channel()
        channel.confirm_delivery()
        properties = pika.BasicProperties(delivery_mode=2, user_id=user_id)
        number = 7 if user_id else 8
        channel.basic_publish(REPLIES, "reply.sb.v1", signed(number=number), properties)
        connection.close()

    async def scenario() -> None:
        async with (
            closing(RabbitMQ(house.url(GATEWAY), kind="classic")) as ours,
            closing(RabbitMQ(house.url("department.sb"))) as theirs,
        ):
            await ours.declare(["sb", "jy"])
            body = messages.encode(offered(), event_id="e", source="s", time_us=clock())
            await ours.publish(WORKORDERS, KEY, body, "k")
            replies = ReplyConsumer(
                store.begin, ours, handler, clock, speaker=lambda _, code: topology.user_of(code)
            )
            async with running(replies.run()), asyncio.timeout(40):
                async with aclosing(Department("sb", theirs, clock).orders()) as orders:
                    await (await anext(orders)).sign("张三")
                await asyncio.to_thread(as_department, "department.sb")
                await until(lambda: applied == [offered().work_order, "WO-7"])
                await asyncio.to_thread(as_department, None)
                (stuck,) = await until(lambda: store.read(parked.unresolved))
        assert stuck.code == "user-mismatch"
        assert "department.sb" in stuck.reason

    asyncio.run(scenario())
    assert applied == [offered().work_order, "WO-7"]


def test_the_document_is_what_the_gateway_declares(house: House) -> None:
    """Protects: imported definitions and the gateway's own declarations agree to the argument."""

    async def scenario() -> None:
        async with closing(RabbitMQ(house.url(GATEWAY), kind="classic")) as ours:
            await ours.declare(["sb", "jy"])

    asyncio.run(scenario())
