"""Departments' own programs, written from the published document alone, at a real broker.

One in Python with `pika`, one in Node with `amqplib`, one in Java (deploy/departments). Nothing of
ours is used on their side: every name they use is read from the document.
"""

import asyncio
import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pika  # type: ignore[import-untyped]
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from queueing import asyncapi, examples, messages, outbox, topology
from queueing.broker import RabbitMQ
from queueing.inbox import ReplyConsumer
from queueing.messages import (
    DepartmentReply,
    Replied,
    ReplyRejected,
    WorkOrderChanged,
    WorkOrderRemarked,
    WorkOrderUrged,
    WorkOrderWithdrawn,
)
from queueing.relay import Relay
from queueing.tables import OutboxRow, ParkedRow
from queueing.transport import Transport
from tests.rig import java, node
from tests.rig.store import Clock, Store
from tests.rig.waiting import closing, running, until
from tests.rig.workorders import offered

ORDERS = 40


@pytest.fixture
def document() -> Any:
    """What a department's programmer was given."""
    return json.loads(json.dumps(asyncapi.document("1.0")))


@dataclass
class Applied:
    """What the hotline took in, in its order; the inbox lets each id through once."""

    replies: list[DepartmentReply] = field(default_factory=list)

    def __call__(self, _session: Session, replies: Sequence[DepartmentReply]) -> None:
        self.replies.extend(replies)

    def reaches(self, many: int) -> bool:
        """Whether so many have come."""
        return len(self.replies) >= many

    def by_order(self) -> dict[str, list[str]]:
        """The events of each work order."""
        found: dict[str, list[str]] = {}
        for reply in self.replies:
            found.setdefault(reply.work_order, []).append(reply.event)
        return found


def put(store: Store, clock: Clock, message: messages.OutMessage) -> None:
    """Into the outbox, as the gateway does it."""
    key = f"{message.work_order}/v{message.version}"
    with store.begin() as session:
        outbox.put(session, message, department="sb", ordering_key=message.work_order,
                   dedupe_key=key, now=clock())  # fmt: skip


def read_one_and_reply(url: str, told: dict[str, Any]) -> dict[str, Any]:
    """Take one work order, answer it, and give back what was read: a program with `pika`."""
    channels, spoken = told["channels"], told["components"]["messages"]
    queue = channels["workorders"]["address"].replace("{department}", "sb")
    key = channels["replies"]["address"].replace("{department}", "sb")
    exchange = channels["replies"]["bindings"]["amqp"]["exchange"]["name"]
    answer = json.loads(json.dumps(spoken["replied"]["examples"][0]["payload"]))
    where = pika.URLParameters(url)
    sent_as = pika.BasicProperties(
        delivery_mode=told["operations"]["sendReplies"]["bindings"]["amqp"]["deliveryMode"],
        user_id=where.credentials.username,
    )
    connection = pika.BlockingConnection(where)
    channel = connection.channel()
    channel.confirm_delivery()
    for method, _properties, body in channel.consume(queue, inactivity_timeout=20):
        assert method is not None, "no work order came"
        event = json.loads(body)
        assert event["type"] == spoken["offered"]["payload"]["properties"]["type"]["const"]
        answer["data"] |= {name: event["data"][name] for name in ("work_order", "version")}
        for _ in range(2):  # a careful program that repeats itself
            channel.basic_publish(exchange, key, json.dumps(answer).encode(), sent_as,
                                  mandatory=True)  # fmt: skip
        channel.basic_ack(method.delivery_tag)
        break
    connection.close()
    assert isinstance(event, dict)
    return event


def test_a_pika_program_reads_a_work_order_and_answers(
    amqp_url: str, store: Store, clock: Clock, document: Any
) -> None:
    """Protects: the contract is the JSON and the names in the document, not our library."""
    applied = Applied()
    put(store, clock, offered())

    async def scenario() -> dict[str, Any]:
        async with closing(RabbitMQ(amqp_url)) as ours:
            await ours.declare(["sb"])
            consumer = ReplyConsumer(store.begin, ours, applied, clock)
            async with running(Relay(store.begin, ours, clock).run(), consumer.run()):
                event = await asyncio.to_thread(read_one_and_reply, amqp_url, document)
                await until(lambda: applied.replies)
                await asyncio.sleep(0.3)
            return event

    event = asyncio.run(scenario())
    assert event["data"]["summary"] == offered().summary
    assert event["data"]["due_at"] == "2026-11-26T09:00:00Z"
    (reply,) = applied.replies
    assert isinstance(reply, Replied)
    assert (reply.work_order, reply.result) == (offered().work_order, "情况属实")


def in_node() -> tuple[list[str], dict[str, str]]:
    """What runs the Node program, and where it finds its packages."""
    return [str(node.NODE), str(node.DEPARTMENT / "department.js")], node.environment(
        node.DEPARTMENT
    )


def in_java() -> tuple[list[str], dict[str, str]]:
    """The same of the Java program."""
    return java.compiled(java.DEPARTMENT), {"PATH": os.defpath}


def from_source() -> tuple[list[str], dict[str, str]]:
    """The same, as its first lines say."""
    return java.from_source(java.DEPARTMENT), {"PATH": os.defpath}


PROGRAMS = {"node": in_node, "java": in_java, "java from source": from_source}


@contextmanager
def department(url: str, there: Path, language: str) -> Iterator["subprocess.Popen[bytes]"]:
    """The program of deploy/departments, as a department runs it; killed -9 at the end."""
    command, environment = PROGRAMS[language]()
    settings = {
        "AMQP_URL": url,
        "DEPARTMENT": "sb",
        "STATE": str(there / "seen"),
        "ASYNCAPI": str(there / "asyncapi.json"),
    }
    with (there / "said").open("ab") as said:
        started = subprocess.Popen(
            command, env=environment | settings, stdout=said, stderr=said
        )  # fmt: skip
        try:
            yield started
        finally:
            started.send_signal(signal.SIGKILL)
            started.wait()


@pytest.mark.parametrize("language", ["node", "java"])
def test_a_program_answers_each_order_once_though_it_is_killed(
    amqp_url: str, sqlite_store: Store, clock: Clock, document: Any, tmp_path: Path, language: str
) -> None:
    """Protects: a program in another language, from the document alone, survives three kills, a
    repetition, an urge, a change, a remark, a withdrawal, a refusal, noise, an unknown type;
    nothing twice."""
    applied, store = Applied(), sqlite_store
    (tmp_path / "asyncapi.json").write_text(json.dumps(document), encoding="utf-8")
    for number in range(1, ORDERS + 1):
        put(store, clock, offered(number))
    whole = offered(1, version=2).model_dump()
    put(store, clock, WorkOrderUrged(**whole, by="8001", reason="再次来电", times=1))
    whole = offered(1, version=3).model_dump()
    put(store, clock, WorkOrderChanged(**whole, by="8001", reason="补充", changed=["demand"]))
    whole = offered(1, version=4).model_dump()
    put(store, clock, WorkOrderRemarked(**whole, by="李四", text="同意", from_department="gs",
                                        part=1, parts=1))  # fmt: skip
    taken = WorkOrderWithdrawn(
        work_order=offered(1).work_order, version=5, department="sb", reason="改派"
    )
    put(store, clock, taken)

    async def also(ours: Transport, body: bytes, name: str) -> None:
        key = topology.work_order_key("sb", messages.OFFERED)
        assert (await ours.publish(topology.WORKORDERS, key, body, name)).verdict == "confirmed"

    async def scenario() -> None:
        async with closing(RabbitMQ(amqp_url)) as ours:
            await ours.declare(["sb"])
            relay, consumer = Relay(store.begin, ours, clock), ReplyConsumer(
                store.begin, ours, applied, clock
            )  # fmt: skip
            async with running(relay.run(), consumer.run()):
                for kill in range(1, 4):
                    wanted = kill * 12
                    with department(amqp_url, tmp_path, language):
                        await until(partial(applied.reaches, wanted), 40)
                with store.begin() as session:
                    again = session.scalars(select(OutboxRow.body).order_by(OutboxRow.id)).first()
                assert again is not None
                later = again.replace(b"offered.v1", b"invented.v1")
                await also(ours, again, "again")
                await also(ours, later, "later")
                (told,) = [one for one in examples.OUT if isinstance(one, ReplyRejected)]
                refusal = messages.encode(told, event_id="r1", source="urn:test", time_us=0)
                await also(ours, refusal, "refusal")
                await also(ours, b"\xff not JSON", "noise")
                with department(amqp_url, tmp_path, language):
                    await until(partial(applied.reaches, 2 * ORDERS), 40)
                    await until(lambda: (tmp_path / "seen").read_text().count(" 5\n"))
                    # the noise alone is parked: neither the repetition nor the unknown type
                    await until(lambda: _waiting(amqp_url, topology.PARKED) == 1)
                    assert _waiting(amqp_url, topology.department_queue("sb")) == 0

    asyncio.run(scenario())
    found = applied.by_order()
    assert len(found) == ORDERS
    assert Counter(map(tuple, found.values())) == {("signed", "replied"): ORDERS}
    with store.begin() as session:
        assert session.scalar(select(func.count()).select_from(ParkedRow)) == 0


def _waiting(url: str, queue: str) -> int:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        found = connection.channel().queue_declare(queue, passive=True).method.message_count
    finally:
        connection.close()
    assert isinstance(found, int)
    return found
