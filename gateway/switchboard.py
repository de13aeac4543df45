"""One PBX: its link, its calls, and what the link missed made good from the PBX's own log.

Each batch becomes rows, facts and tickets in one transaction (DESIGN §3, promise 2). The log (CEL)
is read on from a stored mark: at once when an interval without the link waits to be filled, and now
and then otherwise, so that the mark keeps up and a reading after a gap is short. The mark moves in
a transaction after all that was read; it never passes a call that an interval, open or still to
come, may ask for. A long interval is filled a portion in each turn: live events go in between.

Everything is written under a lease: of several gateways one has the PBX, and one that has lost it
writes nothing more. What it could not commit lies in a file named by its fence; only the very next
holder, on the same machine, goes on with it: where somebody else was in between, those minutes are
an interval that was filled from CEL. Nothing is decided here about calls or tickets.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from gateway.errors import BadSetting, LeaseLost
from gateway.exchange import Exchange
from gateway.flow import intake, promises, wallboard
from gateway.lease import Lease
from gateway.parts import Parts
from gateway.poison import Suspect, described
from telephony import backfill, cel_source, journal, links, marks, spill
from telephony.backfill import Filling
from telephony.batch import Batch
from telephony.board import Board
from telephony.cel_log import Reading
from telephony.errors import Superseded, TelephonyError
from telephony.facts import Fact
from telephony.line import Line
from telephony.tables import LinkStateRow

log = logging.getLogger(__name__)

LOOK_FOR_GAPS_S = 2.0
READ_ON_US = 60_000_000  # how far the mark may lag behind while nothing is missed
CEL_AGAIN_S = 30.0  # a log that cannot be read is looked at again, and said each time
SNAPSHOT_AGAIN_US = 60_000_000
CEL_SETTLES_US = 10_000_000  # the PBX writes a line within this of its stamp, and the file is here


class Switchboard:
    """The duty at one PBX under `lease`; `run` until cancelled."""

    def __init__(self, parts: Parts, exchange: Exchange, lease: Lease) -> None:
        self._parts = parts
        self._exchange = exchange
        self._lease = lease
        self._pbx = exchange.name
        self._turn = asyncio.Lock()  # one at a time changes what is known of calls
        self._read_at = 0
        self._suspect = Suspect()
        self._failing = False  # a call of a gap cannot be worked
        self._snapshot_due, self._snapshot_at = False, 0

    async def run(self) -> None:
        """Listens and makes good. Raises `BadSetting` where its address is not set."""
        address = self._exchange.address
        if address is None:
            raise BadSetting("HOTLINE_PBX_URL 未设置。 HOTLINE_PBX_URL is not set.")
        self._board = await asyncio.to_thread(self._load)
        self._line = Line(
            address,
            pbx=self._pbx,
            on_batch=self._on_batch,
            clock=self._parts.clock,
            spill=await asyncio.to_thread(self._spill),
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(self._line.run())
            group.create_task(self._keep_complete())
            if self._exchange.control is not None:
                group.create_task(promises.keep(self._parts, self._exchange))

    def _load(self) -> Board:
        with self._parts.database.reading() as session:
            return Board.load(session, self._pbx, self._exchange.inbound)

    async def _on_batch(self, batch: Batch) -> None:
        async with self._turn:
            try:
                await asyncio.to_thread(self._take_or_set_aside, batch)
            except LeaseLost as lost:
                raise Superseded(str(lost)) from lost

    def _spill(self) -> Path:
        """Our file; that of the fence before ours becomes it, older ones are of no use any more."""
        folder, fence = self._parts.settings.state / "spill", self._lease.fence
        ours = folder / spill.name(self._pbx, fence)
        for file in spill.files(folder, self._pbx):
            if file.name == spill.name(self._pbx, fence - 1):
                file.rename(ours)
            elif file != ours:
                file.unlink(missing_ok=True)
        return ours

    def _take_or_set_aside(self, batch: Batch) -> None:
        try:
            self._take(batch)
        except LeaseLost:
            raise
        except Exception as error:
            if not self._suspect.proven(batch, error):
                raise
            self._set_aside(batch, described(error))

    def _set_aside(self, batch: Batch, why: str) -> None:
        """Into the journal, for somebody to look at. What it told is made good like an interval
        that was not heard, until now: from a snapshot, and from CEL."""
        now = self._parts.clock()
        with self._parts.database.begin() as session:
            self._lease.check(session)
            journal.set_aside(session, self._pbx, batch, why, now)
            links.passed_over(session, self._pbx, replace(batch, received_at=now))
        self._snapshot_due = True
        log.error(
            "PBX %s: %d messages cannot be worked (%s); set aside, see hotline pbx status",
            self._pbx,
            len(batch.messages),
            why,
        )

    async def _look_again(self) -> None:
        """Asks for a snapshot where a batch was set aside; not too often, for a snapshot may be
        poison, too."""
        now = self._parts.clock()
        if self._snapshot_due and now >= self._snapshot_at + SNAPSHOT_AGAIN_US:
            self._snapshot_due, self._snapshot_at = False, now
            await self._line.begin_anew()

    def _take(self, batch: Batch) -> None:
        with self._parts.database.begin() as session:
            self._lease.check(session)
            intake.take(session, self._board.take(session, batch))
            wallboard.told(session, self._pbx, self._board.moved, batch.change)
        self._board.confirm()

    async def _keep_complete(self) -> NoReturn:
        """Fill the intervals in which the link was down, as soon as CEL can be read past them."""
        while True:
            await asyncio.sleep(LOOK_FOR_GAPS_S)
            await self._look_again()
            try:
                # A long log is read while calls go on; what it tells waits for its turn.
                until = self._parts.clock() - CEL_SETTLES_US
                reading = await asyncio.to_thread(self._read_on)
                if reading is not None:
                    self._failing = False
                    await self._fill(reading, until)
                    await asyncio.sleep(CEL_AGAIN_S if self._failing else 0)
            except (TelephonyError, OSError, SQLAlchemyError) as error:
                log.warning("gaps not filled from CEL: %s", type(error).__name__)
                await asyncio.sleep(CEL_AGAIN_S)

    def _read_on(self) -> Reading | None:
        """What the log says since the mark; None while there is no need to look."""
        exchange, now = self._exchange, self._parts.clock()
        with self._parts.database.reading() as session:
            missed = bool(backfill.pending(session, self._pbx))
            idle = not cel_source.begun(exchange.cel) or now < self._read_at + READ_ON_US
            if not missed and idle:
                return None
            mark = marks.find(session, self._pbx)
            state = session.get(LinkStateRow, self._pbx)
            heard_at = state.last_packet_at if state is not None else 0
            wanted = [heard_at, *(gap.began_at for gap in links.gaps(session, self._pbx))]
        reading = cel_source.read_on(
            exchange.cel,
            mark,
            exchange.inbound,
            settled_at=min(wanted) - backfill.CLOCKS_APART_US,
            utc_offset_min=exchange.cel_utc_offset_min,
        )
        if reading.lost:
            log.warning("PBX %s: the CEL read last is gone; read all that is left", self._pbx)
        self._read_at = now
        return reading

    def _tell(self, session: Session, facts: Sequence[Fact]) -> None:
        try:
            intake.take(session, facts)
        except Exception:
            self._failing = True
            raise

    async def _fill(self, reading: Reading, until: int) -> None:
        """A portion in each turn: what is live, a snapshot first of all, goes in between."""
        now = self._parts.clock()
        for filling in await asyncio.to_thread(self._fillings, reading, until, now):
            while not filling.done:
                async with self._turn:
                    await asyncio.to_thread(self._go_on, filling)
        async with self._turn:
            await asyncio.to_thread(self._keep_mark, reading, now)

    def _fillings(self, reading: Reading, until: int, now: int) -> list[Filling]:
        with self._parts.database.reading() as session:
            return backfill.fillings(
                session, self._pbx, reading.calls, read_until_at=until, now=now
            )

    def _go_on(self, filling: Filling) -> None:
        with self._parts.database.begin() as session:
            self._lease.check(session)
            filling.go_on(session, lambda facts: self._tell(session, facts))

    def _keep_mark(self, reading: Reading, now: int) -> None:
        with self._parts.database.begin() as session:
            self._lease.check(session)
            marks.keep(session, self._pbx, reading, now)
