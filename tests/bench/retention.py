"""The plan of what goes when, over a million recordings against a hundred thousand.

The house is the real one, on SQLite: recordings of 27 months, each of a call with a ticket, one in
fifty of the tickets open. What is asked of it is `recordings.plan.months` with the gateway's own
reasons, as `hotline retention plan` does. Ten times the recordings may take twelve times as long,
and no more memory: each runs in a process of its own, whose peak is its own.
"""

import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Table, insert

from gateway.database import Database
from gateway.flow import staying
from gateway.tables import Base
from recordings import keys, plan
from tests.bench.measure import Result, timed

CEILING = 12.0
GROWTH_MIB = 16.0
NOW = 1_795_400_000_000_000
MONTH_US = 30 * 86_400_000_000
MONTHS = 27
_AT_ONCE = 10_000


def run(many: int, few: int) -> Iterator[Result]:
    """How much longer, and how much more memory, the many take."""
    with tempfile.TemporaryDirectory(prefix="hotline-bench-") as place:
        seconds, peaks = zip(*(_measured(Path(place), count) for count in (few, many)), strict=True)
    yield Result(f"retention plan, {many} / {few} recordings, time", seconds[1] / seconds[0],
                 many / seconds[1], few / seconds[0], ceiling=CEILING)  # fmt: skip
    yield Result(f"retention plan, {many} / {few} recordings, MiB more",
                 (peaks[1] - peaks[0]) / 1024, ceiling=GROWTH_MIB)  # fmt: skip


def _measured(place: Path, count: int) -> tuple[float, float]:
    """Seconds (the best of three) and the peak in KiB of a process that only plans."""
    url = f"sqlite:///{place / f'{count}.db'}"
    fill(url, count)
    said = subprocess.run([sys.executable, "-m", "tests.bench.retention", url], check=True,
                          capture_output=True, text=True)  # fmt: skip
    seconds, peak = said.stdout.split()
    return float(seconds), float(peak)


def fill(url: str, count: int) -> None:
    """A house with that many recordings."""
    database = Database(url)
    Base.metadata.create_all(database.engine)
    chance = random.Random(12333)
    for start in range(1, count + 1, _AT_ONCE):
        stop = min(start + _AT_ONCE, count + 1)
        rows = [_rows(number, count, chance) for number in range(start, stop)]
        with database.begin() as session:
            for at, name in enumerate(("recording", "call", "ticket", "recording_link")):
                session.execute(insert(table(name)), [row[at] for row in rows])
    database.dispose()


def table(name: str) -> Table:
    """One of the house's tables."""
    return Base.metadata.tables[name]


def _rows(number: int, count: int, chance: random.Random) -> tuple[dict[str, object], ...]:
    at = NOW - MONTHS * MONTH_US + number * (MONTHS * MONTH_US // count)
    name, noise = f"{at // 1_000_000}.{number}", chance.randbytes(32)
    recording: dict[str, object] = {
        "id": number, "pbx": "pbx1", "name": name, "object_key": f"x/{name}", "recipient": "age1",
        "key_id": keys.key_id_at(at), "header": chance.randbytes(200), "header_sha256": noise,
        "sealed_sha256": noise, "plain_sha256": noise, "plain_size": 16044, "sealed_size": 16260,
        "duration_ms": 90_000, "sample_rate": 8000, "channels": 1, "data_offset": 44,
        "condition": "ok", "recorded_at": at, "sealed_at": at + 100_000_000,
    }  # fmt: skip
    call: dict[str, object] = {
        "id": number, "pbx": "pbx1", "linkedid": name, "direction": "inbound",
        "caller_number": "", "caller_name": "", "dialled": "12333", "state": "ended",
        "arrived_at": at, "ended_at": at + 95_000_000,
    }  # fmt: skip
    ticket: dict[str, object] = {
        "id": number, "opened_at": at, "state": "signed" if number % 50 == 0 else "closed",
        "closed_at": at + 86_400_000_000,
    }  # fmt: skip
    link: dict[str, object] = {"recording_id": number, "call_id": number, "ticket_id": number}
    return recording, call, ticket, link


def look(url: str) -> None:
    """The plan, as the command makes it."""
    database = Database(url)
    with database.reading() as session:
        found = list(plan.months(session, staying.extensions(NOW)))
    assert sum(month.extended for month in found), found
    database.dispose()


def main() -> None:
    """Plan three times; print the best time and this process's peak."""
    best = min(timed(lambda: look(sys.argv[1])) for _ in range(3))
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]
    sys.stdout.write(f"{best} {peak}\n")


if __name__ == "__main__":
    main()
