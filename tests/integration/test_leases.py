"""Two gateways, one database: one has the duty, a dead one is followed, a stopped one is fenced."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway import lease, migrations
from gateway.database import Database
from gateway.errors import LeaseLost
from gateway.lease import Duty, Lease, Seat
from gateway.tables import CounterRow, LeaseRow

ROOT = Path(__file__).resolve().parents[2]
TAKEN_OVER_S = 5.0

pytestmark = pytest.mark.alone  # what is measured is how soon

HOLDER = """
import asyncio, sys, time
from pathlib import Path
from sqlalchemy import select
from gateway.database import Database
from gateway.lease import Duty
from gateway.tables import CounterRow

url, seats, me = sys.argv[1:]
database = Database(url)

async def work(lease):
    print("holds", lease.fence, flush=True)
    def write():
        with database.begin() as session:
            lease.check(session)
            row = session.get(CounterRow, "written") or CounterRow(name="written", value=0)
            row.value = lease.fence
            session.add(row)
    while True:
        try:
            await asyncio.to_thread(write)
        except Exception as error:
            print("refused", type(error).__name__, flush=True)
            raise
        print("wrote", lease.fence, flush=True)
        await asyncio.sleep(0.05)

asyncio.run(Duty(database, lambda: time.time_ns() // 1000, Path(seats), "pbx:p", work).run())
"""


def clock() -> int:
    return time.time_ns() // 1000


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    migrations.upgrade(made)
    yield made
    made.dispose()


class Holder:
    """A gateway's process that writes its fence again and again for as long as it may."""

    def __init__(self, url: str, seats: Path, log: Path) -> None:
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-c", HOLDER, url, str(seats), "x"],
                stdout=out, stderr=out, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip

    def wait(self, *said: str, within_s: float = 20.0) -> float:
        """Until it has said one of these; answers how long it took."""
        began = time.monotonic()
        while not any(map(self.says, said)):
            assert time.monotonic() < began + within_s, self.log.read_text()[-2000:]
            time.sleep(0.02)
        return time.monotonic() - began

    def says(self, text: str) -> bool:
        return text in self.log.read_text()

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(10)


@pytest.fixture
def start(tmp_path: Path, database: Database) -> Iterator[Callable[[str], Holder]]:
    """Starts gateways of that name, each with its own state."""
    url = database.url.render_as_string(hide_password=False)
    with ExitStack() as ending:

        def started(name: str) -> Holder:
            holder = Holder(url, tmp_path / name.partition("-")[0], tmp_path / f"{name}.log")
            ending.callback(holder.end)
            return holder

        yield started


def written(database: Database) -> int:
    with database.reading() as session:
        return session.scalars(select(CounterRow.value)).one()


def test_a_dead_holder_is_followed_within_five_seconds(
    database: Database, start: Callable[[str], Holder]
) -> None:
    """Issue 3: the other gateway has the PBX within 5 s of the first one's death; never both."""
    first = start("a")
    first.wait("wrote 1")
    second = start("b")
    time.sleep(2 * lease.LASTS_US / 1e6)
    assert not second.says("holds"), "a renewed lease was taken"
    first.process.kill()
    assert second.wait("wrote 2") < TAKEN_OVER_S
    assert written(database) == 2


def test_a_stopped_holder_comes_back_and_writes_nothing(
    database: Database, start: Callable[[str], Holder]
) -> None:
    """A process swapped out or paused with its machine does not know that time went on: its first
    transaction, its own or the renewal's, tells it, and it goes back to waiting."""
    first = start("a")
    first.wait("wrote 1")
    second = start("b")
    stop(first, database)
    try:
        assert second.wait("wrote 2", within_s=30) < TAKEN_OVER_S + 5  # its start is in it
    finally:
        os.kill(first.process.pid, signal.SIGCONT)
    first.wait("refused LeaseLost", "somebody else has it now")
    time.sleep(1)
    assert written(database) == 2
    assert not first.says("wrote 2")
    second.process.kill()
    first.wait("wrote 3", within_s=6)


def stop(holder: Holder, database: Database) -> None:
    """Stops the process outside a transaction: SQLite's file would be held, as documented."""
    for _ in range(20):
        os.kill(holder.process.pid, signal.SIGSTOP)
        if not (database.sqlite and locked(database)):
            return
        os.kill(holder.process.pid, signal.SIGCONT)
        time.sleep(0.03)
    raise AssertionError("always in mid transaction")


def locked(database: Database) -> bool:
    """Whether the stopped process holds the write lock of the SQLite file."""
    assert database.url.database is not None
    trial = sqlite3.connect(database.url.database, timeout=0.2, isolation_level=None)
    try:
        trial.execute("BEGIN IMMEDIATE")
        trial.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return True
    finally:
        trial.close()
    return False


def test_a_restart_in_the_same_place_does_not_wait(
    database: Database, start: Callable[[str], Holder]
) -> None:
    """A single gateway killed and started again is back as soon as it runs; another place waits."""
    first = start("a")
    first.wait("wrote 1")
    first.process.kill()
    first.process.wait()
    with database.begin() as session:
        session.get_one(LeaseRow, "pbx:p").expires_at = clock() + 3_600_000_000
    stranger = start("b")
    start("a-again").wait("holds 2")
    assert not stranger.says("holds")


@contextmanager
def seated(directory: Path) -> Iterator[str]:
    seat = Seat(directory, "pbx:p")
    try:
        yield seat.holder.partition(":")[0]
    finally:
        seat.leave()


def test_a_seat_is_kept_by_its_place_and_shared_by_nobody(tmp_path: Path) -> None:
    """Only the kernel can say that the last one on this seat is dead."""
    with seated(tmp_path) as first, seated(tmp_path) as beside:
        assert first != beside
    with seated(tmp_path) as again:
        assert again == first


def test_a_lease_is_taken_only_when_it_may_be(database: Database) -> None:
    """The whole table of who may take what, when."""
    now = clock()

    def take(holder: str, at: int) -> int | None:
        with database.begin() as session:
            return lease.acquire(session, "d", holder, at)

    assert take("a:1", now) == 1
    assert take("b:1", now) is None
    assert take("a:2", now) == 2, "same seat: its last process is dead"
    with database.begin() as session:
        assert not lease.renew(session, "d", 1, now)
        assert lease.renew(session, "d", 2, now)
        assert lease.release(session, "d", 2)
    assert take("b:1", now) == 3
    with database.begin() as session, pytest.raises(LeaseLost):
        Lease("d", 2).check(session)
    with database.begin() as session:
        Lease("d", 3).check(session)


def test_a_failing_work_ends_the_duty(database: Database, tmp_path: Path) -> None:
    """Whoever supervises the process is told; the next one need not wait for the lease to end."""

    async def fail(_: Lease) -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        asyncio.run(Duty(database, clock, tmp_path, "d", fail).run())
    with database.reading() as session:
        assert session.get_one(LeaseRow, "d").expires_at == 0
