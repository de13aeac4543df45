"""Messages that pile up: told to the administrators while the oldest waits too long, and cleared
when it has gone out; and what lies in the broker's queues, for the figures.

One alert for the house, whatever number of departments it concerns: a broker that is away is one
thing to look at. Somebody who has seen it is not told again of the same hour; when nothing waits so
long any more, what is still open is closed by itself. One gateway at a time does this, under the
duty of the replies.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, NoReturn

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from gateway.database import Database
from gateway.flow import alerts, log
from gateway.people.roles import Role
from gateway.tables import DepartmentRow
from gateway.tickets.clocks import china
from queueing import depth, looking, telling, topology
from queueing.depth import DepartmentDepth
from queueing.errors import QueueingError
from recordings.tables_log import AlertRow

logger = logging.getLogger(__name__)

KIND: Final = "outbox-late"
REF: Final = "outbox"
LATE_US: Final = 60_000_000
AGAIN_US: Final = 3_600_000_000
LOOK_S: Final = 5.0
MEASURE_S: Final = 15.0
NAMED: Final = 3


def look(session: Session, now: int) -> str | None:
    """What is to be done: `tell`, `clear`, or nothing. Reads only."""
    _, oldest_at = depth.waiting(session)
    late = oldest_at is not None and now - oldest_at > LATE_US
    told = select(AlertRow.id).where(AlertRow.kind == KIND, AlertRow.ref == REF).limit(1)
    if not late:
        is_open = session.scalar(told.where(AlertRow.seen_at.is_(None)))
        return "clear" if is_open is not None else None
    told = told.where((AlertRow.seen_at.is_(None)) | (AlertRow.at > now - AGAIN_US))
    return "tell" if session.scalar(told) is None else None


def tell(session: Session, now: int) -> None:
    """Alert the administrators: how many wait, since when, and for whom."""
    late = [one for one in depth.by_department(session) if _late(one, now)]
    if not late:
        return
    waiting = sum(one.waiting for one in late)
    since = china(min(one.oldest_at or now for one in late))
    codes = "、".join(one.department for one in late[:NAMED]) + ("…" if late[NAMED:] else "")
    english = ", ".join(one.department for one in late[:NAMED]) + ("…" if late[NAMED:] else "")
    text = (
        f"{waiting} 条消息自 {since:%H:%M:%S} 起发不出去（{codes}），请看消息服务是否正常。 "
        f"{waiting} messages for {english} wait since {since:%H:%M:%S}: look at the broker."
    )
    log.tell(session, Role.ADMINISTRATOR, KIND, REF, text, now)


def _late(one: DepartmentDepth, now: int) -> bool:
    return one.oldest_at is not None and now - one.oldest_at > LATE_US


def turn(database: Database, now: int) -> str | None:
    """One look, and what follows from it; a write only where something does."""
    with database.reading() as session:
        todo = look(session, now)
    if todo is not None:
        with database.begin() as session:
            if todo == "tell":
                tell(session, now)
            else:
                alerts.clear(session, KIND, REF, now)
    return todo


async def alarm(database: Database, clock: Callable[[], int]) -> NoReturn:
    """Look every few seconds, until cancelled; a database that is away is waited for."""
    while True:
        try:
            await asyncio.to_thread(turn, database, clock())
        except SQLAlchemyError as error:
            logger.warning("the backlog cannot be looked at: %s", type(error).__name__)
        await asyncio.sleep(LOOK_S)


async def measure(
    database: Database, where: Callable[[], str], clock: Callable[[], int]
) -> NoReturn:
    """Ask the broker, at the URL it has by then, now and then what lies in its queues; one that is
    away says nothing."""
    while True:
        try:
            found = await looking.depths(where(), await asyncio.to_thread(_queues, database))
            await asyncio.to_thread(_kept, database, found, clock())
        except (QueueingError, SQLAlchemyError) as error:
            logger.info("queues not measured: %s", type(error).__name__)
        await asyncio.sleep(MEASURE_S)


def _queues(database: Database) -> list[str]:
    with database.reading() as session:
        codes = sorted(session.scalars(select(DepartmentRow.code)))
    return [*map(topology.department_queue, codes), topology.REPLIES, topology.PARKED]


def _kept(database: Database, found: dict[str, tuple[int, int]], now: int) -> None:
    with database.begin(lasting=False) as session:
        telling.depths(session, found, now)
