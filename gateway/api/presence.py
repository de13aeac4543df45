"""Agents and queues as JSON: a desk, who does what, how long callers wait."""

from datetime import datetime

from gateway.api.shapes import Model, when
from gateway.api.tickets import TicketOut
from gateway.flow import wallboard
from gateway.flow.rates import Rate
from gateway.tables import AgentPauseRow
from gateway.tickets.desks import Desk


class Pause(Model):
    """Why no calls: wrapup, break, meal, meeting, training or other."""

    reason: str


class AgentPauseOut(Model):
    """An agent's pause; `until_at`: when a wrap-up ends by itself."""

    login: str
    reason: str
    asked_by: str
    began_at: datetime | None
    until_at: datetime | None

    @classmethod
    def of(cls, row: AgentPauseRow) -> "AgentPauseOut":
        """Of a row."""
        return cls(
            login=row.login,
            reason=row.reason,
            asked_by=row.asked_by,
            began_at=when(row.began_at),
            until_at=when(row.until_at),
        )


class DeskOut(Model):
    """An agent's desk: the ticket at hand and the ringing one (ids), and the open ones."""

    current: int | None
    ringing: int | None
    mine_open: list[TicketOut]
    call_backs_due: list[TicketOut]
    follow_ups_due: list[TicketOut]
    incomplete: bool
    """Callers may be missing: an interval without the PBX is not back-filled yet."""

    @classmethod
    def of(cls, desk: Desk) -> "DeskOut":
        """Of a view."""
        return cls(
            current=desk.current.row.id if desk.current else None,
            ringing=desk.ringing.ticket.id if desk.ringing else None,
            mine_open=[TicketOut.of(row) for row in desk.mine_open],
            call_backs_due=[TicketOut.of(row) for row in desk.call_backs_due],
            follow_ups_due=[TicketOut.of(row) for row in desk.follow_ups_due],
            incomplete=desk.incomplete,
        )


class AgentOut(Model):
    """What an agent does: idle, ringing, talking, holding, after_call, break, offline; `reason`
    of a break; `since` by the PBX's clock."""

    pbx: str
    interface: str
    name: str
    login: str | None
    state: str
    reason: str
    since: datetime | None

    @classmethod
    def of(cls, agent: wallboard.Agent) -> "AgentOut":
        """Of a view."""
        plain = ("pbx", "interface", "name", "login", "state", "reason")
        return cls(since=when(agent.since_at), **{name: getattr(agent, name) for name in plain})


class RateOut(Model):
    """15 秒应答率: of the calls answered, those answered within 15 s; how many gave up."""

    within_15s: int
    answered: int
    percent: int | None
    abandoned: int

    @classmethod
    def of(cls, rate: Rate) -> "RateOut":
        """Of a view."""
        return cls(within_15s=rate.within, answered=rate.answered, percent=rate.percent,
                   abandoned=rate.abandoned)  # fmt: skip


class QueueOut(Model):
    """A queue: how many wait, since when the first of them, and the rate."""

    pbx: str
    queue: str
    waiting: int
    oldest_since: datetime | None
    today: RateOut
    last_30_min: RateOut

    @classmethod
    def of(cls, queue: wallboard.Queue) -> "QueueOut":
        """Of a view."""
        return cls(pbx=queue.pbx, queue=queue.queue, waiting=queue.waiting,
                   oldest_since=when(queue.oldest_at), today=RateOut.of(queue.today),
                   last_30_min=RateOut.of(queue.lately))  # fmt: skip


class LinkOut(Model):
    """How far the rest can be trusted: the link to a PBX, when it was last heard, and today's
    intervals without it that are not yet made good from the PBX's own log."""

    pbx: str
    connected: bool
    since: datetime | None
    heard: datetime | None
    open_gaps: int

    @classmethod
    def of(cls, link: wallboard.Link) -> "LinkOut":
        """Of a view."""
        return cls(pbx=link.pbx, connected=link.connected, since=when(link.since_at),
                   heard=when(link.heard_at), open_gaps=link.open_gaps)  # fmt: skip


class PresenceOut(Model):
    """The wallboard. `complete` false: a link is down, or a figure touches an open interval;
    `incomplete` says the same as everywhere else."""

    complete: bool
    incomplete: bool
    links: list[LinkOut]
    agents: list[AgentOut]
    queues: list[QueueOut]
    today: RateOut
    last_30_min: RateOut

    @classmethod
    def of(cls, board: wallboard.Board) -> "PresenceOut":
        """Of a view."""
        return cls(
            complete=board.complete,
            incomplete=not board.complete,
            links=[LinkOut.of(link) for link in board.links],
            agents=[AgentOut.of(agent) for agent in board.agents],
            queues=[QueueOut.of(queue) for queue in board.queues],
            today=RateOut.of(board.today),
            last_30_min=RateOut.of(board.lately),
        )
