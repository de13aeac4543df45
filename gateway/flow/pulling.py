"""Departments that fetch their messages over HTTPS: lending, settling, waiting for what comes.

Their messages lie in the embedded queues whatever broker there is. A program shows its machine key
(`people.machines`); whoever asks gets its own department's messages and settles those it holds.
Always holds: what was handed out and is not settled comes again when its lease ends; who waits is
woken by the commit that brings something (`bells`), or when a lease ends, and asks the database no
more often than that; a message is lent to nobody who has hung up meanwhile.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from gateway import bells, notices
from gateway.errors import Conflict, TooBusy
from gateway.flow import desks
from gateway.notices import Subscription
from gateway.parts import Parts
from gateway.people.machines import Machine
from gateway.tables import DepartmentRow
from queueing import pulling, rejections, topology
from queueing.pulling import Ending, Lent
from queueing.tables import EmbeddedQueueRow
from queueing.waiting import finish

SECOND_US: Final = 1_000_000
AT_ONCE: Final = 16
"""Requests of one department that wait in one process."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a program asks for: how many at most, how long it waits, and how long it may hold."""

    most: int
    wait_s: float
    lease_s: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a program ends one lease."""

    message: int
    lease: int
    how: Ending


def open_queue(session: Session, code: str) -> None:
    """Have the queue of a department that pulls, before anything is sent to it, and the one for
    what it gives up."""
    for name in (topology.department_queue(code), topology.PARKED):
        if session.get(EmbeddedQueueRow, name) is None:
            session.add(EmbeddedQueueRow(name=name))


class Waiting:
    """Who waits in this process just now: of each department a bounded number. For one loop."""

    def __init__(self) -> None:
        self._of: Counter[str] = Counter()

    @contextmanager
    def place(self, department: str) -> Iterator[None]:
        """One of the department's places, for as long as the block lasts.

        Raises:
            TooBusy: they are all taken.
        """
        if self._of[department] >= AT_ONCE:
            raise TooBusy(
                f"本部门已有 {AT_ONCE} 个请求在等待，请先等其返回。 "
                f"{AT_ONCE} requests of this department wait already: wait for one of them."
            )
        self._of[department] += 1
        try:
            yield
        finally:
            self._of[department] -= 1


async def pull(
    parts: Parts,
    who: Machine,
    wish: Wish,
    gone: Callable[[], Awaitable[bool]],
    waiting: Waiting,
) -> list[Lent]:
    """The next messages, at once or as soon as there are any; nothing when the wait is over.

    `gone`: whether the asker has hung up.

    Raises:
        Conflict: the department does not fetch its messages.
        TooBusy: too many of its requests wait already.
    """
    lent, _ = await finish(asyncio.to_thread(_lend, parts, who, wish))
    if lent or not wish.wait_s:
        return lent
    with waiting.place(who.department):
        return await _waited(parts, who, wish, gone)


async def _waited(
    parts: Parts, who: Machine, wish: Wish, gone: Callable[[], Awaitable[bool]]
) -> list[Lent]:
    loop = asyncio.get_running_loop()
    until = loop.time() + wish.wait_s
    async with parts.hub.subscribe((bells.QUEUE,)) as told:
        while not await gone():
            lent, again_at = await finish(asyncio.to_thread(_lend, parts, who, wish))
            left = until - loop.time()
            if lent or left <= 0:
                return lent
            rest = left if again_at is None else min(left, (again_at - parts.clock()) / SECOND_US)
            if not await _woken(told, topology.department_queue(who.department), max(rest, 0)):
                until = 0  # the process stops, or too much happened at once: one more look
    return []


async def _woken(told: Subscription, queue: str, seconds: float) -> bool:
    """Wait until something happens to this queue, or so long; False where nobody is told more."""
    try:
        async with asyncio.timeout(seconds):
            async for notice in told:
                if notice.ref == queue:
                    return True
    except TimeoutError:
        return True
    return False


def _lend(parts: Parts, who: Machine, wish: Wish) -> tuple[list[Lent], int | None]:
    """What there is, lent; otherwise when the first that is lent comes again (µs)."""
    queue = topology.department_queue(who.department)
    with parts.database.reading() as session:
        check(session, who)
        seen = pulling.look(session, queue, parts.clock())
    if not seen.ids:
        return [], seen.again_at
    with parts.database.begin() as session:
        lasts = wish.lease_s * SECOND_US
        now = parts.clock()
        lent = pulling.lend(session, queue, most=wish.most, lasts_us=lasts, now=now)
        return lent, None if lent else pulling.look(session, queue, now).again_at


def settle(
    session: Session, who: Machine, settlements: Sequence[Settlement], now: int
) -> list[bool]:
    """End these leases, each for itself; whether it was held. What was lent is settled also where
    the department fetches no more: it has it, and need not get it twice."""
    queue = topology.department_queue(who.department)
    ended = []
    for one in settlements:
        body = pulling.settle(session, queue, one.message, one.lease, one.how, now)
        ended.append(body is not None)
        if body is not None and one.how == "ack":
            desks.delivered(session, rejections.glimpse(body).work_order, now)
    if any(ended):
        notices.tell(session, bells.QUEUE, "settled", queue)  # what waited behind may be lent
    return ended


def check(session: Session, who: Machine) -> None:
    """Whether this program's department works this way.

    Raises:
        Conflict: it does not.
    """
    row = session.get_one(DepartmentRow, who.department)
    if row.mode != "pull":
        raise Conflict(
            f"{who.department} 的消息不在此处领取（方式为 {row.mode}）。 "
            f"{who.department} does not fetch its messages here (its mode is {row.mode})."
        )
