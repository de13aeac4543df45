"""A department changes its way while messages wait: none lost, none twice, on a real broker."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from gateway import carrying
from gateway.flow import moving, pulling
from gateway.flow.pulling import Settlement, Wish
from gateway.parts import Parts
from gateway.people.machines import Machine
from gateway.tables import DepartmentRow
from queueing import looking, outbox, topology
from queueing.broker import RabbitMQ
from queueing.pulling import Ending, Lent
from queueing.tables import EmbeddedRow, OutboxRow, ParkedRow
from tests.rig.waiting import closing, running, until
from tests.rig.workorders import offered
from tests.unit.gateway import house

QUEUE = topology.department_queue("sb")
SB = Machine(1, "sb")


@pytest.fixture
def parts(
    tmp_path: Path, database_url: str, amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Parts]:
    """A house with a broker and one department more."""
    monkeypatch.setattr(moving, "LOOK_S", 0.2)
    more = {"HOTLINE_DATABASE_URL": database_url, "HOTLINE_BROKER_URL": amqp_url}
    with house.house(tmp_path, HOTLINE_BROKER_QUEUES="classic", **more) as made:
        with made.database.begin() as session:
            session.add(DepartmentRow(code="sb", name="社保局", mode="queue"))
        yield made


def put(parts: Parts, number: int, ticket: int | None = None) -> None:
    with parts.database.begin() as session:
        outbox.put(session, offered(number), department="sb", ordering_key=f"t{ticket or number}",
                   dedupe_key=f"k{number}", now=parts.clock())  # fmt: skip


def works_by(parts: Parts, mode: str) -> None:
    with parts.database.begin() as session:
        moving.change(session, "sb", mode, by="operator", origin="cli", now=parts.clock())


def sent(parts: Parts) -> bool:
    """Whether nothing waits to be sent."""
    with parts.database.reading() as session:
        return session.query(OutboxRow).filter(OutboxRow.state != "confirmed").count() == 0


def embedded(parts: Parts) -> int:
    with parts.database.reading() as session:
        return session.query(EmbeddedRow).filter_by(queue=QUEUE).count()


def parked(parts: Parts) -> list[tuple[str, str]]:
    with parts.database.reading() as session:
        return [(row.direction, row.department) for row in session.query(ParkedRow)]


async def lent(parts: Parts, most: int, wait_s: float) -> list[Lent]:
    async def there() -> bool:
        return False

    return await pulling.pull(parts, SB, Wish(most, wait_s, 60), there, pulling.Waiting())


def settle(parts: Parts, held: list[Lent], how: Ending = "ack") -> list[bool]:
    with parts.database.begin() as session:
        done = [Settlement(one.id, one.lease, how) for one in held]
        return pulling.settle(session, SB, done, parts.clock())


async def read(theirs: RabbitMQ, number: int) -> list[str]:
    """The keys of so many messages, as a program at the broker takes them."""
    keys = []
    async with asyncio.timeout(30), aclosing(theirs.deliveries(QUEUE)) as arriving:
        async for one in arriving:
            keys.append(one.dedupe_key)
            await one.ack()
            if len(keys) == number:
                break
    return keys


async def at_the_broker(parts: Parts) -> int:
    return (await looking.depths(parts.settings.broker_url, [QUEUE]))[QUEUE][0]


def test_what_waits_at_the_broker_is_fetched(parts: Parts) -> None:
    """Protects: from RabbitMQ to HTTPS: what lies there, what was on its way and what is to be sent
    is fetched, each once; what its program took before is not; what is none of ours is parked."""

    async def scenario() -> None:
        async with closing(RabbitMQ(parts.settings.broker_url, kind="classic")) as theirs:
            assert isinstance(theirs, RabbitMQ)
            async with running(carrying.out(parts)):
                for number in (1, 2, 3, 4, 5):
                    put(parts, number)
                await until(lambda: sent(parts))
            assert await read(theirs, 1) == ["k1"]
            await theirs.publish(topology.WORKORDERS, "workorder.sb.offered.v1", b"?", "stray")
            put(parts, 6)
            works_by(parts, "pull")
            keys: list[str] = []
            async with running(carrying.relay(parts)):
                while len(keys) < 5:
                    held = await lent(parts, 20, 15)
                    assert held
                    keys += [one.dedupe_key for one in held]
                    assert all(settle(parts, held))
                assert await lent(parts, 20, 1.5) == []
                await until(lambda: sent(parts) and parked(parts) == [("dead", "sb")])
                assert await at_the_broker(parts) == 0
            assert sorted(keys) == ["k2", "k3", "k4", "k5", "k6"]

    asyncio.run(scenario())


def test_what_waits_to_be_fetched_goes_to_the_broker(parts: Parts) -> None:
    """Protects: from HTTPS to RabbitMQ: what a program holds it may settle, and it is not sent
    again; what it lets go, and all the rest, comes to the broker once, behind what it waits for."""
    works_by(parts, "pull")

    async def scenario() -> None:
        async with closing(RabbitMQ(parts.settings.broker_url, kind="classic")) as theirs:
            assert isinstance(theirs, RabbitMQ)
            async with running(carrying.relay(parts)):
                for numbers in ((1,), (2,), (3, 4)):
                    for number in numbers:
                        put(parts, number)
                    await until(lambda: sent(parts))
                put(parts, 5, ticket=1)
                await until(lambda: sent(parts))
                held = await lent(parts, 1, 5)
                let_go = await lent(parts, 1, 5)
                assert [one.dedupe_key for one in (*held, *let_go)] == ["k1", "k2"]
                works_by(parts, "queue")
                put(parts, 6)
                assert sorted(await read(theirs, 3)) == ["k3", "k4", "k6"]
                assert embedded(parts) == 3
                assert settle(parts, held) == [True]
                assert settle(parts, let_go, "give_back") == [True]
                assert sorted(await read(theirs, 2)) == ["k2", "k5"]
                await until(lambda: sent(parts))
                assert (embedded(parts), await at_the_broker(parts), parked(parts)) == (0, 0, [])
                assert settle(parts, let_go) == [False], "it is the new program's now"

    asyncio.run(scenario())
