"""Messages that lie in a queue their department reads no more: sent again by the way it reads now.

A department that changes its way leaves messages in the old one: at the broker, when it begins to
fetch; in the database's queues, when it begins to read the broker. Each stands in the outbox: there
it is marked to be sent once more, under the key it always had, and the relay of the new way brings
it, before what comes later of its ticket and is not sent yet.
Always holds: none is lost. Out of the database's queues it goes in one transaction, so none comes
twice; what is lent to a program is left to it until its lease ends, and with it what waits behind
it. At the broker a copy is acked after its mark is committed: a death between the two sends it
twice under one key, as a relay's death does. Whoever had the row in hand for the old way marks
nothing more. What is not of the outbox is parked for a person to see.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import aclosing
from functools import partial
from typing import Final, NoReturn

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from queueing import due, parked, pulling, telling, topology
from queueing.outbox import Begin, Clock
from queueing.persistence import until_done
from queueing.tables import EmbeddedQueueRow, EmbeddedRow
from queueing.transport import Delivery, Transport

PAGE: Final = 200
REST_S: Final = 2.0  # whoever runs a drain ends it, as soon
STRAY: Final = (
    "留在部门已不再读取的队列里，且不是本系统发出的。 "
    "Left in a queue that its department reads no more, and not sent by this house."
)


class Drain:
    """Empties one department's queue at the broker into the outbox, as long as the department
    reads it no more (`still`, asked in each message's own transaction); `run` until cancelled."""

    def __init__(
        self,
        begin: Begin,
        transport: Transport,
        clock: Clock,
        department: str,
        still: Callable[[Session], bool],
    ) -> None:
        self._begin = begin
        self._transport = transport
        self._clock = clock
        self._queue = topology.department_queue(department)
        self._still = still
        self._over = False

    async def run(self) -> NoReturn:
        """Message after message; each is acked after its mark is committed. Where the department
        has come to read its queue again, what was taken from it goes back, and we rest."""
        while True:
            self._over = False
            async with aclosing(self._transport.deliveries(self._queue)) as arriving:
                async for one in arriving:
                    step = partial(self._resend, one)
                    await until_done(step, partial(self._park, one), self._well)
                    if self._over:
                        await one.requeue()
                        break
                    await one.ack()
            await asyncio.sleep(REST_S)

    def _resend(self, one: Delivery) -> None:
        with self._begin() as session:
            self._over = not self._still(session)
            if not self._over:
                _resend(session, one.routing_key, one.dedupe_key, one.body, self._clock())

    def _park(self, one: Delivery, problem: Exception) -> None:
        with self._begin() as session:
            _keep(session, one.routing_key, one.body, type(problem).__name__, self._clock())

    def _well(self) -> None:
        telling.stumbled(self._begin, "moved")


def left_behind(session: Session, departments: Iterable[str]) -> list[str]:
    """Those of these departments that have messages in the database's queues. Reads only."""
    queues = {topology.department_queue(code): code for code in departments}
    lies = exists().where(EmbeddedRow.queue == EmbeddedQueueRow.name)
    named = select(EmbeddedQueueRow.name).where(EmbeddedQueueRow.name.in_(queues), lies)
    return sorted(queues[queue] for queue in session.scalars(named))


def take_back(session: Session, department: str, now: int) -> int:
    """Have what lies in the database's queue for this department, and is not lent, sent by another
    way; how many that were."""
    queue = topology.department_queue(department)
    turn = select(EmbeddedQueueRow).where(EmbeddedQueueRow.name == queue)
    if session.scalar(turn.with_for_update(key_share=True)) is None:
        return 0
    moved = 0
    while ids := pulling.look(session, queue, now, PAGE).ids:
        wanted = select(EmbeddedRow).where(EmbeddedRow.id.in_(ids)).order_by(EmbeddedRow.id)
        for row in session.scalars(wanted.with_for_update()):
            _resend(session, row.routing_key, row.dedupe_key, row.body, now)
            session.delete(row)
            moved += 1
        session.flush()
    return moved


def _resend(session: Session, routing_key: str, dedupe_key: str, body: bytes, now: int) -> None:
    if not due.anew(session, dedupe_key, now):
        _keep(session, routing_key, body, STRAY, now)


def _keep(session: Session, routing_key: str, body: bytes, reason: str, now: int) -> None:
    parked.park_dead(
        session, routing_key=routing_key, dedupe_key="", body=body, reason=reason, now=now
    )
