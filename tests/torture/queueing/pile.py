"""The broker away while work orders pile up: what that costs whoever makes tickets, and how soon
the pile is gone when the broker is back.

One process, as the gateway's is: its relay runs while its thread commits work orders, one by one,
with the broker there and away in turn, so that the machine's moods meet both. The raw rate is that
of a bare aio-pika loop with the same bodies, 256 in flight.
"""

import asyncio
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from gateway.database import Database
from gateway.notices import Hub
from queueing.tables import OutboxRow
from tests.bench import queueing as bench
from tests.rig.rabbitmq import Broker
from tests.torture.queueing.row import Row

SLOWER = 1.10
GROWN = 50 << 20
DRAINED = 0.5
ROUNDS = 3


def piled(broker: Broker, database: str, name: str, count: int, timed: int = 500) -> Row:
    """`count` work orders while it is away, `timed` of them and as many others by the clock in each
    of three rounds; a line of the table."""
    row = Row(name, count, may_take_s=60.0)
    began = time.monotonic()
    with bench.house(database) as (opened, hub):
        asyncio.run(_piled(broker, opened, hub, row, timed))
        with opened.reading() as session:
            row.confirmed = session.query(OutboxRow).filter_by(state="confirmed").count()
        row.confirmed -= ROUNDS * timed  # those put while it was there
    row.took_s = time.monotonic() - began
    return row


async def _piled(broker: Broker, database: Database, hub: Hub, row: Row, timed: int) -> None:
    numbers = iter(range(10_000_000))

    def put(count: int) -> list[float]:
        took = []
        for _ in range(count):
            began = time.perf_counter()
            took.append(bench.put(database, next(numbers)) - began)
        return took

    there: list[float] = []
    away: list[float] = []
    async with bench.relaying(database, hub, broker.url(broker.fresh_vhost())):
        for _ in range(ROUNDS):
            there += await asyncio.to_thread(put, timed)
            await asyncio.to_thread(bench.emptied, database)
            await asyncio.to_thread(broker.kill)
            away += await asyncio.to_thread(put, timed)
            await asyncio.to_thread(broker.start)
            await asyncio.to_thread(bench.emptied, database)
        await asyncio.to_thread(broker.kill)
        before = _memory()
        late = await asyncio.to_thread(put, row.asked - ROUNDS * timed)
        grown = _memory() - before
        await asyncio.to_thread(broker.start)
        began = time.monotonic()
        await asyncio.to_thread(bench.emptied, database)
        drained = (row.asked - ROUNDS * timed) / (time.monotonic() - began)
    raw = [bench.body(number) for number in range(min(20_000, row.asked))]
    rate = len(raw) / await bench.published(broker, raw)
    _judged(row, there, (away, late[-timed:]), grown, drained / rate)


def _judged(
    row: Row,
    there: Sequence[float],
    without: Sequence[Sequence[float]],
    grown: int,
    drained: float,
) -> None:
    slower = max(statistics.median(took) for took in without) / statistics.median(there)
    row.told.append(
        f"a commit takes {slower:.2f} × as long, memory {grown / (1 << 20):+.0f} MB, "
        f"drained at {drained:.2f} × the raw rate"
    )
    if slower > SLOWER:
        row.notes.append(f"making a ticket took {slower:.2f} × as long, {SLOWER} may be")
    if grown > GROWN:
        row.notes.append(f"memory grew by {grown >> 20} MB, {GROWN >> 20} may be")
    if drained < DRAINED:
        row.notes.append(f"drained at {drained:.2f} × the raw rate, {DRAINED} must be")


def _memory() -> int:
    """Bytes of this process in the machine's memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
