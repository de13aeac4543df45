"""`make bench`: how fast the gateway is, each figure a ratio against a baseline of the same run.

`python -m tests.bench [--quick] [--json FILE]`: prints a table for people and, into FILE or after
it, a JSON document for programs. Exit 1 when a floor was missed. `--quick` leaves the memory run
out and makes the others short; it is for looking while working, not for judging.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench import commits, facts, log, memory, queueing, replies, retention, sealing
from tests.bench.load import everything, filtered
from tests.bench.measure import Result, document, table
from tests.rig.postgres import postgres

FACTS = 0.5
COMMITTED = 0.3


def results(*, quick: bool) -> Iterator[Result]:
    """Each comparison in turn. The floors are for the PBX that leaves nothing out (about 90 events
    a call); beside them, the same for what the shipped manager.conf lets through (about 23)."""
    calls, rounds = (300, 3) if quick else (1_500, 9)
    yield facts.run("everything", everything(), calls, rounds, FACTS)
    yield facts.run("filtered", filtered(), calls, rounds, None)
    yield commits.run("SQLite, everything", everything(), calls // 3, rounds, floor=COMMITTED)
    yield commits.run("SQLite, filtered", filtered(), calls, rounds)
    with postgres(durable=True) as cluster:
        fresh = cluster.fresh_database
        yield commits.run("PostgreSQL, everything", everything(), calls // 3, rounds,
                          fresh=fresh, floor=COMMITTED)  # fmt: skip
        yield commits.run("PostgreSQL, filtered", filtered(), calls, rounds, fresh=fresh)
        # the log
        yield from log.results(quick=quick, fresh=fresh)
        # work orders out
        yield from queueing.results(quick=quick, fresh=fresh)
        yield from replies.results(quick=quick, fresh=fresh)
    yield from sealing.results(256 if quick else 1024, 3 if quick else 9)
    yield from retention.run(100_000 if quick else 1_000_000, 10_000 if quick else 100_000)
    if not quick:
        yield memory.run(100_000, 10_000)


def main() -> int:
    """Runs, prints as it goes."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = []
    for one in results(quick=given.quick):
        found.append(one)
        sys.stdout.write(table([one]) + "\n")
        sys.stdout.flush()
    if given.json:
        given.json.write_text(document(found) + "\n", encoding="utf-8")
    else:
        sys.stdout.write(document(found) + "\n")
    return 0 if all(one.held for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
