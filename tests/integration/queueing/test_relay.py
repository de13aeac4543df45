"""The relay over every transport: rows out, confirmed, in order, parked where they cannot go."""

import asyncio
import threading
from contextlib import AbstractContextManager, aclosing

import pytest
from sqlalchemy.orm import Session

from queueing import depth, due, outbox, parked, persistence, topology
from queueing.broker import RabbitMQ
from queueing.corked import Writer
from queueing.deadletters import DeadLetters
from queueing.department import Department
from queueing.embedded import Embedded
from queueing.errors import NotParked
from queueing.ledger import LEASE_US
from queueing.relay import Relay
from queueing.tables import EmbeddedRow, OutboxRow
from queueing.waiting import Bell
from tests.integration.queueing.conftest import MakeTransport
from tests.rig.rabbitmq import Broker
from tests.rig.store import Clock, Store
from tests.rig.waiting import closing, running, until
from tests.rig.workorders import offered


def put(store: Store, number: int, version: int = 1, department: str = "sb") -> int:
    with store.begin() as session:
        message = offered(number, version=version, department=department)
        return outbox.put(
            session,
            message,
            department=department,
            ordering_key=message.work_order,
            dedupe_key=f"{message.work_order}:{version}",
            now=1,
        ).id


def states(store: Store) -> list[str]:
    with store.begin() as session:
        return [row.state for row in session.query(OutboxRow).order_by(OutboxRow.id)]


async def carried(relay: Relay, store: Store, wanted: list[str]) -> None:
    """Let the relay work until the rows stand so."""
    async with running(relay.run()):
        await until(lambda: states(store) == wanted)


def test_committed_rows_reach_the_department_in_order(
    store: Store, transports: MakeTransport, clock: Clock
) -> None:
    """Protects: the whole way out, versions of one work order in their order."""
    for version in (1, 2, 3):
        for number in (1, 2):
            put(store, number, version)

    async def scenario() -> list[tuple[str, int]]:
        async with transports() as ours, transports() as theirs:
            await ours.declare(["sb"])
            got = []
            async with (
                running(Relay(store.begin, ours, clock).run()),
                asyncio.timeout(30),
                aclosing(Department("sb", theirs, clock).orders()) as orders,
            ):
                async for order in orders:
                    got.append((order.message.work_order, order.message.version))
                    await order.ack()
                    if len(got) == 6:
                        break
                await until(lambda: set(states(store)) == {"confirmed"})
            return got

    got = asyncio.run(scenario())
    for number in (1, 2):
        assert [v for name, v in got if name == f"WO-2026-{number:06}-1"] == [1, 2, 3]


def test_an_unroutable_message_is_parked_and_replayed(
    store: Store, transports: MakeTransport, clock: Clock
) -> None:
    """Protects: nothing is lost to a department nobody declared; the others are not held up."""
    put(store, 1, department="nobody")
    put(store, 2)

    async def scenario() -> None:
        async with transports() as ours:
            await ours.declare(["sb"])
            await carried(Relay(store.begin, ours, clock), store, ["parked", "confirmed"])
            (stuck,) = store.read(parked.unresolved)
            assert (stuck.direction, stuck.department) == ("out", "nobody")
            assert "no queue" in stuck.reason
            (row,) = store.read(depth.by_department)
            assert (row.department, row.waiting, row.parked) == ("nobody", 0, 1)
            await ours.declare(["nobody"])
            store.read(lambda s: parked.replay(s, stuck.id, clock()))
            await carried(Relay(store.begin, ours, clock), store, ["confirmed", "confirmed"])
            assert store.read(parked.unresolved) == []
            with pytest.raises(NotParked):
                store.read(lambda s: parked.replay(s, stuck.id, clock()))

    asyncio.run(scenario())


def test_what_a_department_gives_up_comes_back_to_be_seen(
    store: Store, transports: MakeTransport, clock: Clock
) -> None:
    """Protects: a dead letter stands in the parked list with its reason and can be sent again."""
    put(store, 1)

    async def scenario() -> None:
        async with transports() as ours, transports() as theirs:
            await ours.declare(["sb"])
            await carried(Relay(store.begin, ours, clock), store, ["confirmed"])
            department = Department("sb", theirs, clock)
            async with running(DeadLetters(store.begin, ours, clock).run()):
                async with asyncio.timeout(20), aclosing(department.orders()) as orders:
                    await (await anext(orders)).reject()
                (stuck,) = await until(lambda: store.read(parked.unresolved))
                assert (stuck.direction, stuck.department) == ("dead", "sb")
                assert "rejected" in stuck.reason
                store.read(lambda s: parked.replay(s, stuck.id, clock()))
                assert states(store) == ["waiting"]
                await carried(Relay(store.begin, ours, clock), store, ["confirmed"])
                async with asyncio.timeout(20), aclosing(department.orders()) as orders:
                    order = await anext(orders)
                    assert order.message == offered(1)
                    await order.ack()
        async with transports() as ours:
            async with running(DeadLetters(store.begin, ours, clock).run()):
                await asyncio.sleep(0.5)
            assert store.read(parked.unresolved) == [], "the letter was acked once it was kept"

    asyncio.run(scenario())


def test_a_letter_with_an_account_that_cannot_be_kept(
    sqlite_store: Store, postgres_store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects: what others wrote beside a letter stops no other letter; it is kept without."""
    monkeypatch.setattr(persistence, "WAITS_S", (0.01,))

    async def scenario() -> None:
        transport = Embedded(sqlite_store.begin, clock)
        await transport.declare(["sb"])
        with sqlite_store.begin() as session:
            for death in ("no\0text", "rejected"):
                session.add(
                    EmbeddedRow(queue=topology.PARKED, routing_key="workorder.sb.offered.v1",
                                dedupe_key="k", body=death.encode(), death=death,
                                claimable_at=0, enqueued_at=0)
                )  # fmt: skip
        async with running(DeadLetters(postgres_store.begin, transport, clock).run()):
            await until(lambda: len(postgres_store.read(parked.unresolved)) == 2)

    asyncio.run(scenario())
    second, first = postgres_store.read(parked.unresolved)
    assert "DataError" in first.reason
    assert second.reason.endswith("rejected")


def test_a_crash_between_publish_and_mark_publishes_again(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects: confirmed but not marked: sent again under the same key, and recognised."""
    put(store, 1)

    async def scenario() -> None:
        ours = Embedded(store.begin, clock)
        await ours.declare(["sb"])
        crashing = Relay(store.begin, ours, clock)
        marked = threading.Event()

        def crash(*_: object) -> list[int]:
            marked.set()
            return []

        monkeypatch.setattr(crashing._ledger, "mark", crash)
        async with running(crashing.run()), asyncio.timeout(10):
            await asyncio.to_thread(marked.wait)
        with store.begin() as session:
            assert due.look(session, clock()) is None, "its lease stands"
        clock.ahead_us = LEASE_US
        await carried(Relay(store.begin, ours, clock), store, ["confirmed"])
        deliveries = []
        async with aclosing(ours.deliveries(topology.department_queue("sb"))) as arriving:
            async for delivery in arriving:
                deliveries.append(delivery)
                await delivery.ack()
                if len(deliveries) == 2:
                    break
        assert deliveries[0].dedupe_key == deliveries[1].dedupe_key
        assert deliveries[0].body == deliveries[1].body

    asyncio.run(scenario())


def test_two_claims_at_the_same_moment_take_different_rows(postgres_store: Store) -> None:
    """Protects: SKIP LOCKED: neither waits for the other and no row is in two hands."""
    for number in range(1, 7):
        put(postgres_store, number)
    with postgres_store.begin() as one, postgres_store.begin() as two:
        first = due.claim(one, now=9, lease_us=9, limit=3)
        second = due.claim(two, now=9, lease_us=9, limit=3)
    assert [row.id for row in first] == [1, 2, 3]
    assert [row.id for row in second] == [4, 5, 6]


def test_two_relays_side_by_side_skip_nothing_and_double_nothing(
    postgres_store: Store, clock: Clock
) -> None:
    """Protects: fenced claims on PostgreSQL, with a transaction that commits late in between."""
    store = postgres_store
    opened, close_it = threading.Event(), threading.Event()

    def commit_late() -> None:
        with store.begin() as session:
            message = offered(999)
            outbox.put(
                session, message, department="sb", ordering_key="late", dedupe_key="late", now=1
            )
            opened.set()
            close_it.wait(30)

    late = threading.Thread(target=commit_late)
    late.start()
    assert opened.wait(10)
    for number in range(1, 101):
        for version in (1, 2):
            put(store, number, version)

    async def scenario() -> list[tuple[str, int]]:
        ours = Embedded(store.begin, clock)
        await ours.declare(["sb"])
        relays = [Relay(store.begin, Embedded(store.begin, clock), clock).run() for _ in range(2)]
        got = []
        async with running(*relays):
            await until(lambda: states(store).count("confirmed") == 200)
            close_it.set()
            await until(lambda: states(store).count("confirmed") == 201)
            async with aclosing(ours.deliveries(topology.department_queue("sb"))) as arriving:
                async for delivery in arriving:
                    name, _, version = delivery.dedupe_key.partition(":")
                    got.append((name, int(version or 1)))
                    await delivery.ack()
                    if name == "late":
                        break
        return got

    got = asyncio.run(scenario())
    late.join(10)
    assert len(got) == 201
    assert len(set(got)) == 201
    for number in range(1, 101):
        assert [v for name, v in got if name == f"WO-2026-{number:06}-1"] == [1, 2]


def test_what_waits_is_written_many_at_a_time(
    broker: Broker, sqlite_store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects: a backlog drains at the speed of the library, not of a call into the kernel for
    each message (half as fast)."""
    count, calls = 600, []
    for number in range(count):
        put(sqlite_store, number)
    send = Writer._send

    def counted(writer: Writer) -> None:
        calls.append(len(writer._held))
        send(writer)

    monkeypatch.setattr(Writer, "_send", counted)

    async def scenario() -> None:
        async with closing(RabbitMQ(broker.url(broker.fresh_vhost()), kind="classic")) as ours:
            await ours.declare(["sb"])
            calls.clear()
            await carried(
                Relay(sqlite_store.begin, ours, clock), sqlite_store, ["confirmed"] * count
            )

    asyncio.run(scenario())
    assert len(calls) < count / 8


class Counting:
    """A store's units of work, counted."""

    def __init__(self, store: Store) -> None:
        self._store, self.begun = store, 0

    def begin(self) -> AbstractContextManager[Session]:
        self.begun += 1
        return self._store.begin()


def test_who_commits_is_believed_and_silence_is_looked_at(
    sqlite_store: Store, transports: MakeTransport, clock: Clock
) -> None:
    """Protects: a single message is claimed without asking first whether there is one; an idle
    relay only asks, and takes no writer's turn."""
    reading, writing, bell = Counting(sqlite_store), Counting(sqlite_store), Bell()

    async def scenario() -> None:
        async with transports() as ours:
            await ours.declare(["sb"])
            relay = Relay(writing.begin, ours, clock, reading=reading.begin, bell=bell)
            async with running(relay.run()):
                await until(lambda: reading.begun > 0)
                await asyncio.sleep(0.2)
                looked, wrote = reading.begun, writing.begun
                bell.ring()
                await until(lambda: writing.begun == wrote + 1)
                await asyncio.sleep(0.2)
                assert writing.begun == wrote + 1
                assert reading.begun == looked
                put(sqlite_store, 1)
                bell.ring()
                await until(lambda: states(sqlite_store) == ["confirmed"])

    asyncio.run(scenario())
