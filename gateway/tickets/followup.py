"""Follow-up (回访): who may ask the caller about the result, and which tickets wait for it.

It is done by someone who did not handle the matter (DOMAIN.md, Follow-up). The record says who did:
whoever owns it (首问负责), and whoever took one of the steps in `HANDLING`, from the caller on the
line to the department's answer. Asking about the result, and closing on it, handles nothing, so
that who was not reached today can be tried again tomorrow by the same person (decision 0021).

Where no way to reach the caller is known there is no follow-up, and nobody is kept from closing. A
follow-up's own record (reached, satisfied, opinion) is not here yet: closing's note has it.
"""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from gateway.errors import Forbidden
from gateway.people.accounts import Person
from gateway.people.roles import PERMISSIONS, Permission
from gateway.tables import AccountRow, TicketRow, TicketStepRow
from gateway.tickets.lifecycle import TicketState

HANDLING: frozenset[str] = frozenset(
    {
        *("answer-call", "pass-on", "called-back", "place-callback", "place-contact"),
        *("register", "answer", "refuse", "accept", "dispatch", "sign", "return", "reply"),
    }
)
"""The steps that make their actor one who handled the ticket."""
LISTED = 30
_DOERS = tuple(
    role
    for role, held in PERMISSIONS.items()
    if {Permission.TICKET_EDIT, Permission.CALL_PLACE} <= held
)


def waiting() -> ColumnElement[bool]:
    """The condition on `TicketRow`: there is a result, and a number to ask about it at."""
    return (TicketRow.state == TicketState.REPLIED) & (TicketRow.caller_phone != "")


def asked_by(who: Person) -> ColumnElement[bool]:
    """The condition on `TicketRow`: `who` has asked about its result, or closed it."""
    return (
        select(TicketStepRow.id)
        .where(
            TicketStepRow.ticket_id == TicketRow.id,
            TicketStepRow.actor == who.login,
            TicketStepRow.action.in_(("place-followup", "close")),
        )
        .exists()
    )


def handled_by(who: Person) -> ColumnElement[bool]:
    """The condition on `TicketRow`: `who` handled it."""
    step = (
        select(TicketStepRow.id)
        .where(
            TicketStepRow.ticket_id == TicketRow.id,
            TicketStepRow.actor.in_(_known_as(who)),
            TicketStepRow.action.in_(HANDLING),
        )
        .exists()
    )
    return or_(TicketRow.owner == who.login, step)


def handlers(session: Session, row: TicketRow) -> list[str]:
    """Who handled the ticket, the owner first: logins, phones that had no account, and names that
    a department's own system gave."""
    steps = session.scalars(
        select(TicketStepRow.actor)
        .where(TicketStepRow.ticket_id == row.id, TicketStepRow.action.in_(HANDLING))
        .order_by(TicketStepRow.id)
    )
    return [one for one in dict.fromkeys([row.owner, *steps]) if one]


def barred(session: Session, row: TicketRow, who: Person) -> str:
    """Why this follow-up is not for `who`, and who may instead; empty where it is for them. Who
    reads all tickets is told the names."""
    known = handlers(session, row)
    if not set(known) & set(_known_as(who)):
        return ""
    zh = "回访须由未经办本单的人员进行，您经办过本单；请由其他坐席或班长回访"
    if who.may(Permission.TICKET_READ_ALL):
        zh += f"（{who_may(session, known)}）"
    return (
        f"{zh}。 A follow-up is for somebody who did not handle this ticket, and you did; "
        "any other agent or supervisor may."
    )


def check(session: Session, row: TicketRow, who: Person) -> None:
    """Refuse a follow-up to who handled the ticket.

    Raises:
        Forbidden: they did; the message says who may.
    """
    why = barred(session, row, who)
    if why:
        raise Forbidden(why)


def check_closing(session: Session, row: TicketRow, who: Person) -> None:
    """The same for closing on what the caller said; nothing where the caller cannot be asked."""
    if row.state == TicketState.REPLIED and row.caller_phone:
        check(session, row, who)


def who_may(session: Session, known: Iterable[str]) -> str:
    """Who handled it and who may follow up, by name, for people to read."""
    known = list(known)
    rows = session.execute(
        select(AccountRow.login, AccountRow.name, AccountRow.role, AccountRow.active).order_by(
            AccountRow.login
        )
    ).all()
    names = {login: name for login, name, _, _ in rows}
    free = [name for login, name, role, active in rows
            if active and role in _DOERS and login not in known][:LISTED]  # fmt: skip
    done = [names.get(login, login) for login in known]
    return f"经办：{'、'.join(done)}；可回访：{'、'.join(free) or '无'}"


def due(session: Session, who: Person) -> list[TicketRow]:
    """The tickets that wait for a follow-up by `who`, oldest first."""
    return list(
        session.scalars(
            select(TicketRow)
            .where(waiting(), ~handled_by(who))
            .order_by(TicketRow.opened_at, TicketRow.id)
            .limit(LISTED)
        )
    )


def _known_as(who: Person) -> tuple[str, ...]:
    """As whom the record may have them: what a phone did without an account is its owner's."""
    return (who.login, who.extension) if who.extension else (who.login,)
