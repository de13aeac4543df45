"""Joining tickets (并单): a matter told twice, as in a second complaint (二次投诉), is one.

Both tickets stay as they are, each with its number and its clock; the story of each names the
other. What it means for recusal holds from that moment, for grants that were given before as well.
A ticket joins once and is never taken apart again: whoever a complaint is about could be let back
in by it.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.errors import BadInput, IllegalStep, NotFound
from gateway.tables import TicketJoinRow, TicketRow
from gateway.tickets import acts, recusal


def join(session: Session, ticket_id: int, into_id: int, by: str, now: int) -> TicketRow:
    """Join `ticket_id` to the matter of `into_id`; returns the ticket it goes on in.

    Raises:
        NotFound: there is no such ticket to join.
        BadInput: there is no ticket to join it to, or it is itself.
        IllegalStep: they are one matter already, or it has joined another.
    """
    # Locked in the order of their ids: two people who join the same two wait, and do not block.
    rows = {
        row.id: row
        for row in session.scalars(
            select(TicketRow)
            .where(TicketRow.id.in_((ticket_id, into_id)))
            .order_by(TicketRow.id)
            .with_for_update()
        )
    }
    if ticket_id not in rows:
        raise NotFound
    if into_id not in rows or into_id == ticket_id:
        raise BadInput({"into": "请填另一张已有工单的编号。 Give the number of another ticket."})
    if into_id in recusal.joined(session, [ticket_id]):
        raise IllegalStep("两张工单已是同一事项。 These two are one matter already.")
    if session.get(TicketJoinRow, ticket_id) is not None:
        raise IllegalStep("本单已并入其他工单。 This ticket has joined another already.")
    session.add(TicketJoinRow(ticket_id=ticket_id, into_id=into_id, joined_by=by, joined_at=now))
    session.flush()
    acts.story(session, rows[ticket_id], by, "join", now, why=f"→ #{into_id}")
    acts.story(session, rows[into_id], by, "joined", now, why=f"← #{ticket_id}")
    return rows[into_id]


def others(session: Session, ticket_id: int) -> list[int]:
    """The tickets that are one matter with this one, itself left out, in order."""
    return sorted(recusal.joined(session, [ticket_id]) - {ticket_id})
