"""Joint handling (会办): what one department remarks goes on to the others that have the ticket.

A remark is in the ticket's story as it was said; to the others it goes under their own orders' next
versions, a long one in parts, because each carries the whole order beside it. Whoever has answered
or returned its part is not told any more. The ticket is held by the caller.
"""

from typing import Final

from sqlalchemy.orm import Session

from gateway.flow import holding, outgoing
from gateway.tables import TicketRow, WorkOrderRow
from queueing.messages import WorkOrderRemarked

PART: Final = 1_000
"""Characters: what fits beside a whole order (`queueing.fields.Brief`)."""


def pass_on(
    session: Session, ticket: TicketRow, order: WorkOrderRow, by: str, text: str, now: int
) -> int:
    """Tell the others what the department of `order` remarks; how many there are."""
    parts = [text[start : start + PART] for start in range(0, len(text), PART)]
    others = holding.sisters(session, order)
    for other in others:
        for place, part in enumerate(parts, 1):
            other.version += 1
            message = WorkOrderRemarked(
                **outgoing.whole(ticket, other),
                from_department=order.department,
                by=by,
                text=part,
                part=place,
                parts=len(parts),
            )
            outgoing.send(session, ticket, message, "remark", now)
    return len(others)
