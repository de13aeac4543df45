"""话后整理 by itself: after each call an agent has had, their phone rests for as long as is set.

How long, `HOTLINE_WRAP_UP` says, in seconds, for a PBX and for single queues; 0 is none. The phone
is paused while the call still lasts, so that no queue can ring it between the end and our hearing
of it; the PBX lets the call go on. From the end of the agent's part it counts, and `breaks.keep`
ends it, unless the agent or a supervisor has done so before. What somebody asked for themselves, a
break or a wrap-up, is never replaced; and for one part in one call the phone is paused once: who
is ready early stays ready. Which parts those are, whoever keeps this going remembers (the PBX's
clock may be ahead of ours); after a start anew the times of the pauses tell. A PBX that is away or
says no is not asked again for that call (decision 0022).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import notices
from gateway.exchange import Exchange
from gateway.flow import breaks, control
from gateway.parts import Parts
from gateway.people.roles import Role
from gateway.tables import AccountRow, AgentPauseRow
from telephony.errors import TelephonyError
from telephony.reasons import WRAP_UP
from telephony.tables import CallLegRow, CallRow

LONGEST_US = 24 * 3600 * 1_000_000  # no call lasts a day: bounds the index that is read
AUTO = breaks.AUTO
"""Who asked for a pause that nobody asked for."""
SHORT_US = 600_000_000
"""Calls that came in so long ago are looked at although they have ended: one shorter than our look
has been missed while it lasted."""


@dataclass(frozen=True, slots=True)
class _Part:
    """An agent's part in a call, going on or ended a short while ago."""

    leg: int
    account: int
    login: str
    interface: str
    answered_at: int
    ended_at: int | None
    lasts_us: int


def keep(parts: Parts, exchange: Exchange, seen: dict[str, int]) -> None:
    """Begin the wrap-ups that are due at that PBX, and give those whose call has ended their end.
    `seen`: each phone's part that was dealt with; kept by the caller, changed here.

    Raises:
        ControlFailed: the PBX is not to be asked anything.
    """
    if not exchange.wrap_up:
        return
    asks, now = control.control_of(parts, exchange.name), parts.clock()
    with parts.database.reading() as session:
        found = list(_parts(session, exchange, now))
    for part in found:
        if seen.get(part.interface) == part.leg:
            continue
        seen[part.interface] = part.leg
        pause_id = _begun(parts, exchange.name, part)
        if pause_id is None:
            continue
        try:
            asks.pause(part.interface, WRAP_UP)
        except TelephonyError as error:
            if control.kind(error) == "away":
                continue  # it may be paused: the row stands, and is ended like any other
            _failed(parts, pause_id, part, type(error).__name__)
    with parts.database.begin() as session:
        _counted(session, exchange, now)


def _parts(session: Session, exchange: Exchange, now: int) -> Iterable[_Part]:
    """The newest part of each phone that an agent has, and is to rest after."""
    rows = session.execute(
        select(CallLegRow, CallRow.queue, AccountRow.id, AccountRow.login)
        .join(CallRow, CallRow.id == CallLegRow.call_id)
        .join(
            AccountRow,
            (AccountRow.pbx == CallRow.pbx) & (AccountRow.extension == CallLegRow.interface),
        )
        .where(
            CallRow.pbx == exchange.name,
            CallRow.ended_at.is_(None) | (CallRow.arrived_at > now - SHORT_US),
            CallLegRow.result == "answered",
            AccountRow.active,
            AccountRow.role == Role.AGENT,
        )
        .order_by(CallLegRow.answered_at)
    )
    newest: dict[str, _Part] = {}
    for leg, queue, account, login in rows:
        newest[leg.interface] = _Part(
            leg.id, account, login, leg.interface, leg.answered_at or now, leg.ended_at,
            exchange.wrap_up_us(queue),
        )  # fmt: skip
    for part in newest.values():
        if part.lasts_us and (part.ended_at is None or part.ended_at + part.lasts_us > now):
            yield part


def _begun(parts: Parts, pbx: str, part: _Part) -> int | None:
    """The row and the log's line, before the PBX is asked; None where it is not to be paused."""
    now = parts.clock()
    with parts.database.begin() as session:
        # The account's row is this phone's turn, as in `breaks`.
        session.scalars(
            select(AccountRow.id).where(AccountRow.id == part.account).with_for_update()
        ).one()
        known = session.scalar(
            select(AgentPauseRow.id).where(
                AgentPauseRow.pbx == pbx,
                AgentPauseRow.interface == part.interface,
                AgentPauseRow.ended_at.is_(None) | (AgentPauseRow.began_at >= part.answered_at),
            ).limit(1)
        )  # fmt: skip
        if known is not None:
            return None
        row = AgentPauseRow(pbx=pbx, interface=part.interface, login=part.login, reason=WRAP_UP,
                            asked_by=AUTO, began_at=now, ended_by="")  # fmt: skip
        session.add(row)
        session.flush()
        control.by_itself(session, "control:agent:pause", f"agent:{part.login}", "call", now)
        notices.tell(session, notices.agent(pbx, part.interface), "pause")
        return row.id


def _failed(parts: Parts, pause_id: int, part: _Part, why: str) -> None:
    with parts.database.begin() as session:
        row = session.get_one(AgentPauseRow, pause_id)
        now = parts.clock()
        row.ended_at, row.ended_by = now, "failed"
        control.by_itself(
            session, "control:agent:pause", f"agent:{part.login}", why, now, outcome="failed"
        )
        notices.tell(session, notices.agent(row.pbx, row.interface), "pause")


def _counted(session: Session, exchange: Exchange, now: int) -> None:
    """The end of those whose call has ended: so long after the agent's part in it."""
    waiting = session.scalars(
        select(AgentPauseRow).where(
            AgentPauseRow.pbx == exchange.name,
            AgentPauseRow.asked_by == AUTO,
            AgentPauseRow.ended_at.is_(None),
            AgentPauseRow.until_at.is_(None),
        )
    )
    for row in waiting.all():
        at_phone = control.at_phone(exchange.name, row.interface)
        if session.scalar(select(CallRow.id).where(at_phone).limit(1)) is not None:
            continue
        ended = session.execute(
            select(CallLegRow.ended_at, CallRow.queue)
            .join(CallRow, CallRow.id == CallLegRow.call_id)
            .where(
                CallRow.pbx == exchange.name,
                CallRow.arrived_at > row.began_at - LONGEST_US,
                CallLegRow.interface == row.interface,
                CallLegRow.ended_at.is_not(None),
                CallLegRow.result == "answered",
            )
            .order_by(CallLegRow.ended_at.desc())
            .limit(1)
        ).one_or_none()
        at, queue = ended if ended is not None else (now, None)
        row.until_at = (at or now) + exchange.wrap_up_us(queue)
        notices.tell(session, notices.agent(row.pbx, row.interface), "pause")
