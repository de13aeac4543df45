"""The embedded queues over requests and answers: messages lent for a while, then settled.

Who cannot keep a connection open asks again and again (the gateway's HTTPS API). Each answer lends
messages under a lease: the row's id and its fence. Several may ask side by side.
Always holds: of each ordering key only the lowest message is lent, so a ticket's messages come in
their order whatever is settled when; a lease that ran out settles nothing, its message comes again;
a message delivered more than `DELIVERY_LIMIT` times goes to the parked queue, where deliveries that
were given back do not count.
The ordering key is the outbox's, found by the dedupe key; messages that are not from there are one
key together, in the order of their ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from queueing.tables import EmbeddedQueueRow, EmbeddedRow, OutboxRow
from queueing.topology import DELIVERY_LIMIT, PARKED

PAGE: Final = 200
"""Rows looked at together on the way to the first that may be lent."""

Ending = Literal["ack", "fail", "give_back", "reject"]
"""ack: done, it will not come again · fail: it comes again, and counts · give_back: it comes again
and does not count · reject: never, it goes to the parked queue"""


@dataclass(frozen=True, slots=True)
class Lent:
    """A message in somebody's hands until `until` (µs); `times` counts its deliveries."""

    id: int
    lease: int
    times: int
    until: int
    routing_key: str
    dedupe_key: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Look:
    """What may be lent now, by id; and when (µs) the first of those that are lent comes again."""

    ids: Sequence[int]
    again_at: int | None


def look(session: Session, queue: str, now: int, most: int = 1) -> Look:
    """What a `lend` would find now. Reads only."""
    ids: list[int] = []
    held: set[str] = set()
    again: list[int] = []
    last = 0
    while len(ids) < most and (page := _page(session, queue, last)):
        for last, key, claimable_at in page:
            if key in held:
                continue
            held.add(key)
            if claimable_at > now:
                again.append(claimable_at)
            elif len(ids) < most:
                ids.append(last)
    return Look(ids, min(again, default=None))


def lend(session: Session, queue: str, *, most: int, lasts_us: int, now: int) -> list[Lent]:
    """Lend at most so many messages for `lasts_us` µs, each the lowest of its ordering key."""
    # One at a time in each queue: two who look at once would lend a key's first and second.
    turn = select(EmbeddedQueueRow).where(EmbeddedQueueRow.name == queue)
    if session.scalar(turn.with_for_update(key_share=True)) is None:
        return []
    lent: list[Lent] = []
    while len(lent) < most:
        ids = look(session, queue, now, most - len(lent)).ids
        wanted = select(EmbeddedRow).where(EmbeddedRow.id.in_(ids)).order_by(EmbeddedRow.id)
        rows = session.scalars(wanted.with_for_update()).all() if ids else []
        if not rows:
            break
        for row in rows:
            if row.fence - row.given_back < DELIVERY_LIMIT:
                lent.append(_lent(row, now + lasts_us))
            else:
                _bury(row, "delivery_limit", now)
        session.flush()
    return lent


def settle(
    session: Session, queue: str, message: int, lease: int, how: Ending, now: int
) -> bytes | None:
    """End a lease; the message's body, or None where it is not held under this lease (any more)."""
    held = select(EmbeddedRow).where(
        EmbeddedRow.id == message,
        EmbeddedRow.queue == queue,
        EmbeddedRow.fence == lease,
        EmbeddedRow.claimable_at > now,
    )
    row = session.scalar(held.with_for_update())
    if row is None:
        return None
    match how:
        case "ack":
            session.delete(row)
        case "reject":
            _bury(row, "rejected", now)
        case "fail" | "give_back":
            row.claimable_at = now
            row.given_back += how == "give_back"
    return row.body


def _page(session: Session, queue: str, after: int) -> Sequence[tuple[int, str, int]]:
    rows = session.execute(
        select(EmbeddedRow.id, func.coalesce(OutboxRow.ordering_key, ""), EmbeddedRow.claimable_at)
        .outerjoin(OutboxRow, OutboxRow.dedupe_key == EmbeddedRow.dedupe_key)
        .where(EmbeddedRow.queue == queue, EmbeddedRow.id > after)
        .order_by(EmbeddedRow.id)
        .limit(PAGE)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def _lent(row: EmbeddedRow, until: int) -> Lent:
    row.claimable_at = until
    row.fence += 1
    times = row.fence - row.given_back
    return Lent(row.id, row.fence, times, until, row.routing_key, row.dedupe_key, row.body)


def _bury(row: EmbeddedRow, why: str, now: int) -> None:
    row.death = f"{why} in {row.queue} ({row.fence - row.given_back})"
    row.queue, row.fence, row.given_back, row.claimable_at = PARKED, 0, 0, now
