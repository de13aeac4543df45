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
TIMED = 500


class Maker:
    """Makes work orders in the house's database and, before those that are timed, in one that has
    no relay: what they have in common is the machine and its moods."""

    def __init__(self, house: Database, control: Database) -> None:
        self._house, self._control = house, control
        self._number = 0

    def pile(self, count: int) -> None:
        """So many, by nobody's clock."""
        for _ in range(count):
            self._put(self._house)

    def timed(self, count: int) -> float:
        """So many; how long one takes in the middle, as a part of what it takes elsewhere while
        the house rests."""
        theirs = statistics.median(self._put(self._control) for _ in range(count))
        mine = statistics.median(self._put(self._house) for _ in range(count))
        return mine / theirs

    def _put(self, database: Database) -> float:
        self._number += 1
        began = time.perf_counter()
        return bench.put(database, self._number) - began


def piled(broker: Broker, databases: tuple[str, str], name: str, count: int) -> Row:
    """`count` work orders while it is away, `TIMED` of them and as many others by the clock in each
    of three rounds; a line of the table. Of the two databases the second is for comparison."""
    row = Row(name, count, may_take_s=60.0)
    began, timed = time.monotonic(), min(TIMED, count // 8)
    with bench.house(databases[0]) as (opened, hub), bench.house(databases[1]) as (control, _):
        asyncio.run(_piled(broker, opened, hub, row, Maker(opened, control), timed))
        with opened.reading() as session:
            row.confirmed = session.query(OutboxRow).filter_by(state="confirmed").count()
        row.confirmed -= ROUNDS * timed  # those put while it was there
    row.took_s = time.monotonic() - began
    return row


async def _piled(
    broker: Broker, database: Database, hub: Hub, row: Row, maker: Maker, timed: int
) -> None:
    there: list[float] = []
    away: list[float] = []
    rest = row.asked - ROUNDS * timed
    async with bench.relaying(database, hub, broker.url(broker.fresh_vhost())):
        for _ in range(ROUNDS):
            there.append(await asyncio.to_thread(maker.timed, timed))
            await asyncio.to_thread(bench.emptied, database)
            await asyncio.to_thread(broker.kill)
            away.append(await asyncio.to_thread(maker.timed, timed))
            await asyncio.to_thread(broker.start)
            await asyncio.to_thread(bench.emptied, database)
        await asyncio.to_thread(broker.kill)
        before = _memory()
        await asyncio.to_thread(maker.pile, rest - timed)
        away.append(await asyncio.to_thread(maker.timed, timed))
        grown = _memory() - before
        await asyncio.to_thread(broker.start)
        began = time.monotonic()
        await asyncio.to_thread(bench.emptied, database)
        drained = rest / (time.monotonic() - began)
    raw = [bench.body(number) for number in range(min(20_000, row.asked))]
    rate = len(raw) / await bench.published(broker, raw)
    _judged(row, max(away) / statistics.median(there), grown, drained / rate)


def _judged(row: Row, slower: float, grown: int, drained: float) -> None:
    row.told.append(
        f"away, also on top of the pile, a commit takes {slower:.2f} × as long; memory "
        f"{grown / (1 << 20):+.0f} MB; drained at {drained:.2f} × the raw rate"
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
