"""A call from a ticket: asked for by an agent, linked to the ticket by a name given beforehand.

Which call a ticket asks for, the ticket says itself: an abandoned caller is called back (回拨), the
result of a matter is asked about (回访), and in between the caller may be asked something. The row
with the call's name is committed before the PBX is asked, so that its events, its recording and
its lines in CEL find the ticket whatever dies meanwhile. A call back that is answered settles what
the ticket asked for; one that is not leaves it standing, with one attempt more.

One call at a time is placed at one phone. What came of it the PBX's facts tell (`intake`).
"""

import re
import secrets

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import notices
from gateway.errors import BadInput, Forbidden, IllegalStep
from gateway.flow import control
from gateway.flow.control import Asking, Line
from gateway.people.roles import Permission
from gateway.tables import AccountRow, PlacedCallRow, TicketCallRow, TicketRow
from gateway.tickets import acts, followup, words
from gateway.tickets.lifecycle import OPEN_STATES, TicketState
from telephony.control import NUMBER
from telephony.facts import Ended, Fact, NotPlaced, PickedUp, Placed, Reached
from telephony.outgoing import TOKEN_BYTES, uniqueid_of
from telephony.tables import CallRow

LOST_AFTER_US = 60_000_000
"""An order of which nothing was heard by then has come to nothing: a phone rings for 25 s."""


def purpose_of(row: TicketRow) -> str | None:
    """Which call this ticket asks for now; None where it asks for none."""
    if row.call_back == "due":
        return "callback"
    if row.state in (TicketState.REPLIED, TicketState.CLOSED):
        return "followup"
    return "contact" if row.state in OPEN_STATES else None


def place(asking: Asking, ticket_id: int) -> PlacedCallRow:
    """Ring the agent's phone and call the caller of this ticket.

    Raises:
        Forbidden, NotFound: not this person's to do, or not their ticket; a follow-up is not for
            who handled it.
        IllegalStep: the ticket asks for no call, or this agent has one already.
        BadInput: its telephone number cannot be dialled.
        ControlFailed: the PBX is not asked, away, or says no.
    """
    parts, pbx = asking.parts, asking.pbx
    if not asking.who.may(Permission.CALL_PLACE):
        raise Forbidden
    asks, interface = control.control_of(parts, pbx), asking.interface
    with parts.database.begin() as session:
        ticket = acts.editable(session, ticket_id, asking.who, or_followed_up=True)
        row = _order(session, asking, pbx, ticket)
        line = Line("control:call:place", f"ticket:{ticket_id}",
                    {"purpose": row.purpose, "call": row.uniqueid})  # fmt: skip
        control.note(session, asking, line)
        uniqueid, number = row.uniqueid, row.number

    def failed(session: Session, kind: str) -> None:
        found = _row(session, pbx, uniqueid)
        if found is not None and found.call_id is None:
            word = "refused" if kind == "refused" else "away"
            _came_to_nothing(session, found, word, parts.clock())

    control.ask(
        asking,
        lambda: asks.originate(uniqueid=uniqueid, interface=interface, number=number),
        failed,
        line,
    )
    return row


def _order(session: Session, asking: Asking, pbx: str, ticket: TicketRow) -> PlacedCallRow:
    """The row, if this call may be placed now."""
    who, now = asking.who, asking.parts.clock()
    purpose = purpose_of(ticket)
    if purpose is None:
        raise IllegalStep("该工单现在无需呼出。 This ticket asks for no call now.")
    if purpose == "followup":
        followup.check(session, ticket, who)
    number = re.sub(r"[\s()-]", "", ticket.caller_phone)
    if not NUMBER.fullmatch(number):
        raise BadInput({"caller_phone": "不是可以拨打的号码。 Not a number that can be dialled."})
    # The account's row is this agent's turn: two clicks place one call, on either database.
    session.scalars(select(AccountRow.id).where(AccountRow.id == who.id).with_for_update()).one()
    _one_at_a_time(session, pbx, asking.interface, now)
    row = PlacedCallRow(
        pbx=pbx, uniqueid=uniqueid_of(secrets.token_bytes(TOKEN_BYTES)), ticket_id=ticket.id,
        purpose=purpose, interface=asking.interface, number=number, asked_by=who.login,
        asked_at=now, failed="",
    )  # fmt: skip
    session.add(row)
    if purpose != "followup":
        ticket.owner = ticket.owner or who.login
    acts.story(session, ticket, who.login, f"place-{purpose}", now)
    return row


def _one_at_a_time(session: Session, pbx: str, interface: str, now: int) -> None:
    busy = session.scalar(select(CallRow.id).where(control.at_phone(pbx, interface)).limit(1))
    asked = session.scalar(
        select(PlacedCallRow).where(
            PlacedCallRow.pbx == pbx,
            PlacedCallRow.interface == interface,
            PlacedCallRow.settled_at.is_(None),
        )
    )
    if asked is not None and asked.call_id is None and asked.asked_at < now - LOST_AFTER_US:
        _came_to_nothing(session, asked, "lost", now)
        asked = None
    if busy is not None or asked is not None:
        raise IllegalStep(
            "您的话机上已有通话，请先结束。 You have a call at your phone; end it first."
        )


def heard(session: Session, fact: Fact) -> None:
    """What the PBX tells of a call that we asked for."""
    row = _row(session, fact.pbx, fact.linkedid)
    if row is None:
        return  # placed by somebody who gave it a name like ours: reconcile shows it
    match fact:
        case Placed():
            _placed(session, row, fact)
        case NotPlaced():
            _came_to_nothing(session, row, "unreachable", fact.at)
        case Reached():
            _reached(session, row, fact)
        case Ended():
            _ended(session, row, fact)
        case PickedUp():
            pass
    notices.tell(session, notices.agent(row.pbx, row.interface), "calling", row.ticket_id)


def _placed(session: Session, row: PlacedCallRow, fact: Placed) -> None:
    row.call_id, row.failed = fact.call_id, ""
    call = session.get_one(CallRow, fact.call_id)
    ticket = session.get_one(TicketRow, row.ticket_id)
    if session.get(TicketCallRow, call.id) is None:
        session.add(TicketCallRow(call_id=call.id, ticket_id=ticket.id))
        session.flush()


def _reached(session: Session, row: PlacedCallRow, fact: Reached) -> None:
    ticket = session.get_one(TicketRow, row.ticket_id)
    if row.purpose == "callback" and ticket.call_back == "due":
        ticket.call_back = "done"
    acts.story(session, ticket, row.asked_by, "reach", fact.at)
    notices.tell(session, "desks", "call-back", ticket.id)


def _ended(session: Session, row: PlacedCallRow, fact: Ended) -> None:
    row.settled_at = fact.at
    if fact.outcome != "answered":
        _not_reached(session, row, fact.outcome, fact.at)


def _came_to_nothing(session: Session, row: PlacedCallRow, kind: str, at: int) -> None:
    if row.settled_at is None:
        row.failed, row.settled_at = kind, at
        _not_reached(session, row, kind, at)


def _not_reached(session: Session, row: PlacedCallRow, outcome: str, at: int) -> None:
    ticket = session.get_one(TicketRow, row.ticket_id)
    zh, english = words.names(words.CALL_OUTCOMES)[outcome]
    acts.story(session, ticket, row.asked_by, "not-reach", at, why=f"{zh}。 {english}.")


def _row(session: Session, pbx: str, uniqueid: str) -> PlacedCallRow | None:
    return session.scalar(
        select(PlacedCallRow).where(PlacedCallRow.pbx == pbx, PlacedCallRow.uniqueid == uniqueid)
    )
