"""Which ticket a number means that people write: an acceptance number, a work order's, or `#7`."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.numbers import natural
from gateway.tables import TicketRow, WorkOrderRow


def ticket_named(session: Session, number: str) -> int | None:
    """The ticket's id; None where no ticket has this number."""
    number = number.strip()
    if not number:
        return None
    by_acceptance = select(TicketRow.id).where(TicketRow.acceptance_no == number)
    by_order = select(WorkOrderRow.ticket_id).where(WorkOrderRow.number == number)
    found = session.scalar(by_acceptance) or session.scalar(by_order)
    if found is None and (plain := natural(number.removeprefix("#"))) is not None:
        found = session.scalar(select(TicketRow.id).where(TicketRow.id == plain))
    return found
