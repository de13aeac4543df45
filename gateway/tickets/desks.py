"""What lies on an agent's desk: the call at hand and the lists. Nothing here writes."""

from dataclasses import dataclass

from sqlalchemy import Select, and_, select
from sqlalchemy.orm import Session

from gateway.errors import Forbidden
from gateway.people.accounts import Person
from gateway.people.roles import Permission
from gateway.tables import (
    AgentPauseRow,
    RecordingPauseRow,
    TicketCallRow,
    TicketRow,
)
from gateway.tickets import followup
from gateway.tickets.lifecycle import OPEN_STATES
from gateway.tickets.paging import PAGE
from gateway.tickets.views import TicketView, readable, view
from telephony import links
from telephony.tables import CallLegRow, CallRow


@dataclass(frozen=True, slots=True)
class Ringing:
    """A call at somebody's phone and the ticket that stands for it."""

    call: CallRow
    ticket: TicketRow


@dataclass(frozen=True, slots=True)
class Desk:
    """An agent's desk: the call being talked or last answered, the one ringing or being placed,
    and the lists; the silence the present recording is in, and the pause the phone is in."""

    current: TicketView | None
    ringing: Ringing | None
    placing: Ringing | None
    silence: RecordingPauseRow | None
    pause: AgentPauseRow | None
    mine_open: list[TicketRow]
    call_backs_due: list[TicketRow]
    follow_ups_due: list[TicketRow]
    incomplete: bool
    """Whether callers may be missing: an interval without the PBX is not back-filled."""


def desk(session: Session, who: Person) -> Desk:
    """What lies on the agent's desk now.

    The current ticket is that of the call the agent talks on; between calls, that of the call they
    answered last, as long as it is still a draft: what was not finished is not put away.
    """
    if not who.may(Permission.DESK_USE):
        raise Forbidden
    found = _current(session, who)
    current = view(session, found) if found else None
    silent = [row for row in current.pauses if row.ended_at is None] if current else []
    return Desk(
        current=current,
        ringing=_ringing(session, who, "offered", "transferring"),
        placing=_ringing(session, who, "summoning", "dialling"),
        silence=silent[0] if silent else None,
        pause=session.scalar(
            select(AgentPauseRow)
            .where(AgentPauseRow.login == who.login, AgentPauseRow.ended_at.is_(None))
            .limit(1)
        ),
        mine_open=list(
            session.scalars(
                select(TicketRow)
                .where(TicketRow.owner == who.login, TicketRow.state.in_(OPEN_STATES))
                .order_by(TicketRow.opened_at.desc(), TicketRow.id.desc())
                .limit(PAGE)
            )
        ),
        call_backs_due=list(
            session.scalars(
                select(TicketRow)
                .where(TicketRow.call_back == "due", readable(who))
                .order_by(TicketRow.opened_at)
                .limit(PAGE)
            )
        ),
        follow_ups_due=followup.due(session, who),
        incomplete=bool(links.incomplete(session)),
    )


def _newest_call() -> Select[CallRow, TicketRow]:
    return (
        select(CallRow, TicketRow)
        .join(TicketCallRow, TicketCallRow.call_id == CallRow.id)
        .join(TicketRow, TicketRow.id == TicketCallRow.ticket_id)
        .order_by(CallRow.arrived_at.desc(), CallRow.id.desc())
        .limit(1)
    )


def _current(session: Session, who: Person) -> TicketRow | None:
    mine = and_(CallRow.pbx == who.pbx, CallRow.last_agent == (who.extension or "-"))
    for condition in (
        CallRow.state.in_(("talking", "held")),
        and_(CallRow.state == "ended", TicketRow.state == "draft", TicketRow.owner == who.login),
    ):
        found = session.execute(_newest_call().where(mine, condition)).one_or_none()
        if found is not None:
            return found[1]
    return None


def _ringing(session: Session, who: Person, *states: str) -> Ringing | None:
    """The call in one of these states that is at this person's phone. One that they place is at it
    already while the other side rings."""
    found = session.execute(
        _newest_call()
        .join(CallLegRow, CallLegRow.call_id == CallRow.id)
        .where(
            CallRow.state.in_(states),
            CallLegRow.result.is_(None) | (CallRow.state == "dialling"),
            CallRow.pbx == who.pbx,
            CallLegRow.interface == (who.extension or "-"),
            CallLegRow.ended_at.is_(None),
        )
    ).one_or_none()
    return Ringing(*found) if found is not None else None
