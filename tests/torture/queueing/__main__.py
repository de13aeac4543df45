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
from pathlib import Path

from queueing.topology import Kind
from tests.rig import releases
from tests.rig.rabbitmq import rabbitmq
from tests.rig.releases import Release
from tests.rig.store import Store
from tests.torture.queueing import faults
from tests.torture.queueing.row import DOUBLED, Row, table
from tests.torture.queueing.run import House, tortured


def rows(orders: int, kills: int) -> Iterator[Row]:
    """Every scenario, on the kind of queue that DESIGN §4 gives each release."""
    kinds: dict[Release, Kind] = {releases.debian(): "classic", releases.newest(): "quorum"}
    for release, kind in kinds.items():
        yield killed(release, kind, orders, kills)
        for name, fault in faults.ALL.items():
            yield befallen(release, kind, name, fault)


def killed(release: Release, kind: Kind, orders: int, kills: int) -> Row:
    """The broker killed again and again.

    A classic queue of 3.10 keeps acks in its memory for a moment; killed, it delivers those again,
    whatever we do. So there it is measured, and judged only by their being recognised.
    """
    name = f"{release.name} {kind}, killed {kills} ×"
    may_double = 1.0 if kind == "classic" else DOUBLED
    return _through(release, kind, name, orders, [faults.killed] * kills, may_double)


def befallen(release: Release, kind: Kind, name: str, fault: faults.Fault) -> Row:
    """One fault, once, in the middle of 500 work orders."""
    return _through(release, kind, f"{release.name} {kind}, {name}", 500, [fault], 0.2)


def _through(
    release: Release,
    kind: Kind,
    name: str,
    orders: int,
    happening: list[faults.Fault],
    may_double: float,
) -> Row:
    with rabbitmq(release) as broker, tempfile.TemporaryDirectory() as at:
        house = House(broker, Store(f"sqlite:///{Path(at) / 'torture.sqlite'}"), kind)
        return asyncio.run(tortured(house, name, orders, happening, may_double=may_double))


def main() -> int:
    """Print each line as it comes, and all of them at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=50)
    asked = parser.parse_args()
    logging.disable()  # each fault is told a hundred times by whoever it befalls
    found = []
    for row in rows(asked.orders, asked.kills):
        found.append(row)
        sys.stderr.write(f"{row.name}: {'; '.join(row.failures) or 'holds'}\n")
    sys.stdout.write(table(found) + "\n")
    return 1 if any(row.failures for row in found) else 0


if __name__ == "__main__":
    sys.exit(main())
