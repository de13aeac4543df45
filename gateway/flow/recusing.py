"""Naming whom a ticket is about (回避), lifting that, and joining tickets: each a line in the log.

A supervisor or a leader does it, and nobody in a matter that is about themselves: whoever could
lift their own recusal has none. A refusal for that reason is in the log too, and is returned so
that the caller commits the line first and raises then. Handling such a ticket is refused where it
is done (`tickets.recusal`); whoever then tells the refusal writes its line by `kept_out`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from gateway.errors import BadInput, Forbidden, NotFound, Recused
from gateway.flow import log
from gateway.flow.answering import ReplyRecused
from gateway.flow.refusal import Refused
from gateway.people.accounts import Person
from gateway.people.roles import Permission
from gateway.tables import TicketRow
from gateway.tickets import joining, recusal
from gateway.tickets.naming import ticket_named
from queueing.errors import Rejected
from telephony.tables import CallRow


@dataclass(frozen=True, slots=True)
class Doing:
    """Who does it, from where, and when."""

    session: Session
    who: Person
    origin: str
    now: int


def name(doing: Doing, ticket_id: int, login: str) -> list[str] | Refused:
    """Name `login` as somebody the ticket is about; returns who was named.

    Raises:
        Forbidden: the role does not name.
        NotFound: there is no such ticket.
        BadInput: no account has this login.
    """

    def act() -> list[str]:
        row = recusal.name(doing.session, ticket_id, login.strip(), doing.who.login, doing.now)
        return [row.login]

    return _done(doing, Permission.RECUSAL_NAME, "tickets:recusal:name", ticket_id, act)


def name_call(doing: Doing, ticket_id: int, call_id: int) -> list[str] | Refused:
    """Name the agents who talked in the call that the ticket complains of.

    Raises:
        Forbidden, NotFound: as for `name`.
        BadInput: there is no such call, or no agent with an account talked in it.
    """

    def act() -> list[str]:
        found: list[str] = []
        if doing.session.get(CallRow, call_id) is not None:
            found = recusal.agents_of(doing.session, call_id)
        if not found:
            raise BadInput({"call": "这次通话没有可识别的坐席。 No agent is known of that call."})
        for login in found:
            recusal.name(doing.session, ticket_id, login, doing.who.login, doing.now,
                         because="call")  # fmt: skip
        return found

    return _done(doing, Permission.RECUSAL_NAME, "tickets:recusal:name", ticket_id, act)


def lift(doing: Doing, ticket_id: int, login: str) -> list[str] | Refused:
    """Say that the ticket is not about `login` after all; never one's own.

    Raises:
        Forbidden, NotFound: as for `name`.
        IllegalStep: the ticket is not about them.
    """

    def act() -> list[str]:
        recusal.lift(doing.session, ticket_id, login, doing.who.login, doing.now)
        return [login]

    return _done(doing, Permission.RECUSAL_NAME, "tickets:recusal:lift", ticket_id, act)


def join(doing: Doing, ticket_id: int, into: str) -> list[str] | Refused:
    """Join the ticket to the one that `into` names (`#7`, an acceptance or work order number).

    Raises:
        Forbidden, NotFound: as for `name`.
        BadInput: no other ticket has this number.
        IllegalStep: they are one matter already, or it has joined another.
    """

    def act() -> list[str]:
        into_id = ticket_named(doing.session, into) or 0
        joined = joining.join(doing.session, ticket_id, into_id, doing.who.login, doing.now)
        return [f"ticket:{joined.id}"]

    return _done(doing, Permission.TICKET_JOIN, "tickets:ticket:join", ticket_id, act)


def kept_out(doing: Doing, ticket_id: int) -> None:
    """Put on record that somebody was refused to handle a ticket that is about them; the refused
    act's own transaction is undone, so this is one of its own."""
    _note(doing, "tickets:ticket:handle", ticket_id, "denied", {"why": "Recused"})


def reply_kept_out(session: Session, refusal: Rejected, now: int) -> None:
    """The same of a department's system, where that is why its reply is parked. Who it named as
    the doer is in the parked message alone: what others write may hold anything."""
    if not isinstance(refusal, ReplyRecused):
        return
    log.note(session, "tickets:ticket:handle", actor=f"department:{refusal.department}",
             origin="queue", obj=f"ticket:{refusal.ticket_id}", outcome="denied",
             detail={"why": "Recused", "order": refusal.number}, now=now)  # fmt: skip


def _done(
    doing: Doing, needed: Permission, deed: str, ticket_id: int, act: Callable[[], list[str]]
) -> list[str] | Refused:
    if not doing.who.may(needed):
        raise Forbidden
    if doing.session.get(TicketRow, ticket_id) is None:
        raise NotFound
    try:
        recusal.check(doing.who, recusal.of_ticket(doing.session, ticket_id))
        whom = act()
    except Recused as error:
        _note(doing, deed, ticket_id, "denied", {"why": "Recused"})
        return Refused(error)
    _note(doing, deed, ticket_id, "ok", {"whom": whom})
    return whom


def _note(doing: Doing, deed: str, ticket_id: int, outcome: str, detail: dict[str, object]) -> None:
    log.note(doing.session, deed, actor=doing.who.login, origin=doing.origin,
             obj=f"ticket:{ticket_id}", outcome=outcome, detail=detail, now=doing.now)  # fmt: skip
