"""Parked messages for those who keep the house: told within seconds, looked through, replayed.

A message that stopped is an alert to the administrators, one for each department and direction
until somebody has seen it: a thousand at once are one thing to look at. What was parked and not
told of is asked of the table every few seconds, so it is told whichever process parked it, and
once only. A replay is a person's word and in the log, whether it went well or not; each is a
transaction of its own, so that of many those that work are not undone by one that does not. A
message that is discarded instead stays, with who said so and why.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NoReturn

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from gateway.database import Database
from gateway.errors import BadInput, Conflict, Forbidden
from gateway.flow import answering, log
from gateway.people.accounts import Person
from gateway.people.roles import Permission, Role
from queueing import inbox, parked
from queueing.errors import NotParked, QueueingError
from queueing.tables import OPEN, ParkedRow

logger = logging.getLogger(__name__)

LOOK_S = 2.0
REASON_MAX = 500
REPLAY, DISCARD = "queueing:message:replay", "queueing:message:discard"
AT_ONCE = 200
"""How many are shown, and replayed by one word; the next word takes the next."""
DIRECTIONS = {
    "out": ("发不出", "not sent"),
    "in": ("回复无法采纳", "replies not taken"),
    "dead": ("部门退回队列", "given up by the department"),
}


@dataclass(frozen=True, slots=True)
class By:
    """Who says so, and from where."""

    login: str
    origin: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many went, and why others did not: each reason once."""

    done: int
    refused: dict[str, int]


def why(row: ParkedRow) -> str:
    """What all that stopped as this one did has in common: its code, else its direction."""
    return row.code or row.direction


def listed(session: Session, who: Person, department: str = "") -> list[ParkedRow]:
    """What waits for a person, the newest first; of one department where one is named.

    Raises:
        Forbidden: the role does not replay.
    """
    _keeper(who)
    return parked.unresolved(session, AT_ONCE, department)


def replay(database: Database, parked_id: int, by: By, clock: Callable[[], int]) -> None:
    """Send a parked message again, or apply a parked reply after all.

    Raises:
        QueueingError: it is not parked, or makes no more sense than before; it stays parked.
    """
    try:
        with database.begin() as session:
            now = clock()
            row = session.get(ParkedRow, parked_id)
            if row is not None and row.direction == "in":
                inbox.replay(session, parked_id, _apply(now), now)
            else:
                parked.replay(session, parked_id, now)
            _note(session, parked_id, by, "ok", now)
    except QueueingError:
        with database.begin() as session:  # what was tried is undone, not forgotten
            _note(session, parked_id, by, "failed", clock())
        raise


def discard_for(
    database: Database, who: Person, parked_id: int, reason: str, origin: str,
    clock: Callable[[], int],
) -> None:  # fmt: skip
    """Give a parked message up, by the word of somebody at the console, who says why.

    Raises:
        Forbidden: the role does not keep parked messages.
        BadInput: no reason, or one too long.
        Conflict: it is not parked, or not any more.
    """
    _keeper(who)
    discard(database, parked_id, reason, By(who.login, origin), clock)


def discard(
    database: Database, parked_id: int, reason: str, by: By, clock: Callable[[], int]
) -> None:
    """Give a parked message up: it stays, with who and why, and nothing more comes of it.

    Raises:
        BadInput: no reason, or one too long.
        Conflict: it is not parked, or not any more.
    """
    reason = reason.strip()
    if not reason or len(reason) > REASON_MAX:
        raise BadInput(
            {"reason": f"请写明作废原因，最多 {REASON_MAX} 字。 Say why, {REASON_MAX} at most."}
        )
    now = clock()
    try:
        with database.begin() as session:
            parked.discard(session, parked_id, by=by.login, reason=reason, now=now)
            _note(session, parked_id, by, "ok", now, DISCARD)
    except NotParked as error:
        raise Conflict(str(error)) from error


def replay_all(
    database: Database, department: str, by: By, clock: Callable[[], int], *, of: str = ""
) -> Replayed:
    """Replay what is parked of a department, the oldest first, at most `AT_ONCE`; where `of` is
    given, what stopped for that reason alone (see `why`).

    Raises:
        BadInput: no department is named.
    """
    if not department:
        raise BadInput({"department": "请指明部门。 Say of which department."})
    with database.reading() as session:
        waiting = [row.id for row in parked.unresolved(session, AT_ONCE, department, of)]
    done, refused = 0, Counter[str]()
    for parked_id in sorted(waiting):
        try:
            replay(database, parked_id, by, clock)
        except QueueingError as error:
            refused[str(error)] += 1
        else:
            done += 1
    return Replayed(done, dict(refused))


def replay_for(
    database: Database, who: Person, parked_id: int, origin: str, clock: Callable[[], int]
) -> None:
    """`replay` by the word of somebody at the console.

    Raises:
        Forbidden: the role does not replay.
        Conflict: it stays parked, with the reason.
    """
    _keeper(who)
    try:
        replay(database, parked_id, By(who.login, origin), clock)
    except QueueingError as error:
        raise Conflict(str(error)) from error


def replay_all_for(
    database: Database, who: Person, department: str, origin: str, clock: Callable[[], int],
    *, of: str = "",
) -> Replayed:  # fmt: skip
    """`replay_all` by the word of somebody at the console.

    Raises:
        Forbidden: the role does not replay.
    """
    _keeper(who)
    return replay_all(database, department, By(who.login, origin), clock, of=of)


def tell(session: Session, now: int) -> int:
    """Alert the administrators to what was parked since they were told; how many that were."""
    new = list(
        session.scalars(
            select(ParkedRow)
            .where(ParkedRow.alerted_at.is_(None), *OPEN)
            .order_by(ParkedRow.id)
            .limit(AT_ONCE)
            .with_for_update(skip_locked=True)
        )
    )
    for (department, direction), rows in _grouped(new):
        chinese, english = DIRECTIONS[direction]
        text = (
            f"{department or '未知部门'} 有 {len(rows)} 条消息搁置（{chinese}），请处理。 "
            f"{len(rows)} of {department or 'nobody known'} parked ({english}): see /parked."
        )
        ref = f"{direction}:{department}"
        log.tell(session, Role.ADMINISTRATOR, "message-parked", ref, text, now)
        for row in rows:
            row.alerted_at = now
    return len(new)


async def alarm(database: Database, clock: Callable[[], int]) -> NoReturn:
    """Tell every few seconds, until cancelled; a database that is away is waited for."""
    while True:
        try:
            if await asyncio.to_thread(_untold, database):
                await asyncio.to_thread(_told, database, clock)
        except SQLAlchemyError as error:
            logger.warning("parked messages cannot be told of: %s", type(error).__name__)
        await asyncio.sleep(LOOK_S)


def _untold(database: Database) -> bool:
    with database.reading() as session:
        return parked.untold(session)


def _told(database: Database, clock: Callable[[], int]) -> None:
    with database.begin() as session:
        tell(session, clock())


def _grouped(
    rows: Iterable[ParkedRow],
) -> Iterable[tuple[tuple[str, str], list[ParkedRow]]]:
    groups: dict[tuple[str, str], list[ParkedRow]] = {}
    for row in rows:
        groups.setdefault((row.department, row.direction), []).append(row)
    return groups.items()


def _apply(now: int) -> inbox.Handler:
    return lambda session, replies: answering.apply(session, replies, now)


def _keeper(who: Person) -> None:
    if not who.may(Permission.PARKED_REPLAY):
        raise Forbidden


def _note(
    session: Session, parked_id: int, by: By, outcome: str, now: int, act: str = REPLAY
) -> None:
    log.note(session, act, actor=by.login, origin=by.origin,
             obj=f"parked:{parked_id}", outcome=outcome, now=now)  # fmt: skip
