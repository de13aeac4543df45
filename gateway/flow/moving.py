"""A department changes the way it works: at our desk page, by the broker, or fetching over HTTPS.

The change is one row and a line of the log. What it left in the old way is looked for as long as we
run, whoever made the change and whenever: where there is a broker, the departments that fetch have
their queue there emptied, and the others theirs in the database, each into the outbox, from which
it goes out by the new way (`queueing.moving`). Where there is none, all ways read the same queue,
and nothing has to be moved. What was delivered already is not sent again: at the desk page it can
be answered whatever the way; what a program holds it may settle.
"""

import asyncio
import logging
from functools import partial
from typing import NoReturn

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from gateway.database import Database
from gateway.errors import BadInput
from gateway.flow import desks, log, pulling
from gateway.parts import Clock
from gateway.tables import DepartmentRow
from queueing import moving
from queueing.moving import Drain
from queueing.transport import Transport

logger = logging.getLogger(__name__)

LOOK_S = 2.0


def change(session: Session, code: str, mode: str, *, by: str, origin: str, now: int) -> str:
    """From now on the department works this way; the one it had. The same again changes nothing.

    Raises:
        BadInput: there is no such department.
    """
    row = session.get(DepartmentRow, code, with_for_update=True)
    if row is None:
        raise BadInput({"code": "没有这个部门。 There is no such department."})
    before = row.mode
    if mode != before:
        row.mode = mode
        if mode == "pull":
            pulling.open_queue(session, code)
        log.note(session, "people:department:mode", actor=by, origin=origin,
                 obj=f"department:{code}", outcome="ok", now=now,
                 detail={"from": before, "to": mode})  # fmt: skip
    return before


async def run(database: Database, transport: Transport, clock: Clock) -> NoReturn:
    """Beside a broker: look for what lies in a way its department does not read, until cancelled.
    What goes wrong is said and tried again."""
    drains: dict[str, asyncio.Task[NoReturn]] = {}
    try:
        while True:
            try:
                fetching = set(await asyncio.to_thread(_turn, database, clock()))
            except SQLAlchemyError as error:
                logger.warning("ways of departments: %s", type(error).__name__)
                await asyncio.sleep(LOOK_S)
                continue
            await desks.end(drains.pop(code) for code in drains.keys() - fetching)
            for code in fetching - drains.keys():
                drain = Drain(database.begin, transport, clock, code, partial(_fetches, code))
                drains[code] = asyncio.create_task(desks.guarded(f"way {code}", drain.run))
            await asyncio.sleep(LOOK_S)
    finally:
        await desks.end(drains.values())


def _turn(database: Database, now: int) -> list[str]:
    """Take back what lies in the database for departments that do not fetch; those that do."""
    with database.reading() as session:
        fetching = desks.pulling(session)
        behind = moving.left_behind(session, desks.at_the_broker(session))
    for code in behind:
        with database.begin() as session:
            moved = 0 if _fetches(code, session) else moving.take_back(session, code, now)
        if moved:
            logger.info("department %s: %d messages go out by its new way", code, moved)
    return fetching


def _fetches(code: str, session: Session) -> bool:
    """Whether the department fetches; that does not change until the transaction ends."""
    row = session.get(DepartmentRow, code, with_for_update={"read": True})
    return row is not None and row.mode == "pull"
