"""`make torture-queueing`: work orders through a real RabbitMQ while everything befalls it.

    python -m tests.torture.queueing --orders 20000 --kills 50

One table at the end, a line a scenario; exit 0 only when all of it holds.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from queueing.topology import Kind
from tests.rig import releases
from tests.rig.postgres import postgres
from tests.rig.rabbitmq import rabbitmq
from tests.rig.releases import Release
from tests.rig.store import Store
from tests.torture.queueing import faults
from tests.torture.queueing.pile import piled
from tests.torture.queueing.relays import Load, side_by_side
from tests.torture.queueing.restarts import came_back
from tests.torture.queueing.row import DOUBLED, RECOVERED_S, Row, table
from tests.torture.queueing.run import DEPARTMENTS, House, tortured


def rows(orders: int, kills: int, pile: int) -> Iterator[Row]:
    """Every scenario, on the kind of queue that DESIGN §4 gives each release."""
    kinds: dict[Release, Kind] = {releases.debian(): "classic", releases.newest(): "quorum"}
    for release, kind in kinds.items():
        yield killed(release, kind, orders, kills)
        yield restarted(release, kind, 10)
        for name, fault in faults.ALL.items():
            yield befallen(release, kind, name, fault)
    with rabbitmq() as broker, postgres() as cluster, tempfile.TemporaryDirectory() as at:
        load, name = Load(), "8 relays, 60 s in a transaction"
        yield side_by_side(broker, cluster.fresh_database(), "classic", load, name)
        both = cluster.fresh_database(), cluster.fresh_database()
        yield piled(broker, both, "broker away, PostgreSQL", pile)
        both = f"sqlite:///{at}/house.sqlite", f"sqlite:///{at}/control.sqlite"
        yield piled(broker, both, "broker away, SQLite", pile)


def killed(release: Release, kind: Kind, orders: int, kills: int) -> Row:
    """The broker killed again and again.

    A classic queue of 3.10 keeps acks in its memory for a moment; killed, it delivers those again,
    whatever we do. So there it is measured, and judged only by their being recognised.
    """
    name = f"{release.name} {kind}, killed {kills} ×"
    may_double = 1.0 if kind == "classic" else DOUBLED
    return _through(release, kind, name, orders, [faults.killed] * kills, may_double)


def befallen(
    release: Release, kind: Kind, name: str, fault: faults.Fault, orders: int = 500
) -> Row:
    """One fault, once, in the middle of so many work orders."""
    may_take_s = faults.NOTICED_S.get(name, RECOVERED_S)
    title = f"{release.name} {kind}, {name}"
    return _through(release, kind, title, orders, [fault], 0.2, may_take_s)


def restarted(release: Release, kind: Kind, times: int) -> Row:
    """Killed when nobody has anything to do, and one work order a department afterwards."""
    name = f"{release.name} {kind}, idle, killed {times} ×"
    row = Row(name, times * len(DEPARTMENTS), may_double=1.0)  # as `killed` says
    with _house(release, kind) as house:
        return asyncio.run(came_back(house, row))


def _through(
    release: Release,
    kind: Kind,
    name: str,
    orders: int,
    happening: list[faults.Fault],
    may_double: float,
    may_take_s: float = RECOVERED_S,
) -> Row:
    row = Row(name, orders, may_double=may_double, may_take_s=may_take_s)
    with _house(release, kind) as house:
        return asyncio.run(tortured(house, row, happening))


@contextmanager
def _house(release: Release, kind: Kind) -> Iterator[House]:
    with rabbitmq(release) as broker, tempfile.TemporaryDirectory() as at:
        yield House(broker, Store(f"sqlite:///{Path(at) / 'torture.sqlite'}"), kind)


def main() -> int:
    """Print each line as it comes, and all of them at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--pile", type=int, default=50_000)
    asked = parser.parse_args()
    logging.disable()  # each fault is told a hundred times by whoever it befalls
    found = []
    for row in rows(asked.orders, asked.kills, asked.pile):
        found.append(row)
        sys.stderr.write(f"{row.name}: {'; '.join(row.failures) or 'holds'}\n")
    sys.stdout.write(table(found) + "\n")
    return 1 if any(row.failures for row in found) else 0


if __name__ == "__main__":
    sys.exit(main())
