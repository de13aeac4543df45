"""What goes out, committed together with what it tells of; claimed, never scanned.

A row waits until the broker has confirmed it. Of each ordering key only the lowest waiting row
may be claimed, so a ticket's messages leave in the order of their ids, one at a time; a parked
row stands aside and holds nobody up (a department ignores a lower version than the one it has).
Always holds: `put` needs the caller's open transaction and cannot open one; a claim is a lease
with a fence, and only who shows the fence marks the row; there is no "greater than the last id",
so a transaction that commits late is not skipped (DESIGN §4). Whoever puts two messages under one
ordering key holds a lock on the ticket meanwhile: ids are given out at insert, not at commit.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, literal_column, select, tuple_, update
from sqlalchemy.orm import Session, aliased

from queueing import messages, topology
from queueing.errors import NoTransaction, Rejected
from queueing.tables import OutboxRow

Begin = Callable[[], AbstractContextManager[Session]]
"""Opens a unit of work: commits when its block ends well, undoes it on an exception."""
Clock = Callable[[], int]
"""µs since the epoch, UTC."""

SOURCE: Final = "urn:12333:hotline"
"""The CloudEvents source of everything the gateway sends."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row in one relay's hands until its lease runs out; `attempts` counts this one."""

    id: int
    fence: int
    routing_key: str
    dedupe_key: str
    attempts: int
    body: bytes


def is_waiting(row: type[OutboxRow] = OutboxRow) -> ColumnElement[bool]:
    """`state = 'waiting'`, literally: with a bound value the partial index is not used."""
    return row.state == literal_column("'waiting'")


def put(
    session: Session,
    message: messages.OutMessage | messages.ReplyRejected,
    *,
    department: str,
    ordering_key: str,
    dedupe_key: str,
    now: int,
) -> OutboxRow:
    """Queue a message for a department inside the caller's transaction.

    `dedupe_key` is its identity for good (the CloudEvents id): once only, and the same however
    often it is published. `now` is µs since the epoch. Raises `NoTransaction`; `Rejected` when
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
        body=messages.encode(message, event_id=dedupe_key, source=SOURCE, time_us=now),
        committed_at=now,
        claimable_at=now,
    )
    session.add(row)
    session.flush()
    return row


def claim(session: Session, *, now: int, lease_us: int, limit: int) -> list[Claimed]:
    """Take the lowest claimable row of each ordering key, at most `limit`, for `lease_us` µs.

    One statement. On PostgreSQL rows locked by another relay are skipped; on SQLite writers are
    serialised and the lease alone holds (`SKIP LOCKED` compiles to nothing there).
    """
    earlier = aliased(OutboxRow)
    first_of_its_key = ~(
        select(earlier.id)
        .where(
            earlier.ordering_key == OutboxRow.ordering_key,
            earlier.id < OutboxRow.id,
            is_waiting(earlier),
        )
        .exists()
    )
    picked = (
        select(OutboxRow.id)
        .where(is_waiting(), OutboxRow.claimable_at <= now, first_of_its_key)
        .order_by(OutboxRow.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("picked")
    )
    rows = session.execute(
        update(OutboxRow)
        .where(OutboxRow.id.in_(select(picked.c.id)))
        .values(
            claimable_at=now + lease_us,
            fence=OutboxRow.fence + 1,
            attempts=OutboxRow.attempts + 1,
            published_at=now,
        )
        .returning(
            OutboxRow.id,
            OutboxRow.fence,
            OutboxRow.routing_key,
            OutboxRow.dedupe_key,
            OutboxRow.attempts,
            OutboxRow.body,
        )
        .execution_options(synchronize_session=False)
    )
    return sorted((Claimed(*row) for row in rows), key=lambda claimed: claimed.id)


def still_ours(claimed: Iterable[Claimed]) -> ColumnElement[bool]:
    """Of these rows, those still waiting under the fence they were claimed with."""
    pairs = [(row.id, row.fence) for row in claimed]
    return tuple_(OutboxRow.id, OutboxRow.fence).in_(pairs) & is_waiting()


def confirm(session: Session, claimed: Sequence[Claimed], now: int) -> None:
    """The broker has these; what another relay claimed meanwhile is left to that relay."""
    if claimed:
        session.execute(
            update(OutboxRow)
            .where(still_ours(claimed))
            .values(state="confirmed", confirmed_at=now, trouble=None)
            .execution_options(synchronize_session=False)
        )


def retry(session: Session, claimed: Claimed, *, claimable_at: int, trouble: str) -> None:
    """Give a row back, to be claimed again from `claimable_at` (µs) on."""
    session.execute(
        update(OutboxRow)
        .where(still_ours([claimed]))
        .values(claimable_at=claimable_at, trouble=trouble)
        .execution_options(synchronize_session=False)
    )
