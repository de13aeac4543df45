"""Who waits for a commit is woken by it: the relay when a message is to be sent, a reader of the
database's own queues when one has come.

Every such row notes a notice on the session that adds it, whoever adds it, so it goes the way of
all notices: after the commit, to this process and to the others (`broadcast`). `listen` rings the
bells for them. A notice that is lost costs the two seconds until the next look.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, NoReturn

from sqlalchemy import event
from sqlalchemy.orm import object_session

from gateway import notices
from gateway.notices import Hub
from queueing.tables import EmbeddedRow, OutboxDueRow
from queueing.waiting import Bell

OUTBOX: Final = "outbox"
QUEUE: Final = "queue"
AGAIN_S: Final = 0.2  # before subscribing again after too many notices at once


@event.listens_for(OutboxDueRow, "after_insert")
def _to_be_sent(_mapper: Any, _connection: Any, row: OutboxDueRow) -> None:  # noqa: ANN401 - theirs
    if (session := object_session(row)) is not None:
        notices.tell(session, OUTBOX, "due", row.department)


@event.listens_for(EmbeddedRow, "after_insert")
def _has_come(_mapper: Any, _connection: Any, row: EmbeddedRow) -> None:  # noqa: ANN401 - theirs
    if (session := object_session(row)) is not None:
        notices.tell(session, QUEUE, "come", row.queue)


async def listen(hub: Hub, outbox: Bell, queue: Callable[[str], None]) -> NoReturn:
    """Ring `outbox`, and `queue` by its name, for what this and the other processes commit."""
    while True:
        async with hub.subscribe((OUTBOX, QUEUE)) as told:
            outbox.ring()
            async for notice in told:
                if notice.topic == OUTBOX:
                    outbox.ring()
                else:
                    queue(notice.ref)
        await asyncio.sleep(AGAIN_S)
