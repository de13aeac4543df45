"""Replies in: from the broker's queue to the work order and the ticket's story, against a loop that
commits one row at a time to the same PostgreSQL with the same durability.

A backlog of signatures, each for a work order and a ticket of its own, is taken by the gateway's
own consumer with the gateway's own handler; the clock stops when the last is committed.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
from sqlalchemy import func, select

from gateway import compose, settings
from gateway.flow import desks
from gateway.parts import Parts
from gateway.tables import DepartmentRow, TicketRow, WorkOrderRow
from queueing import messages, topology
from queueing.broker import RabbitMQ
from queueing.inbox import ReplyConsumer
from queueing.messages import Signed
from queueing.tables import InboxRow
from tests.bench.measure import Result, compare, table, timed
from tests.rig.postgres import postgres
from tests.rig.rabbitmq import Broker, rabbitmq

APPLIED = 0.3
DEPARTMENT = "sb"
AT = 1_795_400_000_000_000


def results(*, quick: bool, fresh: Callable[[], str]) -> Iterator[Result]:
    """`fresh` makes an empty PostgreSQL database and answers its URL."""
    count, rounds = (500, 3) if quick else (5_000, 5)
    with rabbitmq() as broker:

        def ours() -> float:
            with tempfile.TemporaryDirectory() as at:
                return _applied(broker, Path(at), fresh(), count)

        yield compare("replies in, PostgreSQL", ours, lambda: _bare(fresh(), count), events=count,
                      calls=0, rounds=rounds, floor=APPLIED, unit="replies")  # fmt: skip


def _applied(broker: Broker, state: Path, url: str, count: int) -> float:
    read = settings.read({"HOTLINE_STATE": str(state), "HOTLINE_DATABASE_URL": url})
    with compose.opened(read) as parts:
        compose.prepare(parts)
        _furnish(parts, count)
        return asyncio.run(_taken(parts, broker.url(broker.fresh_vhost()), count))


def _furnish(parts: Parts, count: int) -> None:
    """Work orders that wait for their signature."""
    with parts.database.begin() as session:
        session.add(DepartmentRow(code=DEPARTMENT, name="社保局", mode="queue"))
        tickets = [
            TicketRow(channel="phone", state="dispatched", opened_at=AT) for _ in range(count)
        ]
        session.add_all(tickets)
        session.flush()
        session.add_all(
            WorkOrderRow(number=_number(place), ticket_id=ticket.id, department=DEPARTMENT,
                         lead=True, question="?", offered_at=AT)
            for place, ticket in enumerate(tickets)
        )  # fmt: skip


def _number(place: int) -> str:
    return f"WO-2026-{place:06}"


async def _taken(parts: Parts, url: str, count: int) -> float:
    broker = RabbitMQ(url, kind="classic")
    await broker.declare([DEPARTMENT])
    for place in range(count):
        message = Signed(work_order=_number(place), version=1, department=DEPARTMENT, by="张三")
        body = messages.encode(message, event_id=f"e{place}", source="urn:bench", time_us=AT)
        await broker.publish(topology.REPLIES, topology.reply_key(DEPARTMENT), body, f"e{place}")
    consumer = ReplyConsumer(parts.database.begin, broker, compose.on_reply(parts), parts.clock,
                             speaker=desks.speaker)  # fmt: skip
    began = time.perf_counter()
    running = asyncio.create_task(consumer.run())
    while await asyncio.to_thread(_there, parts) < count:
        assert time.perf_counter() - began < 300, "not applied after 300 s"
        await asyncio.sleep(0.1)  # looking more often is a load of its own
    took = time.perf_counter() - began
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await broker.close()
    return took


def _there(parts: Parts) -> int:
    with parts.database.reading() as session:
        return session.scalar(select(func.count()).select_from(InboxRow)) or 0


def _bare(url: str, count: int) -> float:
    with psycopg.connect(url.replace("+psycopg", "")) as database:
        database.execute("CREATE TABLE bare (id BIGSERIAL PRIMARY KEY, raw TEXT NOT NULL)")
        database.commit()

        def append() -> None:
            for place in range(count):
                database.execute("INSERT INTO bare (raw) VALUES (%s)", (_number(place),))
                database.commit()

        return timed(append)


if __name__ == "__main__":
    with postgres(durable=True) as cluster:
        found = list(results(quick="--quick" in sys.argv, fresh=cluster.fresh_database))
    sys.stdout.write(table(found) + "\n")
