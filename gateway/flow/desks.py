"""The departments' side that we keep for them: queues for all, desks for those without a system.

Every department has its queue. One with a system of its own reads it itself; for one that works at
our desk page (mode `desk`) this is the program that reads: a work order that has arrived is marked
delivered, and acked after that is committed. So a work order goes the same way whoever answers it,
and "delivered" means the same. Departments added while we run are met within seconds, and a desk
ends as soon when its department comes to work by a system of its own: from then on the queue is
that system's. What goes wrong at one desk is said and tried again, and touches no other.
"""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import aclosing
from typing import NoReturn

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from gateway import notices
from gateway.database import Database
from gateway.parts import Clock
from gateway.tables import DepartmentRow, WorkOrderRow
from queueing.department import Department
from queueing.errors import QueueingError
from queueing.transport import Transport
from queueing.waiting import finish

log = logging.getLogger(__name__)

LOOK_S = 2.0


def modes(database: Database) -> dict[str, str]:
    """Every department's code and how it works."""
    with database.reading() as session:
        return {row.code: row.mode for row in session.scalars(select(DepartmentRow))}


def pulling(session: Session) -> list[str]:
    """The departments whose messages lie in the database whatever broker there is."""
    return _codes(session, pulls=True)


def at_the_broker(session: Session) -> list[str]:
    """All the others, where there is a broker."""
    return _codes(session, pulls=False)


def _codes(session: Session, *, pulls: bool) -> list[str]:
    mode = DepartmentRow.mode
    wanted = mode == "pull" if pulls else mode != "pull"
    return list(session.scalars(select(DepartmentRow.code).where(wanted)))


def speaker(session: Session, code: str) -> str | None:
    """The broker's account this department's replies must come under; empty: it has none of its
    own; None: there is no such department."""
    row = session.get(DepartmentRow, code)
    return None if row is None else row.amqp_user or ""


async def declare(database: Database, transport: Transport) -> set[str]:
    """Have every department's queue; what the broker or the database cannot do now is said, and
    later tried again."""
    try:
        codes = set(await asyncio.to_thread(modes, database))
        await transport.declare(codes)
    except (QueueingError, SQLAlchemyError) as error:
        log.warning("queues not declared: %s", type(error).__name__)
        return set()
    return codes


async def run(database: Database, transport: Transport, clock: Clock) -> NoReturn:
    """Meet new departments, and keep the desks, until cancelled."""
    declared: set[str] = set()
    desks: dict[str, asyncio.Task[NoReturn]] = {}
    try:
        while True:
            try:
                known = await asyncio.to_thread(modes, database)
            except SQLAlchemyError as error:
                log.warning("departments cannot be read: %s", type(error).__name__)
                await asyncio.sleep(LOOK_S)
                continue
            if not known.keys() <= declared:
                declared |= await declare(database, transport)
            ours = {code for code in declared if known.get(code) == "desk"}
            await _end(desks.pop(code) for code in desks.keys() - ours)
            for code in ours - desks.keys():
                desks[code] = asyncio.create_task(_guarded(database, transport, clock, code))
            await asyncio.sleep(LOOK_S)
    finally:
        await _end(desks.values())


async def _end(tasks: Iterable[asyncio.Task[NoReturn]]) -> None:
    """Stop keeping these desks: what lies in their queues is their department's own to take."""
    ended = list(tasks)
    for task in ended:
        task.cancel()
    await asyncio.gather(*ended, return_exceptions=True)


async def _guarded(database: Database, transport: Transport, clock: Clock, code: str) -> NoReturn:
    """One desk, begun again whatever happens at it: it must not end the others, nor the process."""
    while True:
        try:
            await _keep(database, transport, clock, code)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other desks go on
            log.error("desk %s: %s; begun again", code, type(error).__name__)  # noqa: TRY400
        await asyncio.sleep(LOOK_S)


async def _keep(database: Database, transport: Transport, clock: Clock, code: str) -> None:
    """One desk: what arrives is marked, then acked."""
    async with aclosing(Department(code, transport, clock).orders()) as arriving:
        async for order in arriving:
            await _marked(database, clock, code, order.message.work_order)
            await order.ack()


async def _marked(database: Database, clock: Clock, code: str, number: str) -> None:
    """Until the database has it. Given back, it would count as a failed delivery: forty seconds
    without a database would park it."""
    while True:
        try:
            await finish(asyncio.to_thread(_delivered, database, number, clock()))
        except SQLAlchemyError as error:
            log.warning("desk %s: %s", code, type(error).__name__)
            await asyncio.sleep(LOOK_S)
        else:
            return


def _delivered(database: Database, number: str, now: int) -> None:
    with database.begin() as session:
        delivered(session, number, now)


def delivered(session: Session, number: str, now: int) -> None:
    """The work order of this number, if there is one, has arrived; only the first time counts."""
    row = session.scalar(
        select(WorkOrderRow).where(WorkOrderRow.number == number).with_for_update()
    )
    if row is not None and row.delivered_at is None:
        row.delivered_at = now
        notices.tell(session, f"department:{row.department}", "delivered", number)
