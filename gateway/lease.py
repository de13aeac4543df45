"""A duty that one process at a time may do, however many gateways share the database.

One row a duty: who holds it, a fence that counts the holders, and until when. The holder renews it;
whoever finds it expired takes it and raises the fence. What always holds:

- **The fence protects, the clock only decides when to try.** Whoever writes under a lease calls
  `Lease.check` first in that very transaction. A holder that was stopped and comes back finds its
  fence gone, raises `LeaseLost` and writes nothing. On PostgreSQL the check keeps the row shared
  until the commit, so a take-over comes wholly before or wholly after; and a holder stopped in mid
  transaction loses its connection after `IDLE_S`, so that it cannot keep the others waiting.
- **One clock for all**: the database server's on PostgreSQL, the machine's own for a SQLite file.
- **A holder that cannot reach the database keeps working**: nobody else can take the lease there
  either, and what it does without the database (reading the PBX) must not stop for that.
- **A restart does not wait**: the lease of a dead process of the same `Seat` is taken at once. The
  seat is a locked file, so the kernel knows that its last owner is gone.

Death is noticed after at most `LASTS_US` + `TRY_S`. On SQLite a process that is stopped in mid
transaction holds the file itself; there everybody waits until it goes on or is killed.
"""

import asyncio
import fcntl
import logging
import os
import secrets
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

from sqlalchemy import bindparam, func, select, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from gateway.database import Database
from gateway.errors import LeaseLost
from gateway.tables import LeaseRow
from telephony.prepared import Prepared

log = logging.getLogger(__name__)

LASTS_US: Final = 3_000_000
RENEW_S: Final = 1.0
TRY_S: Final = 0.5
IDLE_S: Final = 3

_LEASE: Final = LeaseRow.__table__.c

_FENCE: Final = Prepared(
    select(_LEASE.fence).where(_LEASE.name == bindparam("of")).with_for_update(read=True)
)
_FENCE_IN_TIME: Final = Prepared(
    select(
        _LEASE.fence,
        func.set_config(
            "idle_in_transaction_session_timeout",
            f"{IDLE_S}s",
            True,  # for this transaction
        ),
    )
    .where(_LEASE.name == bindparam("of"))
    .with_for_update(read=True)
)

T = TypeVar("T")


class Lease:
    """A duty that is held: what its holder shows in each transaction it writes in."""

    def __init__(self, name: str, fence: int) -> None:
        self.name = name
        self.fence = fence
        self.lost = False

    def check(self, session: Session) -> None:
        """First thing in a transaction. Raises `LeaseLost` when somebody else has the duty."""
        in_time = session.get_bind().dialect.name == "postgresql"
        found = (_FENCE_IN_TIME if in_time else _FENCE).rows(session, of=self.name)
        if not found or found[0][0] != self.fence:
            self.lost = True
            raise LeaseLost(self.name)


def of_pbx(name: str) -> str:
    """The lease under which one gateway has that PBX."""
    return f"pbx:{name}"


def acquire(session: Session, name: str, holder: str, now: int) -> int | None:
    """Takes the duty if it is free, expired, or held by a dead process of the holder's seat.

    `holder` is `seat:process`. Answers the new fence, or None while somebody has it.
    """
    now = _now(session, now)
    row = session.get(LeaseRow, name, with_for_update=True)
    if row is None:
        row = LeaseRow(name=name, holder="", fence=0, expires_at=0)
        session.add(row)
    elif row.expires_at > now and row.holder.partition(":")[0] != holder.partition(":")[0]:
        return None
    row.holder, row.fence, row.expires_at = holder, row.fence + 1, now + LASTS_US
    session.flush()
    return row.fence


def renew(session: Session, name: str, fence: int, now: int) -> bool:
    """Holds the duty for longer; False when the fence is gone."""
    return _until(session, name, fence, _now(session, now) + LASTS_US)


def release(session: Session, name: str, fence: int) -> bool:
    """Lets the next one take it at once; False when the fence is gone."""
    return _until(session, name, fence, 0)


def _until(session: Session, name: str, fence: int, at: int) -> bool:
    found = session.execute(
        update(LeaseRow)
        .where(LeaseRow.name == name, LeaseRow.fence == fence)
        .values(expires_at=at)
        .returning(LeaseRow.name)
    )
    return found.first() is not None


def _now(session: Session, now: int) -> int:
    if session.get_bind().dialect.name != "postgresql":
        return now
    asked = text("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)")
    return int(session.execute(asked).scalar_one())


class Seat:
    """Where a process does a duty from: a file it locks, and the name written in it."""

    def __init__(self, directory: Path, name: str) -> None:
        """Sits down; where another process sits already, on a seat of its own for this once."""
        directory.mkdir(parents=True, exist_ok=True)
        self._file = os.open(directory / quote(name, safe=""), os.O_RDWR | os.O_CREAT, 0o600)
        seat = secrets.token_hex(8)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            seat = os.pread(self._file, 16, 0).decode("ascii", "replace") or seat
            os.pwrite(self._file, seat.encode(), 0)
        except BlockingIOError:
            pass
        # The process, in words that whoever looks at `pbx status` knows it by.
        self.holder = f"{seat}:{socket.gethostname()[:40]}/{os.getpid()}"

    def leave(self) -> None:
        """Gets up: the next process of this place sits here."""
        os.close(self._file)


class Duty:
    """Does `work` whenever the lease of that name is ours, again and again, until cancelled."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], int],
        seats: Path,
        name: str,
        work: Callable[[Lease], Awaitable[None]],
    ) -> None:
        self._database = database
        self._clock = clock
        self._seats = seats
        self._name = name
        self._work = work

    async def run(self) -> None:
        """Ends when `work` does, and raises what it raises while the lease is held."""
        seat = Seat(self._seats, self._name)
        # A thread of our own: those of the loop may all be waiting for a slow database.
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="lease")
        try:
            while (lease := await self._acquired(seat.holder)) is not None:
                log.info("%s: ours (fence %d)", self._name, lease.fence)
                if await self._held(lease):
                    return
                log.warning("%s: somebody else has it now", self._name)
        finally:
            self._threads.shutdown(wait=False)
            seat.leave()

    async def _acquired(self, holder: str) -> Lease | None:
        while True:
            try:
                fence = await self._in_thread(
                    lambda session: acquire(session, self._name, holder, self._clock())
                )
                if fence is not None:
                    return Lease(self._name, fence)
            except SQLAlchemyError as error:
                log.warning("%s: not to be had yet: %s", self._name, type(error).__name__)
            await asyncio.sleep(TRY_S)

    async def _held(self, lease: Lease) -> bool:
        """Works under the lease; True when the work ended by itself, False when it was lost."""
        working = asyncio.ensure_future(self._work(lease))
        renewing = asyncio.create_task(self._renew(lease))
        try:
            await asyncio.wait([working, renewing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            working.cancel()
            await asyncio.wait([working])  # what it holds is written under a lease still renewed
            renewing.cancel()
            await asyncio.wait([renewing])
            await self._release(lease)
        if lease.lost:
            return False
        await working
        return True

    async def _renew(self, lease: Lease) -> None:
        """Until the lease is found lost."""
        while not lease.lost:
            await asyncio.sleep(RENEW_S)
            try:
                lease.lost |= not await self._in_thread(
                    lambda session: renew(session, lease.name, lease.fence, self._clock())
                )
            except SQLAlchemyError as error:
                log.warning("%s: not renewed: %s", self._name, type(error).__name__)

    async def _release(self, lease: Lease) -> None:
        try:
            await self._in_thread(lambda session: release(session, lease.name, lease.fence))
        except SQLAlchemyError as error:
            log.warning("%s: not released: %s", self._name, type(error).__name__)

    async def _in_thread(self, act: Callable[[Session], T]) -> T:
        def done() -> T:
            with self._database.begin() as session:
                return act(session)

        return await asyncio.get_running_loop().run_in_executor(self._threads, done)
