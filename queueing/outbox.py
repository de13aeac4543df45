"""What goes out, committed together with what it tells of.

`put` writes what was said, for good, and beside it that it is to be sent (`due`).
Always holds: `put` needs the caller's open transaction and cannot open one. Whoever puts two
messages under one ordering key holds a lock on the ticket meanwhile: ids are given out at insert,
not at commit, and of each ordering key the lowest id leaves first.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from sqlalchemy.orm import Session

from queueing import messages, topology
from queueing.errors import NoTransaction, Rejected
from queueing.tables import OutboxDueRow, OutboxRow

Begin = Callable[[], AbstractContextManager[Session]]
"""Opens a unit of work: commits when its block ends well, undoes it on an exception."""
Clock = Callable[[], int]
"""µs since the epoch, UTC."""

SOURCE: Final = "urn:12333:hotline"
"""The CloudEvents source of everything the gateway sends."""


def put(
    session: Session,
    message: messages.OutMessage | messages.ReplyRejected | messages.ConnectionTested,
    *,
    department: str,
    ordering_key: str,
    dedupe_key: str,
    now: int,
    trace: str = "",
) -> OutboxRow:
    """Queue a message for a department inside the caller's transaction.

    `dedupe_key` is its identity for good (the CloudEvents id): once only, and the same however
    often it is published. `now` is µs since the epoch; `trace` the `traceparent` of what caused
    it. Raises `NoTransaction`; `Rejected` when
    the message names another department.
    """
    if not session.in_transaction():
        raise NoTransaction
    if message.department != department:
        raise Rejected(
            "派单写明的部门与收件部门不一致。 The message names another department than its queue."
        )
    message_type = messages.type_of(message)
    row = OutboxRow(
        message_type=message_type,
        department=department,
        routing_key=topology.work_order_key(department, message_type),
        ordering_key=ordering_key,
        dedupe_key=dedupe_key,
        body=messages.encode(message, event_id=dedupe_key, source=SOURCE, time_us=now, trace=trace),
        trace=trace,
        committed_at=now,
    )
    session.add(row)
    session.flush()
    session.add(
        OutboxDueRow(id=row.id, ordering_key=ordering_key, department=department, claimable_at=now)
    )
    session.flush()
    return row
