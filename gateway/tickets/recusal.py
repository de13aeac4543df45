"""Recusal (回避): whoever a complaint is about neither handles it, nor authorises, nor listens.

Whom a ticket is about is named by hand, or as the agents of the call that is complained of, or the
register form says it: `subject_staff` holds an account's name, login or extension. It is asked at
every use and stored in no grant, over all tickets that are one matter: those joined to each other,
however they were joined and whenever, so that a ticket joined later bites at once (DOMAIN.md,
Words). Who was found by the form and is not meant can be lifted; nobody lifts their own.

Only questions and rows here: who may name or lift, and the line in the log, are `flow.recusing`'s.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import case, or_, select
from sqlalchemy.orm import Session

from gateway.errors import BadInput, IllegalStep, Recused
from gateway.people.accounts import Person
from gateway.tables import (
    AccountRow,
    DepartmentRow,
    RecordingLinkRow,
    RecusalRow,
    TicketCallRow,
    TicketJoinRow,
    TicketRow,
)
from gateway.tickets.naming import ticket_named
from telephony.tables import CallLegRow, CallRow

_NOT_ABOUT = ("praise",)
_WORDS = re.compile(r"[^\w·•]+")
_NUMBERS = re.compile(r"\d{3,}")
_NAME_LEAST = 2  # one character names nobody


@dataclass(frozen=True, slots=True)
class Named:
    """Somebody a matter is about: by which ticket, and why (`words.RECUSALS`)."""

    login: str
    ticket_id: int
    because: str


def check(who: Person, recused: Collection[str]) -> None:
    """Refuse whoever is among `recused`.

    Raises:
        Recused: they are.
    """
    if who.login in recused:
        raise Recused


def check_handling(session: Session, who: Person, ticket_id: int) -> None:
    """Refuse to let `who` handle a ticket that is about them.

    Raises:
        Recused: it is, or one joined with it; the error names the ticket, for the line in the log.
    """
    if who.login in of_ticket(session, ticket_id):
        raise Recused(ticket_id)


def spoken_by(session: Session, ticket_id: int, by: str) -> bool:
    """Whether `by`, as a department's own system names who did it, is somebody the ticket is about:
    the login or name of an account, or the very words of the register form.

    A department that signs by its own name is nobody.
    """
    by = by.strip()
    department = select(DepartmentRow.code).where(
        or_(DepartmentRow.code == by, DepartmentRow.name == by)
    )
    if len(by) < _NAME_LEAST or session.scalar(department.limit(1)) is not None:
        return False
    accounts = select(AccountRow.login).where(or_(AccountRow.login == by, AccountRow.name == by))
    if logins := frozenset(session.scalars(accounts)):
        return bool(logins & of_ticket(session, ticket_id))
    texts = _texts(session, joined(session, [ticket_id]))
    return any(by in {text.strip(), *_WORDS.split(text)} for _, text in texts)


def perhaps_spoken(session: Session, ticket_ids: Collection[int], names: Collection[str]) -> bool:
    """Whether `spoken_by` might be so of one of these tickets and one of these names; where it is
    not, as of nearly all, nothing more has to be asked."""
    said = {name.strip() for name in names}
    known = select(AccountRow.id).where(or_(AccountRow.login.in_(said), AccountRow.name.in_(said)))
    if session.scalar(known.limit(1)) is not None:
        return True
    texts = _texts(session, joined(session, ticket_ids))
    return any(not said.isdisjoint({text.strip(), *_WORDS.split(text)}) for _, text in texts)


def of_ticket(session: Session, ticket_id: int) -> frozenset[str]:
    """The logins that the ticket, or one joined with it, is about."""
    return _logins(listed(session, [ticket_id]))


def of_recordings(
    session: Session,
    recording_ids: Collection[int],
    ticket_no: str = "",
    call_id: int | None = None,
) -> frozenset[str]:
    """The logins that the recordings' matters are about, and the matter they are asked for."""
    link = RecordingLinkRow
    of_calls = select(link.call_id).where(link.recording_id.in_(recording_ids))
    ids = set(
        session.scalars(
            select(link.ticket_id).where(
                link.recording_id.in_(recording_ids), link.ticket_id.is_not(None)
            )
        )
    ) | set(
        session.scalars(
            select(TicketCallRow.ticket_id).where(
                or_(TicketCallRow.call_id.in_(of_calls), TicketCallRow.call_id == call_id)
            )
        )
    )
    ids.add(ticket_named(session, ticket_no))
    return _logins(listed(session, [found for found in ids if found is not None]))


def listed(session: Session, ticket_ids: Collection[int]) -> list[Named]:
    """Everybody these tickets and those joined with them are about, by ticket."""
    matter = joined(session, ticket_ids)
    if not matter:
        return []
    rows = session.scalars(
        select(RecusalRow).where(RecusalRow.ticket_id.in_(matter)).order_by(RecusalRow.id)
    ).all()
    named = {
        (row.ticket_id, row.login): Named(row.login, row.ticket_id, row.because)
        for row in rows
        if row.lifted_at is None
    }
    not_meant = {(row.ticket_id, row.login) for row in rows if row.because == "found"}
    for found in _found(session, matter):
        if (found.ticket_id, found.login) not in not_meant:
            named.setdefault((found.ticket_id, found.login), found)
    return sorted(named.values(), key=lambda one: (one.ticket_id, one.login))


def joined(session: Session, ticket_ids: Iterable[int]) -> frozenset[int]:
    """`ticket_ids` and every ticket joined with one of them, directly or by others."""
    edge = TicketJoinRow
    matter = select(TicketRow.id).where(TicketRow.id.in_(ticket_ids)).cte(recursive=True)
    other = case((edge.ticket_id == matter.c.id, edge.into_id), else_=edge.ticket_id)
    beside = or_(edge.ticket_id == matter.c.id, edge.into_id == matter.c.id)
    return frozenset(session.scalars(select(matter.union(select(other).join(matter, beside)).c.id)))


def _found(session: Session, matter: Collection[int]) -> list[Named]:
    """Whom the register forms name."""
    texts = _texts(session, matter)
    if not texts:
        return []
    people = session.execute(
        select(AccountRow.login, AccountRow.name, AccountRow.extension).where(AccountRow.active)
    ).all()
    return [
        Named(login, ticket_id, "found")
        for ticket_id, text in texts
        for login, name, extension in people
        if _meant(text, login, name, extension or "")
    ]


def _texts(session: Session, matter: Collection[int]) -> list[tuple[int, str]]:
    """What the register forms say of whom they are about, by ticket."""
    rows = session.execute(
        select(TicketRow.id, TicketRow.subject_staff).where(
            TicketRow.id.in_(matter),
            TicketRow.subject_staff != "",
            TicketRow.kind.not_in(_NOT_ABOUT),
        )
    )
    return [(ticket_id, text) for ticket_id, text in rows]


def _meant(text: str, login: str, name: str, extension: str) -> bool:
    said = {text.strip(), *_WORDS.split(text)}
    numbers = set(_NUMBERS.findall(text))
    return bool(said & {login, name}) or extension.rpartition("/")[2] in numbers


def _logins(named: Iterable[Named]) -> frozenset[str]:
    return frozenset(one.login for one in named)


def name(
    session: Session, ticket_id: int, login: str, by: str, now: int, *, because: str = "named"
) -> RecusalRow:
    """Write down that the ticket is about `login`; once, however often it is said.

    Raises:
        BadInput: no account has this login.
    """
    if not session.scalar(select(AccountRow.id).where(AccountRow.login == login)):
        raise BadInput({"login": "没有这个账号，请填登录名。 No account has this login."})
    row = _open(session, ticket_id, login)
    if row is None:
        row = RecusalRow(
            ticket_id=ticket_id, login=login, because=because, named_by=by, named_at=now
        )
        session.add(row)
        session.flush()
    return row


def agents_of(session: Session, call_id: int) -> list[str]:
    """The logins of the agents who talked in this call, whoever took it first or last."""
    return list(
        session.scalars(
            select(AccountRow.login)
            .join(CallLegRow, CallLegRow.interface == AccountRow.extension)
            .join(CallRow, CallRow.id == CallLegRow.call_id)
            .where(
                CallRow.id == call_id,
                CallRow.pbx == AccountRow.pbx,
                CallLegRow.result == "answered",
            )
            .distinct()
            .order_by(AccountRow.login)
        )
    )


def lift(session: Session, ticket_id: int, login: str, by: str, now: int) -> None:
    """Say that the ticket is not about `login` after all; what the form says is answered for good.

    Raises:
        Recused: it is oneself.
        IllegalStep: the ticket itself is not about them (maybe one joined with it is).
    """
    if login == by:
        raise Recused
    here = [one for one in listed(session, [ticket_id]) if one.ticket_id == ticket_id]
    because = next((one.because for one in here if one.login == login), None)
    if because is None:
        raise IllegalStep("本单没有此人的回避。 Nobody of this login is recused in this ticket.")
    row = _open(session, ticket_id, login)
    if row is None:
        row = RecusalRow(
            ticket_id=ticket_id, login=login, because=because, named_by=by, named_at=now
        )
        session.add(row)
    row.lifted_at, row.lifted_by = now, by
    session.flush()


def _open(session: Session, ticket_id: int, login: str) -> RecusalRow | None:
    return session.scalar(
        select(RecusalRow).where(
            RecusalRow.ticket_id == ticket_id,
            RecusalRow.login == login,
            RecusalRow.lifted_at.is_(None),
        )
    )
