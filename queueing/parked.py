"""Messages that stopped: kept with their reason, shown to a person, replayed on their word.

`out`: the broker had no queue for it or kept refusing it. `dead`: the department's consumer gave
it up. `in`: a reply that cannot be read or applied.
Always holds: nothing is removed here; the same bytes are open once and coming again are counted;
a row is replayed once, or discarded with who and why, and stays either way; noise is kept as its
head, its size and its hash, and cannot fill the database; a list of what is parked reads no bodies.
"""

import hashlib
from typing import Final, Literal

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from queueing import due, topology
from queueing.due import Claimed
from queueing.errors import Code, NotParked, Rejected
from queueing.messages import MAX_BYTES
from queueing.tables import OPEN, OutboxRow, ParkedRow

Direction = Literal["out", "in", "dead"]

HEAD: Final = 4096
"""How much is kept of what is longer than a message may be."""


def park_claimed(session: Session, claimed: Claimed, *, reason: str, now: int) -> None:
    """Take a claimed row out of the relay's way; nothing happens when the lease was lost."""
    if due.park(session, claimed, reason):
        _keep(session, "out", claimed.routing_key, claimed.body, reason, now, outbox_id=claimed.id)


def park_reply(
    session: Session,
    *,
    routing_key: str,
    body: bytes,
    reason: str,
    now: int,
    code: Code = "failed",
    work_order: str = "",
) -> ParkedRow:
    """Keep a reply that cannot be applied, and why; `work_order` is the one it names, if any."""
    row = _keep(session, "in", routing_key, body, reason, now)
    row.code, row.work_order = code, work_order
    return row


def park_dead(
    session: Session, *, routing_key: str, dedupe_key: str, body: bytes, reason: str, now: int
) -> ParkedRow:
    """Keep what came back as a dead letter: a work order its department gave up, or a reply."""
    if routing_key.startswith("reply."):
        return _keep(session, "in", routing_key, body, reason, now)
    ours = session.scalar(select(OutboxRow.id).where(OutboxRow.dedupe_key == dedupe_key))
    return _keep(session, "dead", routing_key, body, reason, now, outbox_id=ours)


def _keep(
    session: Session,
    direction: Direction,
    routing_key: str,
    body: bytes,
    reason: str,
    now: int,
    outbox_id: int | None = None,
) -> ParkedRow:
    digest, routing_key = hashlib.sha256(body).hexdigest(), routing_key.replace("\0", "")
    row = session.scalar(
        select(ParkedRow)
        .where(
            ParkedRow.direction == direction,
            ParkedRow.body_sha256 == digest,
            *OPEN,
        )
        .with_for_update()
    )
    if row is not None:
        row.times += 1
        row.reason = reason
        return row
    row = ParkedRow(
        direction=direction,
        outbox_id=outbox_id,
        department=topology.department_of(routing_key),
        routing_key=routing_key[:255],
        body=body if len(body) <= MAX_BYTES else body[:HEAD],
        body_sha256=digest,
        size=len(body),
        reason=reason,
        parked_at=now,
    )
    session.add(row)
    session.flush()
    return row


def unresolved(
    session: Session, limit: int = 100, department: str = "", why: str = ""
) -> list[ParkedRow]:
    """What waits for a person, the newest first; of one department where one is named, and of one
    `why`: a code, or the direction of what has none."""
    newest = select(ParkedRow).where(*OPEN).order_by(ParkedRow.id.desc())
    if department:
        newest = newest.where(ParkedRow.department == department)
    if why:
        newest = newest.where(
            or_(ParkedRow.code == why, and_(ParkedRow.code == "", ParkedRow.direction == why))
        )
    return list(session.scalars(newest.limit(limit)))


def untold(session: Session) -> bool:
    """Whether something waits that nobody was told of."""
    new = select(ParkedRow.id).where(*OPEN, ParkedRow.alerted_at.is_(None))
    return session.scalar(new.limit(1)) is not None


def take(session: Session, parked_id: int, now: int) -> ParkedRow:
    """Mark a row replayed and hand it over; raises `NotParked` when somebody was faster, and
    `Rejected` where not all of it was kept."""
    row: ParkedRow | None = session.scalar(
        update(ParkedRow)
        .where(ParkedRow.id == parked_id, *OPEN)
        .values(replayed_at=now)
        .returning(ParkedRow)
    )
    if row is None:
        raise NotParked(parked_id)
    if row.size > MAX_BYTES:
        raise Rejected(
            f"这条消息有 {row.size} 字节，只留存了开头，不能重发，请部门另发。 "
            f"Of its {row.size} bytes only the head was kept: the department has to send anew.",
            "too-large",
        )
    return row


def discard(session: Session, parked_id: int, *, by: str, reason: str, now: int) -> None:
    """Give a message up for good: nothing more comes of it, and it stays with who and why.

    Raises `NotParked` when it is not open, or not any more.
    """
    gone = session.scalar(
        update(ParkedRow)
        .where(ParkedRow.id == parked_id, *OPEN)
        .values(discarded_at=now, discarded_by=by, discard_reason=reason)
        .returning(ParkedRow.id)
    )
    if gone is None:
        raise NotParked(parked_id)


def replay(session: Session, parked_id: int, now: int) -> None:
    """Send a parked work order again, under the dedupe key it always had.

    Its id is lower than its successors', so of its ordering key it goes first. Raises
    `NotParked`, and `Rejected` for a reply (those are replayed by `inbox.replay`) or a message
    that is not ours.
    """
    row = take(session, parked_id, now)
    if row.outbox_id is None:
        raise Rejected(
            "这条滞留消息不是本系统发出的，不能重发。 "
            "This parked message was not sent from the outbox and cannot be sent again."
        )
    due.again(session, row.outbox_id, now)
