"""Who waits for a commit is woken by it, and an idle house takes no writer's turn."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select

from gateway import bells, compose
from gateway.parts import Parts
from gateway.tables import DepartmentRow
from queueing import outbox, topology
from queueing.embedded import Embedded
from queueing.tables import OutboxRow
from queueing.topology import WORKORDERS
from queueing.waiting import LOOK_S, Bell
from tests.rig.waiting import running, until
from tests.rig.workorders import offered
from tests.unit.gateway import house


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    with house.house(tmp_path) as made:
        yield made


def put(parts: Parts, number: int) -> None:
    with parts.database.begin() as session:
        department = session.scalars(select(DepartmentRow.code)).first() or ""
        outbox.put(
            session,
            offered(number, department=department),
            department=department,
            ordering_key=f"t{number}",
            dedupe_key=f"k{number}",
            now=parts.clock(),
        )


def confirmed(parts: Parts) -> int:
    with parts.database.reading() as session:
        return session.query(OutboxRow).filter_by(state="confirmed").count()


def test_an_idle_house_takes_no_writers_turn(parts: Parts) -> None:
    """Protects: the relay, replies, dead letters and each desk read when they look and write when
    there is something; SQLite's one turn is the tickets' (each took it 5 times a second). The
    duty's lease is not theirs."""
    said: list[str] = []

    def traced(connection: sqlite3.Connection, _record: Any) -> None:
        connection.set_trace_callback(said.append)

    async def scenario() -> None:
        async with running(compose._out(parts), compose._in(parts)):
            put(parts, 1)
            await until(lambda: confirmed(parts) == 1)
            await asyncio.sleep(LOOK_S)  # what is delivered to desks is settled
            said.clear()
            await asyncio.sleep(2 * LOOK_S)

    parts.database.dispose()
    event.listen(parts.database.engine, "connect", traced)
    asyncio.run(scenario())
    assert [line for line in said if line.startswith("BEGIN IMMEDIATE")] == []
    with parts.database.reading() as session:
        queues = 2 + session.query(DepartmentRow).count()
    looks = [line for line in said if line == "BEGIN"]
    assert 2 <= len(looks) <= 3 * (queues + 2)


def test_a_commit_wakes_the_relay(parts: Parts) -> None:
    """Protects: a work order leaves when it is committed, not at the next look."""

    async def scenario() -> float:
        async with running(compose._out(parts), compose._in(parts)):
            put(parts, 1)
            await until(lambda: confirmed(parts) == 1)
            took = []
            for number in range(2, 8):
                began = time.monotonic()
                await asyncio.to_thread(put, parts, number)
                await until(lambda number=number: confirmed(parts) == number)  # type: ignore[misc]
                took.append(time.monotonic() - began)
            return sorted(took)[3]

    assert asyncio.run(scenario()) < LOOK_S / 4


def test_a_message_wakes_its_reader_in_another_process(parts: Parts) -> None:
    """Protects: a reader of the database's own queues hears of what another wrote."""
    queue, key = topology.department_queue("sb"), "workorder.sb.offered.v1"

    async def scenario() -> list[float]:
        ours = Embedded(parts.database.begin, parts.clock, reading=parts.database.reading)
        theirs = Embedded(parts.database.begin, parts.clock, reading=parts.database.reading)
        await ours.declare(["sb"])
        took = []
        async with (
            running(bells.listen(parts.hub, Bell(), ours.ring)),
            aclosing(ours.deliveries(queue)) as arriving,
        ):
            for number in range(5):
                coming = asyncio.ensure_future(anext(arriving))
                await asyncio.sleep(0.1)
                began = time.monotonic()
                await theirs.publish(WORKORDERS, key, b"x", f"k{number}")
                await (await coming).ack()
                took.append(time.monotonic() - began)
        return took

    assert sorted(asyncio.run(scenario()))[2] < LOOK_S / 4
