"""Eight relays, a process each, on one PostgreSQL, while a transaction stays open for a minute.

That transaction has put rows and not committed them, so their ids are lower than those of all that
is put and sent meanwhile: whoever remembers how far it has read skips them. Counted is at the
queue: what came, and whether of each ticket it came in the order it was put.

    python -m tests.torture.queueing.relays DATABASE BROKER KIND      one relay, until it is ended
"""

import asyncio
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import aio_pika
from aio_pika.abc import AbstractIncomingMessage
from sqlalchemy.orm import Session

from queueing import messages, outbox, topology
from queueing.broker import RabbitMQ
from queueing.messages import WorkOrder
from queueing.relay import Relay
from queueing.tables import OutboxRow
from queueing.topology import Kind
from tests.rig.rabbitmq import Broker
from tests.rig.store import Clock, Store
from tests.rig.waiting import closing, until
from tests.rig.workorders import offered
from tests.torture.queueing.row import Row

WRITERS = 4
HELD = 100
"""Tickets of the transaction that stays open."""
DRAINED_S = 120.0


@dataclass(frozen=True, slots=True)
class Load:
    """How much, by how many, and for how long the transaction stays open."""

    relays: int = 8
    tickets: int = 4_000
    versions: int = 5
    held_s: float = 60.0

    @property
    def rows(self) -> int:
        """All that is put."""
        return self.tickets * self.versions + HELD


@dataclass(slots=True)
class Seen:
    """What came out of the queue, in its order."""

    times: Counter[tuple[str, int]] = field(default_factory=Counter)
    newest: dict[str, int] = field(default_factory=dict)
    disordered: int = 0

    async def take(self, message: AbstractIncomingMessage) -> None:
        """Note one."""
        order = messages.decode(message.body).message
        assert isinstance(order, WorkOrder)
        ticket, version = order.work_order, order.version
        if not self.times[ticket, version]:
            self.disordered += version != self.newest.get(ticket, 0) + 1
            self.newest[ticket] = version
        self.times[ticket, version] += 1
        await message.ack()


def side_by_side(broker: Broker, database: str, kind: Kind, load: Load, name: str) -> Row:
    """All of it; a line of the table."""
    row, store, vhost = Row(name, load.rows), Store(database), broker.fresh_vhost()
    seen, began = Seen(), time.monotonic()
    with _relays(database, broker.url(vhost), kind, load.relays):
        row.worst_s = asyncio.run(_loaded(store, broker.url(vhost), kind, load, seen))
        row.confirmed = _confirmed(store)
    store.engine.dispose()
    row.took_s = time.monotonic() - began
    row.lost = load.rows - len(seen.times)
    row.doubled = sum(seen.times.values()) - len(seen.times)
    row.left = broker.depth(vhost, topology.department_queue("sb"))
    if seen.disordered:
        row.notes.append(f"{seen.disordered} out of their ticket's order")
    return row


@contextmanager
def _relays(database: str, url: str, kind: str, count: int) -> Iterator[None]:
    with ExitStack() as stack:
        command = [sys.executable, "-m", __name__, database, url, kind]
        for _ in range(count):
            process = subprocess.Popen(command)
            stack.callback(process.wait, 10)
            stack.callback(process.kill)
        yield


async def _loaded(store: Store, url: str, kind: Kind, load: Load, seen: Seen) -> float:
    """Seconds from the last commit until every row was confirmed."""
    async with closing(RabbitMQ(url, kind=kind)) as ours:
        await ours.declare(["sb"])
    connection = await aio_pika.connect(url)
    async with connection, connection.channel() as channel:
        await channel.set_qos(prefetch_count=200)
        queue = await channel.get_queue(topology.department_queue("sb"))
        await queue.consume(seen.take)
        await asyncio.to_thread(_put_all, store, load)
        committed = time.monotonic()
        await until(lambda: _confirmed(store) == load.rows, seconds=DRAINED_S)
        took = time.monotonic() - committed
        await until(lambda: len(seen.times) == load.rows)
    return took


def _put_all(store: Store, load: Load) -> None:
    """Everything put, and the transaction that was open all the while committed."""
    open_, end = threading.Event(), time.monotonic() + load.held_s

    def hold() -> None:
        with store.begin() as session:
            for number in range(1, HELD + 1):
                _put(session, number, 1)
            open_.set()
            time.sleep(max(0.0, end - time.monotonic()))

    def write(tickets: Sequence[int]) -> None:
        open_.wait()
        for version in range(1, load.versions + 1):
            for ticket in tickets:
                with store.begin() as session:
                    _put(session, ticket, version)

    every = range(HELD + 1, HELD + load.tickets + 1)
    with ThreadPoolExecutor(WRITERS + 1) as pool:
        held = pool.submit(hold)
        for done in [pool.submit(write, every[start::WRITERS]) for start in range(WRITERS)]:
            done.result()
        held.result()


def _put(session: Session, number: int, version: int) -> None:
    message = offered(number, version=version)
    name = message.work_order
    outbox.put(session, message, department="sb", ordering_key=name,
               dedupe_key=f"{name}:{version}", now=Clock()())  # fmt: skip


def _confirmed(store: Store) -> int:
    return store.read(lambda s: s.query(OutboxRow).filter_by(state="confirmed").count())


async def _relay(database: str, url: str, kind: str) -> None:
    ours = RabbitMQ(url, kind="quorum" if kind == "quorum" else "classic")
    await Relay(Store(database).begin, ours, Clock()).run()


if __name__ == "__main__":
    asyncio.run(_relay(*sys.argv[1:]))
