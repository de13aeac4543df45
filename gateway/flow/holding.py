"""A work order held for one act: its ticket is locked first, then the order, then its sisters.

One order of locks for whoever touches several orders of a ticket: two acts on one ticket wait for
each other and never meet half-way. On SQLite writers take turns, and nothing is locked.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from gateway.tables import TicketRow, WorkOrderRow
from gateway.tickets.lifecycle import OrderState

UNDER_WAY = (OrderState.OFFERED, OrderState.SIGNED)


def held(
    session: Session, number: str, *readable: ColumnElement[bool]
) -> tuple[WorkOrderRow, TicketRow] | None:
    """The work order of that number and its ticket, both locked; None: there is none, or its
    ticket is not `readable`."""
    ticket = session.scalar(
        select(TicketRow)
        .join(WorkOrderRow, WorkOrderRow.ticket_id == TicketRow.id)
        .where(WorkOrderRow.number == number, *readable)
        .with_for_update(of=TicketRow)
    )
    if ticket is None:
        return None
    order = session.scalar(
        select(WorkOrderRow).where(WorkOrderRow.number == number).with_for_update()
    )
    return None if order is None else (order, ticket)


def sisters(session: Session, order: WorkOrderRow) -> Sequence[WorkOrderRow]:
    """The other work orders of its ticket that departments have in hand, locked; the ticket is
    held already."""
    return session.scalars(
        select(WorkOrderRow)
        .where(
            WorkOrderRow.ticket_id == order.ticket_id,
            WorkOrderRow.id != order.id,
            WorkOrderRow.state.in_(UNDER_WAY),
        )
        .order_by(WorkOrderRow.id)
        .with_for_update()
    ).all()
