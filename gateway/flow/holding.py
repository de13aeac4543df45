"""A work order held for one act: its ticket is locked first, then the order, then its sisters.

One order of locks for whoever touches several orders of a ticket: two acts on one ticket wait for
each other and never meet half-way. On SQLite writers take turns, and nothing is locked.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Matter:
    """A work order with its ticket, both locked, and those of the ticket that stood under way."""

    order: WorkOrderRow
    ticket: TicketRow
    under_way: Sequence[WorkOrderRow]

    @property
    def all_replied(self) -> bool:
        """Whether every work order that was not returned has its reply.

        A ticket that waits to be dispatched again (returned) is not replied, whoever has replied.
        """
        return not any(one.state in UNDER_WAY for one in self.under_way)


def matters(session: Session, numbers: Collection[str]) -> dict[str, Matter]:
    """The work orders of these numbers that there are: their tickets locked first, then they, each
    in the order of their keys."""
    named = WorkOrderRow.number.in_(numbers)
    about = select(TicketRow).where(TicketRow.id.in_(select(WorkOrderRow.ticket_id).where(named)))
    locked = about.order_by(TicketRow.id).with_for_update(of=TicketRow)
    tickets = {ticket.id: ticket for ticket in session.scalars(locked)}
    wanted = select(WorkOrderRow).where(named).order_by(WorkOrderRow.id).with_for_update()
    orders = session.scalars(wanted).all()
    # Not locked: whoever moves one of them holds its ticket.
    beside = select(WorkOrderRow).where(
        WorkOrderRow.ticket_id.in_(tickets), WorkOrderRow.state.in_(UNDER_WAY)
    )
    under_way: dict[int, list[WorkOrderRow]] = defaultdict(list)
    for one in session.scalars(beside):
        under_way[one.ticket_id].append(one)
    return {
        order.number: Matter(order, tickets[order.ticket_id], under_way[order.ticket_id])
        for order in orders
    }


def sisters(session: Session, order: WorkOrderRow) -> Sequence[WorkOrderRow]:
    """The other work orders of its ticket that departments have in hand, locked; the ticket is
    held already."""
    return [one for one in in_hand(session, order.ticket_id) if one.id != order.id]


def in_hand(session: Session, ticket_id: int) -> Sequence[WorkOrderRow]:
    """The ticket's work orders that departments have in hand, locked; the ticket is held
    already."""
    return session.scalars(
        select(WorkOrderRow)
        .where(WorkOrderRow.ticket_id == ticket_id, WorkOrderRow.state.in_(UNDER_WAY))
        .order_by(WorkOrderRow.id)
        .with_for_update()
    ).all()
