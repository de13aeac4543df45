"""Whose ticket it is: which tickets an agent may see and work on.

An agent's own are those they own, those nobody owns yet, and those whose caller they were given in
a call, if only after a transfer: who has the caller on the line must have the ticket before them.
Owning it (首问负责) stays with the first. Beyond them an agent reaches, to follow them up, those
that wait for it, and those they have followed up. Only conditions here; permissions are asked
elsewhere.
"""

from sqlalchemy import ColumnElement, or_, select

from gateway.people.accounts import Person
from gateway.tables import TicketCallRow, TicketRow
from gateway.tickets import followup
from telephony.tables import CallLegRow, CallRow


def of_agent(who: Person) -> ColumnElement[bool]:
    """The condition on `TicketRow` for `who`'s own."""
    had_the_caller = (
        select(TicketCallRow.call_id)
        .join(CallRow, CallRow.id == TicketCallRow.call_id)
        .join(CallLegRow, CallLegRow.call_id == CallRow.id)
        .where(
            TicketCallRow.ticket_id == TicketRow.id,
            CallRow.pbx == who.pbx,
            CallLegRow.interface == (who.extension or "-"),
            CallLegRow.result == "answered",
        )
        .exists()
    )
    return or_(TicketRow.owner.in_(("", who.login)), had_the_caller)


def within_reach(who: Person) -> ColumnElement[bool]:
    """The condition on `TicketRow` for what `who` may read: their own, and what is theirs to ask
    about or was (回访)."""
    return or_(of_agent(who), followup.waiting(), followup.asked_by(who))
