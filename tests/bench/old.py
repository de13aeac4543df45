"""The three rates of work orders with years of old ones in the tables, against a house with none.

`python -m tests.bench.old [--rows 10000000] [--database postgresql|sqlite] [--quick]`: makes two
houses, fills one by SQL with so many old tickets, each with its work order, its sent message and
its applied reply, and then lets both do the same in turn: a backlog goes out, single ones go out
when idle, replies are applied. Each may be slower by a fifth. Needs about 1.5 KB of disk a ticket.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Integer, Table, func, insert, select, text
from sqlalchemy.orm import Session

from gateway import compose, settings
from gateway.flow import desks
from gateway.parts import Parts
from gateway.tables import DepartmentRow, TicketRow, WorkOrderRow
from queueing import messages, topology
from queueing.broker import RabbitMQ
from queueing.inbox import ReplyConsumer
from queueing.messages import Signed
from queueing.tables import InboxRow, OutboxDueRow, OutboxRow
from tests.bench import queueing as out
from tests.bench.measure import Result, compare, table
from tests.rig.postgres import postgres
from tests.rig.rabbitmq import Broker, rabbitmq
from tests.rig.waiting import until

KEPT: Final = 0.8
LATER: Final = 1.25
AT: Final = 1_700_000_000_000_000
BATCH: Final = 500_000
SERIES: Final = {
    "postgresql": "SELECT generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS i",
    "sqlite": "SELECT i FROM (WITH RECURSIVE s(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM s "
    "WHERE i < :last) SELECT i FROM s)",
}
OLD: Final[tuple[tuple[Any, dict[str, Any], dict[str, str]], ...]] = (
    (TicketRow, {"state": "closed", "summary": "窗口排队两小时无人应答，请核实并答复。"},
     {"id": "i", "opened_at": ":at + i * 1000000", "closed_at": ":at + i * 1000000",
      "acceptance_no": "'A' || i"}),
    (WorkOrderRow, {"department": out.DEPARTMENT, "state": "replied", "lead": True,
                    "question": "?", "result": "属实" * 40},
     {"id": "i", "number": "'OLD-' || i", "ticket_id": "i", "offered_at": ":at + i * 1000000",
      "signed_at": ":at + i * 1000000", "replied_at": ":at + i * 1000000"}),
    (OutboxRow, {"department": out.DEPARTMENT, "state": "confirmed", "routing_key": out.KEY,
                 "message_type": messages.OFFERED, "body": b"x" * 400},
     {"id": "i", "ordering_key": "'ticket:' || i", "dedupe_key": "'OLD-' || i || '/v1'",
      "committed_at": ":at + i * 1000000", "published_at": ":at + i * 1000000",
      "confirmed_at": ":at + i * 1000000"}),
    (InboxRow, {"department": out.DEPARTMENT, "source": "urn:d", "message_type": messages.REPLY,
                "content_sha256": "0" * 64},
     {"id": "i", "event_id": "'old' || i", "work_order": "'OLD-' || i", "sent_at": ":at",
      "applied_at": ":at + i * 1000000"}),
)  # fmt: skip


class House:
    """A prepared house with one department, and numbers that begin after what is old in it."""

    def __init__(self, parts: Parts, rows: int) -> None:
        self.parts = parts
        self.next = rows
        with parts.database.begin() as session:
            session.add(DepartmentRow(code=out.DEPARTMENT, name="社保局", mode="queue"))
        if rows:
            fill(parts, rows)

    def numbers(self, count: int) -> range:
        """So many that were not used yet."""
        self.next += count
        return range(self.next - count + 1, self.next + 1)


@contextmanager
def house(url: str, rows: int) -> Iterator[House]:
    """Made and, at the end, closed."""
    with tempfile.TemporaryDirectory() as state:
        read = settings.read({"HOTLINE_STATE": state, "HOTLINE_DATABASE_URL": url})
        with compose.opened(read) as parts:
            compose.prepare(parts)
            yield House(parts, rows)


def fill(parts: Parts, rows: int) -> None:
    """`rows` of everything that an old work order leaves behind."""
    for first in range(1, rows + 1, BATCH):
        last = min(rows, first + BATCH - 1)
        with parts.database.begin(lasting=False) as session:
            for kind, fixed, varying in OLD:
                _insert(session, kind.__table__, fixed, varying, first, last)
    with parts.database.begin() as session:
        if not parts.database.sqlite:
            for kind, _, _ in OLD:
                session.execute(
                    text("SELECT setval(pg_get_serial_sequence(:of, 'id'), :rows)"),
                    {"of": kind.__tablename__, "rows": rows},
                )
    with parts.database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("ANALYZE")


def _insert(
    session: Session, of: Table, fixed: dict[str, Any], varying: dict[str, str], first: int,
    last: int,
) -> None:  # fmt: skip
    values = {
        column.name: _least(column)
        for column in of.columns
        if not column.nullable and column.name not in varying
    } | fixed
    names = ", ".join([*values, *varying])
    told = ", ".join([f":{name}" for name in values] + list(varying.values()))
    series = SERIES[session.get_bind().dialect.name]
    statement = f"INSERT INTO {of.name} ({names}) SELECT {told} FROM ({series}) AS s"
    session.execute(text(statement), values | {"first": first, "last": last, "at": AT})


def _least(column: Any) -> Any:
    """The column's default, or nothing of its kind."""
    if column.default is not None and column.default.is_scalar:
        return column.default.arg
    return 0 if isinstance(column.type, Integer) else ""


def sent(broker: Broker, at: House, count: int) -> float:
    """Seconds until a backlog of `count` is out."""
    numbers, now = at.numbers(count), at.parts.clock()
    body = out.body(1)
    said = [
        {"message_type": messages.OFFERED, "department": out.DEPARTMENT,
         "routing_key": out.KEY, "ordering_key": f"t{n}", "dedupe_key": f"k{n}", "body": body,
         "state": "waiting", "fence": 0, "attempts": 0, "committed_at": now}
        for n in numbers
    ]  # fmt: skip
    with at.parts.database.begin() as session:
        put = session.execute(
            insert(OutboxRow).returning(OutboxRow.id, OutboxRow.ordering_key), said
        )
        due = [{"id": row, "ordering_key": key, "department": out.DEPARTMENT, "claimable_at": now,
                "fence": 0, "attempts": 0} for row, key in put]  # fmt: skip
        session.execute(insert(OutboxDueRow), due)
    return asyncio.run(out._drained(at.parts.database, at.parts.hub, broker))


def applied(broker: Broker, at: House, count: int) -> float:
    """Seconds until `count` replies are applied."""
    numbers = at.numbers(count)
    with at.parts.database.begin() as session:
        tickets = [TicketRow(channel="phone", state="dispatched", opened_at=AT) for _ in numbers]
        session.add_all(tickets)
        session.flush()
        session.add_all(
            WorkOrderRow(number=f"WO-{n}", ticket_id=ticket.id, department=out.DEPARTMENT,
                         lead=True, question="?", offered_at=AT)
            for n, ticket in zip(numbers, tickets, strict=True)
        )  # fmt: skip
        before = session.scalar(select(func.count()).select_from(InboxRow)) or 0
    url = broker.url(broker.fresh_vhost())
    return asyncio.run(_taken(at.parts, url, numbers, before + count))


async def _taken(parts: Parts, url: str, numbers: range, wanted: int) -> float:
    broker = RabbitMQ(url, kind="classic")
    await broker.declare([out.DEPARTMENT])
    key = topology.reply_key(out.DEPARTMENT)
    for n in numbers:
        message = Signed(work_order=f"WO-{n}", version=1, department=out.DEPARTMENT, by="张三")
        body = messages.encode(message, event_id=f"e{n}", source="urn:bench", time_us=AT)
        await broker.publish(topology.REPLIES, key, body, f"e{n}")
    consumer = ReplyConsumer(parts.database.begin, broker, compose.on_reply(parts), parts.clock,
                             speaker=desks.speaker)  # fmt: skip
    last, began = f"WO-{numbers[-1]}", time.perf_counter()
    running = asyncio.create_task(consumer.run())
    await until(lambda: _signed(parts, last), seconds=300)
    took = time.perf_counter() - began
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await broker.close()
    with parts.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(InboxRow)) == wanted
    return took


def _signed(parts: Parts, number: str) -> bool:
    """Replies are applied in the order they came, so the last says that all are."""
    with parts.database.reading() as session:
        asked = select(WorkOrderRow.signed_at).where(WorkOrderRow.number == number)
        return session.scalar(asked) is not None


def idle(broker: Broker, full: House, empty: House, count: int, name: str) -> Result:
    """The 99th hundredth of `count` single ones each, in turns of some dozens."""
    late: dict[int, list[float]] = {id(full): [], id(empty): []}
    for _ in range(4):
        for at in (empty, full):
            late[id(at)] += asyncio.run(_singles(broker, at, count // 4))
    mine, theirs = out._late(late[id(full)]), out._late(late[id(empty)])
    told = f"{name}: 99 of 100 within {mine * 1e3:.1f} ms, empty {theirs * 1e3:.1f} ms"
    return Result(f"old rows: idle, {told}", ratio=mine / theirs, ceiling=LATER)


async def _singles(broker: Broker, at: House, count: int) -> list[float]:
    mine, _ = await out._alternating(
        at.parts.database, at.parts.hub, broker, count, numbers=at.numbers(count)
    )
    return mine


def results(
    name: str, broker: Broker, fresh: Callable[[], str], rows: int, *, quick: bool
) -> Iterator[Result]:
    """All three, the full house against the empty one."""
    count, rounds = (1_000, 3) if quick else (5_000, 5)
    with ExitStack() as stack:
        began = time.perf_counter()
        full = stack.enter_context(house(fresh(), rows))
        sys.stdout.write(f"{name}: {rows:,} old rows made in {time.perf_counter() - began:.0f} s\n")
        empty = stack.enter_context(house(fresh(), 0))
        for told, rate in (("backlog out", sent), ("replies in", applied)):
            yield compare(f"old rows: {told}, {name}", partial(rate, broker, full, count),
                          partial(rate, broker, empty, count), events=count, calls=0,
                          rounds=rounds, floor=KEPT, unit="messages")  # fmt: skip
        yield idle(broker, full, empty, 200 if quick else 800, name)


def main() -> int:
    """Prints as it goes; 1 when one of them is slower than it may be."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.old")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    with ExitStack() as stack:
        broker = stack.enter_context(rabbitmq())
        if given.database == "sqlite":
            at = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            places = iter(range(9))
            found = results("SQLite", broker, lambda: f"sqlite:///{at}/{next(places)}.sqlite",
                            given.rows, quick=given.quick)  # fmt: skip
        else:
            cluster = stack.enter_context(postgres(durable=True))
            found = results("PostgreSQL", broker, cluster.fresh_database, given.rows,
                            quick=given.quick)  # fmt: skip
        held = True
        for one in found:
            held &= one.held
            sys.stdout.write(table([one]) + "\n")
            sys.stdout.flush()
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
