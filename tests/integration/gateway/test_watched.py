"""Figures and the alert of the gateway's own relay, with a real RabbitMQ that is away and back."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from gateway import compose
from gateway.flow import alerts, backlog
from gateway.parts import Parts
from gateway.tables import DepartmentRow
from queueing import messages, outbox, telling, topology
from queueing.broker import RabbitMQ
from queueing.messages import Signed
from queueing.transport import Transport
from recordings.tables_log import AlertRow
from tests.rig.proxy import proxy
from tests.rig.rabbitmq import Broker, free_port
from tests.rig.waiting import closing, running, until
from tests.rig.workorders import offered
from tests.unit.gateway import house
from tests.unit.gateway.test_exposition import read

Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def figures(parts: Parts) -> Figures:
    client = TestClient(compose.application(parts), client=("127.0.0.1", 1))
    return read(client.get("/metrics").text)


def seen_by(parts: Parts) -> list[str | None]:
    with parts.database.reading() as session:
        asked = select(AlertRow.seen_by).where(AlertRow.kind == backlog.KIND)
        return list(session.scalars(asked.order_by(AlertRow.id)))


def put(parts: Parts, number: int) -> None:
    with parts.database.begin() as session:
        outbox.put(session, offered(number), department="sb", ordering_key=str(number),
                   dedupe_key=f"k{number}", now=parts.clock())  # fmt: skip


def test_an_outage_is_seen_and_told_and_over(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects: while the broker is away its figure is 0, what waits is counted and grows old, and
    the house is told; when it is back all of that turns, by itself, and replies are counted."""
    monkeypatch.setattr(backlog, "LATE_US", 1_500_000)
    for module, name in ((backlog, "LOOK_S"), (backlog, "MEASURE_S"), (telling, "LOOK_S")):
        monkeypatch.setattr(module, name, 0.3)
    vhost = broker.fresh_vhost()

    async def scenario() -> None:
        async with proxy("127.0.0.1", free_port()) as wire:  # to nobody: the broker is away
            url = broker.url(vhost).replace(f":{broker.port}", f":{wire.port}")
            more = {"HOTLINE_BROKER_URL": url, "HOTLINE_BROKER_QUEUES": "classic"}
            with house.house(tmp_path, **more) as parts:
                with parts.database.begin() as session:
                    session.add(DepartmentRow(code="sb", name="社保局", mode="queue"))
                put(parts, 1)
                async with running(compose._out(parts), compose._in(parts)):
                    await until(lambda: seen_by(parts) == [None])
                    away = await until(lambda: is_up(parts, up=False)) or {}
                    wire._target = ("127.0.0.1", broker.port)
                    await until(lambda: seen_by(parts) == [alerts.BY_ITSELF])
                    async with closing(RabbitMQ(broker.url(vhost), kind="classic")) as theirs:
                        await answered(theirs)
                    back = await until(lambda: counted(parts)) or {}
        sb = (("department", "sb"),)
        assert away["hotline_outbox_waiting", sb] == 1
        assert away["hotline_outbox_oldest_seconds", sb] > 1
        assert away["hotline_outbox_oldest_age_seconds", ()] > 1
        assert back["hotline_outbox_waiting", sb] == 0
        assert back["hotline_outbox_oldest_age_seconds", ()] == 0
        assert back["hotline_broker_up", ()] == 1
        assert [v for (name, _), v in back.items() if name == "hotline_relay_window"] == [16]
        assert back["hotline_publish_total", (("verdict", "confirmed"),)] == 2  # and a rejection
        assert back["hotline_parked_open", sb] == 1

    asyncio.run(scenario())


async def answered(theirs: Transport) -> None:
    """A reply to a work order that is not there."""
    reply = Signed(work_order="WO-0", version=1, department="sb", by="张三")
    body = messages.encode(reply, event_id="e1", source="urn:d", time_us=1)
    await theirs.publish(topology.REPLIES, topology.reply_key("sb"), body, "e1")


def is_up(parts: Parts, *, up: bool) -> Figures | None:
    """The figures, once they say so of the broker, and a relay has told of itself."""
    found = figures(parts)
    told = any(name == "hotline_relay_window" for name, _ in found)
    return found if told and found["hotline_broker_up", ()] == up else None


def counted(parts: Parts) -> Figures | None:
    """The figures, once the queue was measured, the reply counted, and its rejection sent."""
    found = figures(parts)
    lies = found.get(("hotline_queue_ready", (("queue", "department.sb"),)))
    taken = found["hotline_reply_total", (("receipt", "parked-unknown-work-order"),)]
    sent = found["hotline_publish_total", (("verdict", "confirmed"),)]
    return found if (lies, taken, sent) == (2, 1, 2) and is_up(parts, up=True) else None
