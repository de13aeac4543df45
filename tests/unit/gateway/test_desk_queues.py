"""The desks' side of the queues: who reads a queue is who the department's mode names."""

import asyncio
from contextlib import aclosing

import pytest
from sqlalchemy.exc import OperationalError

from gateway.flow import desks
from gateway.parts import Parts
from gateway.tables import DepartmentRow
from queueing import messages, topology
from queueing.embedded import Embedded
from queueing.tables import EmbeddedRow
from queueing.topology import WORKORDERS
from tests.rig.waiting import running, until
from tests.rig.workorders import offered

QUEUE = topology.department_queue("yanglao")
KEY = "workorder.yanglao.offered.v1"


async def send(transport: Embedded, number: int) -> None:
    message = offered(number, department="yanglao")
    body = messages.encode(message, event_id=f"e{number}", source="s", time_us=1)
    assert (await transport.publish(WORKORDERS, KEY, body, f"k{number}")).verdict == "confirmed"


def test_a_desk_ends_when_its_department_has_a_system_of_its_own(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects: after the change the gateway takes none of the department's work orders away."""
    monkeypatch.setattr(desks, "LOOK_S", 0.1)
    transport = Embedded(parts.database.begin, parts.clock)

    async def scenario() -> None:
        loop = asyncio.get_running_loop()

        def at_desk() -> bool:
            return sum(1 for task in asyncio.all_tasks(loop) if "_guarded" in str(task)) == 2

        await desks.declare(parts.database, transport)
        async with running(desks.run(parts.database, transport, parts.clock)):
            await until(at_desk)
            with parts.database.begin() as session:
                session.get_one(DepartmentRow, "yanglao").mode = "queue"
            await until(lambda: not at_desk())
            await send(transport, 1)
            await asyncio.sleep(0.6)
        async with asyncio.timeout(20), aclosing(transport.deliveries(QUEUE)) as arriving:
            assert (await anext(arriving)).dedupe_key == "k1"

    asyncio.run(scenario())


def test_what_goes_wrong_at_one_desk_ends_no_other(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects: an error of any kind at one desk is tried again; the process and the rest go on."""
    monkeypatch.setattr(desks, "LOOK_S", 0.05)
    met: list[str] = []

    async def stumbles(*args: object) -> None:
        met.append(str(args[-1]))
        if args[-1] == "yanglao":
            raise KeyError("whatever")
        await asyncio.sleep(60)

    monkeypatch.setattr(desks, "_keep", stumbles)
    transport = Embedded(parts.database.begin, parts.clock)

    async def scenario() -> None:
        async with running(desks.run(parts.database, transport, parts.clock)):
            await until(lambda: met.count("yanglao") >= 3)
        assert met.count("gongshang") == 1

    asyncio.run(scenario())


def test_a_database_away_parks_nothing_at_a_desk(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects: a work order in hand waits for the database; given back again and again it would
    count as failed and be parked after twenty times."""
    monkeypatch.setattr(desks, "LOOK_S", 0.01)
    tried: list[str] = []

    def away(_database: object, number: str, _now: int) -> None:
        tried.append(number)
        if len(tried) <= 2 * topology.DELIVERY_LIMIT:
            raise OperationalError("UPDATE", {}, Exception("away"))

    monkeypatch.setattr(desks, "_delivered", away)
    transport = Embedded(parts.database.begin, parts.clock)

    async def scenario() -> None:
        await desks.declare(parts.database, transport)
        await send(transport, 1)
        await send(transport, 2)
        async with running(desks.run(parts.database, transport, parts.clock)):
            await until(lambda: len(set(tried)) == 2)
        with parts.database.reading() as session:
            assert session.query(EmbeddedRow).filter_by(queue=topology.PARKED).count() == 0

    asyncio.run(scenario())
