"""What departments are told of a work order: the only place that puts messages into the outbox.

Always holds: a message carries the version its work order has after it, each higher than the one
before, and is known for good as `<number>/v<version>`; a ticket's messages have one ordering key,
so they leave in the order they were made; the caller's lock on the ticket keeps that order (see
`queueing.outbox`). Who may have it sent, and when, `dispatching` and `pushing` decide.
"""

import logging
from typing import Any

from sqlalchemy.orm import Session

from gateway import notices, traces
from gateway.tables import TicketRow, WorkOrderRow
from gateway.tickets import clocks
from queueing import outbox
from queueing.messages import Caller, OutMessage

logger = logging.getLogger(__name__)


def key(number: str, version: int) -> str:
    """Under which the message of that version is known for good."""
    return f"{number}/v{version}"


def event(message_type: str) -> str:
    """`urged` of `cn.12333.workorder.urged.v1`."""
    return message_type.removeprefix("cn.12333.workorder.").partition(".")[0]


def whole(ticket: TicketRow, order: WorkOrderRow) -> dict[str, Any]:
    """The work order as it stands, as fields of a message: the caller is left out where
    confidential (保密)."""
    return {
        "work_order": order.number,
        "version": order.version,
        "department": order.department,
        "acceptance_no": ticket.acceptance_no or "",
        "lead": order.lead,
        "kind": ticket.kind,
        "complaint_class": ticket.complaint_class or None,
        "level": ticket.level,
        "summary": order.question,
        "demand": ticket.demand,
        "due_at": clocks.china(order.due_at) if order.due_at else None,
        "confidential": ticket.confidential,
        "caller": None
        if ticket.confidential
        else Caller(name=ticket.caller_name, phone=ticket.caller_phone),
    }


def send(session: Session, ticket: TicketRow, message: OutMessage, action: str, now: int) -> None:
    """Have `message` sent once this transaction is committed, and tell the department's pages."""
    trace = traces.onward()
    outbox.put(
        session,
        message,
        department=message.department,
        ordering_key=f"ticket:{ticket.id}",
        dedupe_key=key(message.work_order, message.version),
        now=now,
        trace=trace,
    )
    logger.info("work order %s: %s, trace %s", message.work_order, action, trace or "-")
    notices.tell(session, f"department:{message.department}", action, message.work_order)
