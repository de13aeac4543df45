"""The wallboard (坐席与队列): who does what, who waits, and how quickly the phones are answered.

Agents and queues are as the PBX last told them; the rates are of today (China) and of the last half
hour. Where the link is down, or an interval without it has not been made good from the PBX's own
log yet, the board says that it may not be complete. Nothing here shows a caller.
"""

from dataclasses import dataclass, replace

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gateway import notices
from gateway.errors import Forbidden
from gateway.flow import rates, unrecorded
from gateway.flow.rates import Rate
from gateway.people.accounts import Person
from gateway.people.roles import Permission, Role
from gateway.tables import AccountRow, AgentPauseRow
from gateway.tickets.clocks import china
from telephony.batch import Connected, Lost
from telephony.reasons import WRAP_UP
from telephony.roster import Moved
from telephony.tables import AgentStateRow, LinkGapRow, LinkStateRow, QueueStateRow

LATELY_US = 30 * 60 * 1_000_000
FORGOTTEN_US = 24 * 3600 * 1_000_000
"""An agent without an account who has been offline for so long is shown no more."""


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent. `name`: the account's at that extension, else the queue member's. `asked`: the
    reason of the pause that was asked for here and goes on, also while the phone still talks."""

    pbx: str
    interface: str
    name: str
    login: str | None
    state: str
    reason: str
    since_at: int
    role: str = ""
    asked: str = ""

    @property
    def ours(self) -> bool:
        """Whether a supervisor can take this phone out of the queues and put it in again."""
        return self.role == Role.AGENT and self.state != "offline"

    @property
    def out(self) -> bool:
        """Whether the next act on this phone is to put it in again."""
        return self.asked not in ("", WRAP_UP) or self.state in ("break", "after_call")


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue; `oldest_at`: since when the first of the waiting waits."""

    pbx: str
    queue: str
    waiting: int
    oldest_at: int | None
    today: Rate
    lately: Rate


@dataclass(frozen=True, slots=True)
class Link:
    """How far what is shown of one PBX can be trusted."""

    pbx: str
    connected: bool
    since_at: int
    heard_at: int
    open_gaps: int
    """Intervals of today without the link that have not been made good yet."""


@dataclass(frozen=True, slots=True)
class Board:
    """All of it."""

    links: list[Link]
    agents: list[Agent]
    queues: list[Queue]
    today: Rate
    lately: Rate
    unrecorded: int
    """Of today's answered calls, those whose recording never came."""

    @property
    def complete(self) -> bool:
        """Whether no link is down and no figure touches an open interval."""
        return all(link.connected and not link.open_gaps for link in self.links)

    @property
    def waiting(self) -> int:
        """Callers in all queues."""
        return sum(queue.waiting for queue in self.queues)

    @property
    def oldest_at(self) -> int | None:
        """Since when the first of them waits."""
        known = [queue.oldest_at for queue in self.queues if queue.oldest_at is not None]
        return min(known, default=None)

    @property
    def frozen(self) -> dict[str, int]:
        """The PBXs that are not heard, and until when they were: nothing of theirs goes on."""
        return {link.pbx: link.heard_at for link in self.links if not link.connected}

    @property
    def several(self) -> bool:
        """Whether agents and queues need their PBX's name."""
        return len(self.links) > 1

    def count(self, *states: str) -> int:
        """Agents in one of those states."""
        return sum(agent.state in states for agent in self.agents)


def board(session: Session, who: Person, now: int) -> Board:
    """The wallboard as it stands.

    Raises:
        Forbidden: the role does not look at it.
    """
    if not who.may(Permission.WALLBOARD_READ):
        raise Forbidden
    midnight = int(china(now).replace(hour=0, minute=0, second=0).timestamp()) * 1_000_000
    today = rates.by_queue(session, midnight)
    lately = rates.by_queue(session, now - LATELY_US)
    return Board(
        links=_links(session, min(midnight, now - LATELY_US)),
        agents=_agents(session, now),
        queues=[
            Queue(
                row.pbx,
                row.queue,
                row.waiting,
                row.oldest_at,
                today.get((row.pbx, row.queue), Rate()),
                lately.get((row.pbx, row.queue), Rate()),
            )
            for row in session.scalars(
                select(QueueStateRow).order_by(QueueStateRow.pbx, QueueStateRow.queue)
            )
        ],
        today=sum(today.values(), Rate()),
        lately=sum(lately.values(), Rate()),
        unrecorded=unrecorded.count(session, now, since_at=midnight),
    )


def own(session: Session, who: Person) -> Agent | None:
    """What the PBX says this person does; None where it knows no such agent.

    Raises:
        Forbidden: the role has no desk.
    """
    if not who.may(Permission.DESK_USE):
        raise Forbidden
    row = session.get(AgentStateRow, (who.pbx, who.extension or ""))
    return _agent(row, who.login, who.name) if row else None


def linked(session: Session) -> bool:
    """Whether every PBX is heard."""
    return (
        session.scalar(select(LinkStateRow.pbx).where(LinkStateRow.connected.is_(False)).limit(1))
        is None
    )


def told(session: Session, pbx: str, moved: Moved, change: Connected | Lost | None) -> None:
    """Note who is to be told of what a batch of that PBX changed."""
    if moved or change is not None:
        notices.tell(session, "wallboard", "changed", pbx)
    for interface in moved.agents:
        notices.tell(session, notices.presence(pbx, interface), "changed", pbx)
    if change is not None:
        notices.tell(session, "desks", "link", pbx)


def _agents(session: Session, now: int) -> list[Agent]:
    rows = session.execute(
        select(
            AgentStateRow, AccountRow.login, AccountRow.name, AccountRow.role, AgentPauseRow.reason
        )
        .outerjoin(
            AccountRow,
            (AccountRow.pbx == AgentStateRow.pbx)
            & (AccountRow.extension == AgentStateRow.interface)
            & AccountRow.active,
        )
        .outerjoin(
            AgentPauseRow,
            (AgentPauseRow.pbx == AgentStateRow.pbx)
            & (AgentPauseRow.interface == AgentStateRow.interface)
            & AgentPauseRow.ended_at.is_(None),
        )
        .order_by(AgentStateRow.pbx, AgentStateRow.interface)
    )
    return [
        replace(_agent(row, login, name), role=role or "", asked=asked or "")
        for row, login, name, role, asked in rows
        if login or row.state != "offline" or row.since_at > now - FORGOTTEN_US
    ]


def _agent(row: AgentStateRow, login: str | None, name: str | None) -> Agent:
    shown = name or row.member or row.interface
    return Agent(row.pbx, row.interface, shown, login, row.state, row.reason, row.since_at)


def _links(session: Session, since_at: int) -> list[Link]:
    gaps = select(LinkGapRow.pbx, func.count()).where(
        LinkGapRow.backfilled_at.is_(None),
        LinkGapRow.ended_at.is_(None) | (LinkGapRow.ended_at > since_at),
    )
    counted = session.execute(gaps.group_by(LinkGapRow.pbx))
    waiting = {pbx: count for pbx, count in counted}  # noqa: C416 - rows unpack, dict() is untyped
    return [
        Link(row.pbx, row.connected, row.since_at, row.last_packet_at, waiting.get(row.pbx, 0))
        for row in session.scalars(select(LinkStateRow).order_by(LinkStateRow.pbx))
    ]
