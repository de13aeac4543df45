"""Work orders out, against a bare aio-pika loop with the same broker and the same promises.

Backlog: rows in the outbox until the last is confirmed and marked, by the gateway's own relay, its
database durable; beside it the same bodies from memory, published with confirms, persistent and
mandatory, 256 in flight. Idle: a row committed at a random moment until its consumer has it, the
clock begun when its commit has returned, against publish, confirm and consume without a database;
each the slowest of a hundred.
"""

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import aio_pika
from sqlalchemy import insert

from gateway import bells
from gateway.database import Database
from gateway.notices import Hub
from queueing import messages, outbox, topology
from queueing.broker import RabbitMQ
from queueing.relay import Relay
from queueing.tables import Base, OutboxDueRow, OutboxRow
from queueing.waiting import Bell
from tests.bench.measure import Result, compare, table
from tests.rig.postgres import postgres
from tests.rig.rabbitmq import Broker, rabbitmq
from tests.rig.workorders import offered

BACKLOG = 0.7
IDLE = 3.0
FLIGHT = 256
DEPARTMENT = "sb"
KEY = topology.work_order_key(DEPARTMENT, "cn.12333.workorder.offered.v1")
QUEUE = topology.department_queue(DEPARTMENT)


def results(*, quick: bool, fresh: Callable[[], str]) -> Iterator[Result]:
    """All of it; `fresh` makes an empty PostgreSQL database and answers its URL."""
    count, rounds = (3_000, 3) if quick else (20_000, 5)
    with rabbitmq() as broker, tempfile.TemporaryDirectory() as at:
        numbers = iter(range(1_000))

        def sqlite() -> str:
            return f"sqlite:///{at}/{next(numbers)}.sqlite"

        both = ("PostgreSQL", fresh), ("SQLite", sqlite)
        for name, url in both:  # first: idle is also who has nothing to clean up after
            yield idle(name, broker, url, 100 if quick else 500)
        for name, url in both:
            yield backlog(name, broker, url, count, rounds)


def backlog(name: str, broker: Broker, url: Callable[[], str], count: int, rounds: int) -> Result:
    """`count` rows of as many tickets, of about 1.2 KB each."""
    bodies = [body(number) for number in range(count)]

    def ours() -> float:
        with house(url()) as (database, hub):
            _fill(database, bodies)
            return asyncio.run(_drained(database, hub, broker))

    def base() -> float:
        return asyncio.run(published(broker, bodies))

    return compare(f"work orders out, backlog of {count:,}, {name}", ours, base, events=count,
                   calls=0, rounds=rounds, floor=BACKLOG, unit="messages")  # fmt: skip


async def _drained(database: Database, hub: Hub, broker: Broker) -> float:
    """Seconds until no row is to be sent any more."""
    async with relaying(database, hub, broker.url(broker.fresh_vhost())):
        began = time.perf_counter()
        await asyncio.to_thread(emptied, database)
        return time.perf_counter() - began


def emptied(database: Database) -> None:
    """Wait until no row is to be sent any more."""
    while not _empty(database):
        time.sleep(0.1)


def _empty(database: Database) -> bool:
    with database.reading() as session:
        return session.query(OutboxDueRow.id).limit(1).first() is None


async def published(broker: Broker, bodies: Sequence[bytes]) -> float:
    """Seconds of the bare loop."""
    url = broker.url(broker.fresh_vhost())
    await _declared(url)
    connection = await aio_pika.connect(url)
    async with connection, connection.channel(publisher_confirms=True) as channel:
        exchange = await channel.get_exchange(topology.WORKORDERS, ensure=False)
        turns = asyncio.Semaphore(FLIGHT)

        async def one(body: bytes) -> None:
            message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await exchange.publish(message, KEY, mandatory=True)
            turns.release()

        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for body in bodies:
                await turns.acquire()
                group.create_task(one(body))
        return time.perf_counter() - began


def idle(name: str, broker: Broker, url: Callable[[], str], count: int) -> Result:
    """The 99th hundredth of `count` single ones, in turn with the bare ones."""
    with house(url()) as (database, hub):
        mine, theirs = asyncio.run(_alternating(database, hub, broker, count))
    ratio = _late(mine) / _late(theirs)
    return Result(
        f"work orders out, idle, commit to consumer, {name}: 99 of 100 within "
        f"{_late(mine) * 1e3:.1f} ms, bare {_late(theirs) * 1e3:.1f} ms",
        ratio=ratio, ceiling=IDLE,
    )  # fmt: skip


async def _alternating(
    database: Database, hub: Hub, broker: Broker, count: int, numbers: range | None = None
) -> tuple[list[float], list[float]]:
    url, chance = broker.url(broker.fresh_vhost()), random.Random(1)
    arrived: asyncio.Queue[float] = asyncio.Queue()
    mine, theirs = [], []
    async with relaying(database, hub, url):
        connection, publishing = await aio_pika.connect(url), await aio_pika.connect(url)
        async with connection, publishing:
            queue = await (await connection.channel()).get_queue(QUEUE)
            exchange = await (await publishing.channel()).get_exchange(topology.WORKORDERS)
            await queue.consume(partial(_took, arrived), no_ack=True)
            for number in numbers or range(count):
                await asyncio.sleep(chance.uniform(0.005, 0.05))
                began = await asyncio.to_thread(put, database, number)
                mine.append(await arrived.get() - began)
                await asyncio.sleep(chance.uniform(0.005, 0.05))
                message = aio_pika.Message(body(number), delivery_mode=2)
                began = time.perf_counter()
                await exchange.publish(message, KEY, mandatory=True)
                theirs.append(await arrived.get() - began)
    return mine, theirs


async def _took(arrived: "asyncio.Queue[float]", _message: object) -> None:
    arrived.put_nowait(time.perf_counter())


def _late(took: Sequence[float]) -> float:
    return sorted(took)[len(took) * 99 // 100]


def put(database: Database, number: int) -> float:
    """When the commit has returned."""
    with database.begin() as session:
        outbox.put(session, offered(number, department=DEPARTMENT), department=DEPARTMENT,
                   ordering_key=f"t{number}", dedupe_key=f"k{number}", now=_clock())  # fmt: skip
    return time.perf_counter()


@contextmanager
def house(url: str) -> Iterator[tuple[Database, Hub]]:
    """A database with queueing's tables, and who is told of its commits."""
    hub = Hub()
    database = Database(url, hub.publish)
    Base.metadata.create_all(database.engine)
    yield database, hub
    database.dispose()


@asynccontextmanager
async def relaying(database: Database, hub: Hub, url: str) -> AsyncIterator[None]:
    """The gateway's relay at work, its queues declared."""
    bell, broker = Bell(), RabbitMQ(url, kind="classic")
    await broker.declare([DEPARTMENT])
    relay = Relay(partial(database.begin, lasting=False), broker, _clock,
                  reading=database.reading, bell=bell)  # fmt: skip
    loops = [asyncio.ensure_future(relay.run()),
             asyncio.ensure_future(bells.listen(hub, bell, lambda _: None))]  # fmt: skip
    yield
    for loop in loops:
        loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)
    await broker.close()


async def _declared(url: str) -> None:
    broker = RabbitMQ(url, kind="classic")
    await broker.declare([DEPARTMENT])
    await broker.close()


def _fill(database: Database, bodies: Sequence[bytes]) -> None:
    """As `put` writes them, in few transactions."""
    now = _clock()
    said = {"message_type": "cn.12333.workorder.offered.v1", "department": DEPARTMENT,
            "routing_key": KEY, "state": "waiting", "fence": 0, "attempts": 0,
            "committed_at": now}  # fmt: skip
    rows = [
        said | {"id": number, "ordering_key": f"t{number}", "dedupe_key": f"k{number}",
                "body": body}
        for number, body in enumerate(bodies, 1)
    ]  # fmt: skip
    todo = [
        {"id": row["id"], "ordering_key": row["ordering_key"], "department": DEPARTMENT,
         "claimable_at": now, "fence": 0, "attempts": 0}
        for row in rows
    ]  # fmt: skip
    with database.begin() as session:
        session.execute(insert(OutboxRow), rows)
        session.execute(insert(OutboxDueRow), todo)


def body(number: int) -> bytes:
    message = offered(number, department=DEPARTMENT)
    long = message.model_copy(update={"summary": message.summary * 7})
    return messages.encode(long, event_id=f"k{number}", source=outbox.SOURCE, time_us=_clock())


def _clock() -> int:
    return time.time_ns() // 1000


if __name__ == "__main__":
    with postgres(durable=True) as cluster:
        for one in results(quick="--quick" in sys.argv, fresh=cluster.fresh_database):
            sys.stdout.write(table([one]) + "\n")
            sys.stdout.flush()
