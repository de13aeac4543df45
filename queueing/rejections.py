"""The answer to a reply that makes no sense: the department is told, so that it can mend it.

A `rejected` event goes out through the outbox, in the transaction that parks the reply, under an
ordering key of its own: it waits behind no work order, and none behind it.
Always holds: at most `RATE` a minute for each department, so that a program gone wrong is answered
and not echoed without end; what is itself a rejection is never rejected; what could not be read is
named by its hash and size; nothing of its content goes back. Whom it may be told, the caller knows:
only whose key it came under.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from queueing import messages, outbox
from queueing.errors import CODES, Code
from queueing.messages import MAX_BYTES, ReplyRejected
from queueing.tables import OutboxRow, ParkedRow

RATE: Final = 60
SPAN_US: Final = 60_000_000


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What can be made out of a body, however broken: each empty where it cannot."""

    event_id: str = ""
    source: str = ""
    type: str = ""
    work_order: str = ""


def glimpse(body: bytes) -> Glimpse:
    """The sender's id and source, the type and the work order, where they are short plain text."""
    if len(body) > MAX_BYTES:
        return Glimpse()
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        return Glimpse()
    if not isinstance(event, dict):
        return Glimpse()
    data = event.get("data")
    order = data.get("work_order") if isinstance(data, dict) else ""
    return Glimpse(*(_plain(value) for value in
                     (event.get("id"), event.get("source"), event.get("type"), order)))  # fmt: skip


def _plain(value: Any) -> str:  # noqa: ANN401 - JSON holds whatever it holds
    ok = isinstance(value, str) and len(value) <= 120 and value.isprintable()
    return value if ok else ""


def answer(
    session: Session, row: ParkedRow, body: bytes, *, code: Code, reason: str, now: int
) -> bool:
    """Have the department told that this reply was parked; False where it is held back."""
    seen = glimpse(body)
    if seen.type == messages.REJECTED or _spent(session, row.department, now):
        return False
    chinese, english = CODES[code]
    message = ReplyRejected(
        department=row.department,
        work_order=seen.work_order or None,
        reply_id=seen.event_id,
        reply_source=seen.source,
        code=code,
        reason=f"{chinese} {english}: {reason}"[:2_000].replace("\0", ""),
        digest=row.body_sha256,
        size=row.size,
    )
    outbox.put(
        session,
        message,
        department=row.department,
        ordering_key=_key(row.department),
        dedupe_key=f"rejected/{row.id}/{row.times}",
        now=now,
    )
    return True


def _spent(session: Session, department: str, now: int) -> bool:
    """Whether this department was told as often as it is told in a minute."""
    told = session.scalar(
        select(func.count()).where(
            OutboxRow.ordering_key == _key(department), OutboxRow.committed_at > now - SPAN_US
        )
    )
    return (told or 0) >= RATE


def _key(department: str) -> str:
    return f"rejections:{department}"
