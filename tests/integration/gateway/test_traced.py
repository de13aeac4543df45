"""One trace from the request that sends a work order to the line of the reply that answers it."""

import asyncio
import json
import logging
from contextlib import aclosing
from pathlib import Path

import pika  # type: ignore[import-untyped]
import pytest

from gateway import compose
from gateway.tables import WorkOrderRow
from queueing import tracing
from queueing.broker import RabbitMQ
from queueing.department import Department
from queueing.inbox import ReplyConsumer
from queueing.relay import Relay
from tests.rig.passwords import quick_passwords  # noqa: F401 - accounts are made here
from tests.rig.waiting import closing, running, until
from tests.unit.api.scene import Scene, scene

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
ASKED = f"00-{TRACE_ID}-00f067aa0ba902b7-01"


def dispatch(made: Scene) -> str:
    """Send the work order of a registered ticket, as a program does; its number."""
    path = f"/api/v1/tickets/{made.ids['ticket']}"
    headers = {"Authorization": f"Bearer {made.token('8001')}", "traceparent": ASKED}
    client = made.client()
    assert client.request("POST", path + "/accept", headers=headers).status_code == 200
    body = {"departments": ["yanglao"]}
    assert client.request("POST", path + "/dispatch", json=body, headers=headers).is_success
    with made.parts.database.reading() as session:
        ticket = int(made.ids["ticket"])
        return session.query(WorkOrderRow).filter_by(ticket_id=ticket).one().number


def peek(url: str) -> list[tuple[str, str]]:
    """`traceparent` in the header and in the body of what lies in the queue, and stays there."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel, found = connection.channel(), []
    while (got := channel.basic_get("department.yanglao"))[0] is not None:
        _, properties, body = got
        header = properties.headers.get("traceparent", "")
        found.append((header, json.loads(body).get("traceparent", "")))
    connection.close()
    return found


def test_one_trace_goes_from_the_request_to_the_reply(
    amqp_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Protects: whoever asks with a trace finds it at the work order, in its message (header and
    body), in the department's answer, and where that answer is applied; each step has its own id.
    """
    caplog.set_level(logging.INFO)
    messages: list[tuple[str, str]] = []

    def lines() -> list[str]:
        return [one.getMessage() for one in caplog.records if TRACE_ID in one.getMessage()]

    def both() -> bool:
        messages[:] = peek(amqp_url)
        return len(messages) == 2

    async def scenario(made: Scene, number: str) -> None:
        database, clock = made.parts.database, made.parts.clock
        async with closing(RabbitMQ(amqp_url)) as ours, closing(RabbitMQ(amqp_url)) as theirs:
            await ours.declare(["yanglao", "gongshang"])
            replies = ReplyConsumer(database.begin, ours, compose.on_reply(made.parts), clock)
            relay = Relay(database.begin, ours, clock)
            async with running(relay.run(), replies.run()), asyncio.timeout(40):
                await until(both)
                async with aclosing(Department("yanglao", theirs, clock).orders()) as orders:
                    async for order in orders:
                        if order.message.work_order == number:
                            await order.sign("孙")
                            break
                        await order.ack()
                await until(lambda: len(lines()) == 2)

    with scene(tmp_path) as made:
        asyncio.run(scenario(made, dispatch(made)))
    sent, applied = lines()
    assert "work order" in sent
    assert "reply" in applied
    assert "applied" in applied
    first, last = (tracing.parse(line.split("trace ")[1]) for line in (sent, applied))
    assert messages == [("", ""), (str(first), str(first))]  # nobody asked for the other one
    assert first is not None
    assert last is not None
    assert (first.trace_id, last.trace_id) == (TRACE_ID, TRACE_ID)
    assert len({ASKED, str(first), str(last)}) == 3
    assert first.sampled
