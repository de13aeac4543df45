"""An agent's phone out of the queues and in again: breaks (小休) with a reason, wrap-up (话后整理).

An agent pauses themself; a supervisor may pause others. A wrap-up asked for during a call is that
call's: it lasts `WRAP_UP_US` from its end, and is over by itself. One that nobody asked for
(`wrapup`) lasts as long as is set. A break lasts until somebody ends it. Only what we asked for
stands here; what the PBX makes of it, and what is paused at the PBX itself, its own events tell.
"""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import notices
from gateway.errors import BadInput, Forbidden, NotFound
from gateway.flow import control
from gateway.flow.control import Asking, Line
from gateway.parts import Parts
from gateway.people import accounts
from gateway.people.accounts import Person
from gateway.people.roles import Permission, Role
from gateway.tables import AccountRow, AgentPauseRow
from gateway.tickets import words
from telephony.facts import Ended
from telephony.prepared import Among, Prepared
from telephony.reasons import WRAP_UP
from telephony.tables import CallRow

WRAP_UP_US = 120_000_000
"""How long writing up a call may take before calls come again by themselves."""


AUTO = "gateway"
"""Who asked for a wrap-up that began by itself: `wrapup` counts it."""

_PAUSE = AgentPauseRow.__table__.c
_WRAPPING_UP = Prepared(
    select(_PAUSE.id, _PAUSE.pbx, _PAUSE.interface).where(
        Among(_PAUSE.interface, "phones"),
        _PAUSE.reason == WRAP_UP,
        _PAUSE.ended_at.is_(None),
        _PAUSE.until_at.is_(None),
        _PAUSE.asked_by != AUTO,
    )
)


def pause(asking: Asking, reason: str, login: str = "") -> AgentPauseRow:
    """Take a phone out of the queues: one's own, or that of the agent `login`.

    Raises:
        Forbidden: the role may not.
        NotFound: there is no such agent, or they have no phone.
        BadInput: no such reason.
        ControlFailed: the PBX is not asked, away, or says no.
    """
    if reason not in words.codes(words.PAUSE_REASONS):
        raise BadInput({"reason": "请从列表中选择原因。 Choose a reason of the list."})
    parts = asking.parts
    with parts.database.begin() as session:
        agent, interface = _whom(session, asking, login)
        pbx, asks = agent.pbx, control.control_of(parts, agent.pbx)
        row = _begin(session, asking, agent, interface, reason)
        line = Line("control:agent:pause", f"agent:{agent.login}", {"reason": reason})
        control.note(session, asking, line)
        pause_id = row.id

    def failed(session: Session, kind: str) -> None:
        if kind != "away":  # not answered: it may be paused; coming back is asked anew
            found = session.get_one(AgentPauseRow, pause_id)
            found.ended_at, found.ended_by = parts.clock(), "failed"
        notices.tell(session, notices.agent(pbx, interface), "pause")

    control.ask(asking, lambda: asks.pause(interface, reason), failed, line)
    return row


def ready(asking: Asking, login: str = "") -> None:
    """Put a phone into its queues again; raises as `pause`. One that was not out stays in."""
    parts = asking.parts
    with parts.database.reading() as session:
        agent, interface = _whom(session, asking, login)
        pbx, asks = agent.pbx, control.control_of(parts, agent.pbx)
    line = Line("control:agent:ready", f"agent:{agent.login}", {})
    control.ask(asking, lambda: asks.unpause(interface), lambda _session, _kind: None, line)
    with parts.database.begin() as session:
        control.note(session, asking, line)
        _back(session, pbx, interface, asking.who.login, parts.clock())


def calls_ended(session: Session, ended: Iterable[tuple[str, Ended]]) -> None:
    """The wrap-ups asked for during these calls (the phone, its call's end) begin to count."""
    over = {(fact.pbx, interface): fact.at for interface, fact in ended if interface}
    if not over:
        return
    phones = sorted({interface for _, interface in over})
    for pause_id, pbx, interface in _WRAPPING_UP.rows(session, phones=phones):
        at = over.get((pbx, interface))
        if at is not None:
            session.get_one(AgentPauseRow, pause_id).until_at = at + WRAP_UP_US
    session.flush()


def keep(parts: Parts, pbx: str) -> None:
    """End the wrap-ups at that PBX whose time is over.

    Raises:
        TelephonyError, ControlFailed: the PBX did not do it; it is tried again.
    """
    now = parts.clock()
    with parts.database.reading() as session:
        due = session.execute(
            select(AgentPauseRow.interface, AgentPauseRow.login).where(
                AgentPauseRow.pbx == pbx,
                AgentPauseRow.ended_at.is_(None),
                AgentPauseRow.until_at <= now,
            )
        ).all()
    for interface, login in due:
        control.control_of(parts, pbx).unpause(interface)
        with parts.database.begin() as session:
            control.by_itself(session, "control:agent:ready", f"agent:{login}", "time", now)
            _back(session, pbx, interface, "time", now)


def open_of(session: Session, pbx: str, interface: str) -> AgentPauseRow | None:
    """The pause that this phone is in, as far as we asked for it."""
    return session.scalar(
        select(AgentPauseRow).where(
            AgentPauseRow.pbx == pbx,
            AgentPauseRow.interface == interface,
            AgentPauseRow.ended_at.is_(None),
        )
    )


def _whom(session: Session, asking: Asking, login: str) -> tuple[Person, str]:
    """Whose phone, and which."""
    if login in ("", asking.who.login):
        if not asking.who.may(Permission.AGENT_PAUSE_OWN):
            raise Forbidden
        return asking.who, asking.interface
    if not asking.who.may(Permission.AGENT_PAUSE_ANY):
        raise Forbidden
    row = session.scalar(
        select(AccountRow).where(
            AccountRow.login == login, AccountRow.role == Role.AGENT, AccountRow.active
        )
    )
    if row is None or not row.extension:
        raise NotFound
    return accounts.person(row), row.extension


def _begin(
    session: Session, asking: Asking, agent: Person, interface: str, reason: str
) -> AgentPauseRow:
    now, pbx = asking.parts.clock(), agent.pbx
    # The account's row is this phone's turn: two at once make one pause after the other.
    session.scalars(select(AccountRow.id).where(AccountRow.id == agent.id).with_for_update()).one()
    _back(session, pbx, interface, "replaced", now)
    on_call = session.scalar(select(CallRow.id).where(control.at_phone(pbx, interface)).limit(1))
    until_at = now + WRAP_UP_US if reason == WRAP_UP and on_call is None else None
    row = AgentPauseRow(pbx=pbx, interface=interface, login=agent.login, reason=reason,
                        asked_by=asking.who.login, began_at=now, until_at=until_at,
                        ended_by="")  # fmt: skip
    session.add(row)
    session.flush()
    notices.tell(session, notices.agent(pbx, interface), "pause")
    return row


def _back(session: Session, pbx: str, interface: str, by: str, at: int) -> None:
    row = open_of(session, pbx, interface)
    if row is not None:
        row.ended_at, row.ended_by = at, by
        session.flush()
    notices.tell(session, notices.agent(pbx, interface), "pause")
