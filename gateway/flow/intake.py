"""Call → ticket: what the PBX's facts mean for tickets, in the batch's own transaction.

A ticket stands from the moment the call enters the queue; the agent who answers first is its
first-responder (首问负责) and stays so when the call is passed on; a caller who gives up leaves a
ticket that asks to be called back. A call has one ticket however often its facts come. Who shall
see it is noted for the hub and told after the commit. Nothing here talks to the PBX, and what
people have changed is never undone.
"""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import notices
from gateway.flow import breaks, calling, linking, silence
from gateway.people import accounts
from gateway.tables import TicketCallRow, TicketRow
from gateway.tickets import acts
from gateway.tickets.lifecycle import OPEN_STATES
from telephony.facts import (
    Answered,
    Ended,
    Fact,
    NotPlaced,
    Offered,
    PassedOn,
    PickedUp,
    Placed,
    Queued,
    Reached,
    Withdrawn,
)
from telephony.tables import CallRow

NAME_MAX = 120  # as long as a form lets it be; the call keeps it whole
PBX = "pbx"  # the actor of what no person did


def take(session: Session, facts: Iterable[Fact]) -> None:
    """Let `facts`, in their order, change tickets; commits nothing."""
    for fact in facts:
        match fact:
            case Queued():
                _queued(session, fact)
            case Offered():
                _told(session, fact, fact.interface, "ringing")
            case Withdrawn():
                _told(session, fact, fact.interface, "withdrawn")
            case Answered():
                _answered(session, fact)
            case PassedOn():
                _passed_on(session, fact)
            case Placed() | NotPlaced() | PickedUp() | Reached():
                calling.heard(session, fact)
            case Ended():
                _ended(session, fact)
            case _:
                pass  # arrived, recording started: the call's own row says all there is


def ticket_of(session: Session, call_id: int) -> TicketRow | None:
    """The ticket of this call: which it opened, or from which it was placed."""
    return session.scalar(
        select(TicketRow)
        .join(TicketCallRow, TicketCallRow.ticket_id == TicketRow.id)
        .where(TicketCallRow.call_id == call_id)
    )


def _queued(session: Session, fact: Queued) -> None:
    if ticket_of(session, fact.call_id) is not None:
        return  # a second queue, or a fact told again
    call = session.get_one(CallRow, fact.call_id)
    ticket = TicketRow(
        opened_at=fact.at,
        channel="phone",
        queue=fact.queue,
        caller_phone=call.caller_number,
        caller_name=call.caller_name[:NAME_MAX] if call.caller_name != call.caller_number else "",
    )
    session.add(ticket)
    session.flush()
    session.add(TicketCallRow(call_id=call.id, ticket_id=ticket.id))
    session.flush()
    linking.call_known(session, call, ticket)
    acts.story(session, ticket, PBX, "open", fact.at, before="")


def _answered(session: Session, fact: Answered) -> None:
    ticket = ticket_of(session, fact.call_id)
    if ticket is None:
        return
    agent = accounts.by_extension(session, fact.interface)
    actor = agent.login if agent else fact.interface
    if agent and not ticket.owner:
        ticket.owner = agent.login
    if ticket.call_back == "due":
        ticket.call_back = "none"  # taken for abandoned while the link was down
    acts.story(session, ticket, actor, "answer-call", fact.at)
    _told(session, fact, fact.interface, "answered")


def _passed_on(session: Session, fact: PassedOn) -> None:
    """Not whom to: an outside number would stand in the story for everybody who reads it."""
    ticket = ticket_of(session, fact.call_id)
    if ticket is None:
        return
    agent = accounts.by_extension(session, fact.interface)
    acts.story(session, ticket, agent.login if agent else fact.interface, "pass-on", fact.at)
    _told(session, fact, fact.interface, "passed-on")


def _ended(session: Session, fact: Ended) -> None:
    ticket = ticket_of(session, fact.call_id)
    call = session.get_one(CallRow, fact.call_id)
    linking.call_known(session, call, ticket)
    silence.call_ended(session, call.id, fact.at)
    breaks.call_ended(session, call, fact.at)
    if call.direction == "outbound":
        calling.heard(session, fact)
    if ticket is not None and fact.outcome == "abandoned" and ticket.state in OPEN_STATES:
        ticket.call_back = "due"
        acts.story(session, ticket, PBX, "abandon", fact.at)
        notices.tell(session, "desks", "call-back", ticket.id)
    if call.last_agent:
        _told(session, fact, call.last_agent, "ended")


def _told(session: Session, fact: Fact, interface: str, kind: str) -> None:
    ticket = ticket_of(session, fact.call_id)
    if ticket is not None:
        notices.tell(session, f"agent:{interface}", kind, ticket.id)
