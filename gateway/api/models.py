"""The JSON that programs send and get: one model each, and how a row becomes one.

`shapes` says what holds for all of them; those about recordings are `evidence`'s.
"""

import json
from datetime import datetime
from typing import Any

from pydantic import Field

from gateway.api.evidence import RecordingOut
from gateway.api.shapes import Model, PageNumber, when
from gateway.flow import wallboard
from gateway.flow.rates import Rate
from gateway.people.accounts import Person
from gateway.tables import (
    AgentPauseRow,
    DepartmentRow,
    PlacedCallRow,
    RecordingPauseRow,
    TicketRow,
    TicketStepRow,
    WorkOrderRow,
)
from gateway.tickets.assigned import OrderView
from gateway.tickets.desks import Desk
from gateway.tickets.views import TicketView
from recordings.tables import AuditLineRow
from telephony.tables import CallRow


class SignIn(Model):
    """Who signs in."""

    login: str
    password: str = Field(repr=False)


class PersonOut(Model):
    """Who somebody is."""

    login: str
    name: str
    role: str
    department: str | None
    extension: str | None
    pbx: str
    """The PBX that `extension` is of."""

    @classmethod
    def of(cls, who: Person) -> "PersonOut":
        """Of a person."""
        return cls.model_validate(who, from_attributes=True, extra="ignore")


class SessionOut(Model):
    """An opened session: send `token` as `Authorization: Bearer`."""

    token: str
    expires_at: datetime
    person: PersonOut


class TicketFields(Model):
    """Fields of the register form to write; what is left out stays as it is."""

    version: int | None = None
    fields: dict[str, str]


class Answer(Model):
    """What was answered on the call."""

    answer: str


class Refusal(Model):
    """Why it is not accepted, and where to go instead."""

    reason: str
    refer_to: str


class Dispatch(Model):
    """Where the ticket goes; the first department leads (主办)."""

    departments: list[str] = Field(max_length=50)
    question: str = ""


class Closing(Model):
    """How the caller was told."""

    note: str


class OrderReply(Model):
    """The department's result."""

    result: str
    measures: str = ""


class OrderReturn(Model):
    """Why the work order is returned (退单)."""

    reason: str


class Silence(Model):
    """Why the recording is to be silent: id_number, bank_card, password or privacy."""

    reason: str


class Pause(Model):
    """Why no calls: wrapup, break, meal, meeting, training or other."""

    reason: str


class PlacedCallOut(Model):
    """A call that was asked for: `uniqueid` is its linkedid once it stands. `failed` is empty, or
    why no call came of it; what came of the call stands with the call itself."""

    uniqueid: str
    purpose: str
    asked_by: str
    asked_at: datetime | None
    settled_at: datetime | None
    failed: str

    @classmethod
    def of(cls, row: PlacedCallRow) -> "PlacedCallOut":
        """Of a row."""
        plain = ("uniqueid", "purpose", "asked_by", "failed")
        given: dict[str, Any] = {name: getattr(row, name) for name in plain}
        return cls(**given, asked_at=when(row.asked_at), settled_at=when(row.settled_at))


class RecordingPauseOut(Model):
    """A silence in a call's recording; `ended_by`: a login, call, limit, restart or failed."""

    call: int
    reason: str
    paused_by: str
    began_at: datetime | None
    ended_at: datetime | None
    ended_by: str

    @classmethod
    def of(cls, row: RecordingPauseRow) -> "RecordingPauseOut":
        """Of a row."""
        plain = ("reason", "paused_by", "ended_by")
        given: dict[str, Any] = {name: getattr(row, name) for name in plain}
        return cls(
            **given, call=row.call_id, began_at=when(row.began_at), ended_at=when(row.ended_at)
        )


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


class TicketsSought(Model):
    """Which tickets: `text` in number, caller or summary, `state`, and the page, from 1."""

    text: str = ""
    state: str = ""
    page: PageNumber = 1


class TicketOut(Model):
    """A ticket as a list shows it."""

    id: int
    state: str
    version: int
    kind: str
    level: str
    opened_at: datetime | None
    caller_name: str
    caller_phone: str
    summary: str
    owner: str
    call_back: str
    acceptance_no: str | None
    due_at: datetime | None

    @classmethod
    def of(cls, row: TicketRow) -> "TicketOut":
        """Of a row."""
        plain = ("id", "state", "version", "kind", "level", "caller_name", "caller_phone",
                 "summary", "owner", "call_back", "acceptance_no")  # fmt: skip
        given: dict[str, Any] = {name: getattr(row, name) for name in plain}
        return cls(**given, opened_at=when(row.opened_at), due_at=when(row.due_at))


class StepOut(Model):
    """A step in a ticket's story."""

    at: datetime | None
    actor: str
    action: str
    from_state: str
    to_state: str
    why: str
    work_order: str

    @classmethod
    def of(cls, row: TicketStepRow) -> "StepOut":
        """Of a row."""
        plain = ("actor", "action", "from_state", "to_state", "why", "work_order")
        return cls(at=when(row.at), **{name: getattr(row, name) for name in plain})


class CallOut(Model):
    """A call as the caller lived it."""

    id: int
    pbx: str
    linkedid: str
    direction: str
    state: str
    outcome: str | None
    queue: str | None
    arrived_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    first_agent: str | None
    wait_ms: int | None
    talk_ms: int | None

    @classmethod
    def of(cls, row: CallRow) -> "CallOut":
        """Of a row."""
        plain = ("id", "pbx", "linkedid", "direction", "state", "outcome", "queue", "first_agent",
                 "wait_ms", "talk_ms")  # fmt: skip
        given: dict[str, Any] = {name: getattr(row, name) for name in plain}
        return cls(
            **given,
            arrived_at=when(row.arrived_at),
            answered_at=when(row.answered_at),
            ended_at=when(row.ended_at),
        )


class WorkOrderOut(Model):
    """A work order and where it stands."""

    number: str
    department: str
    lead: bool
    state: str
    question: str
    due_at: datetime | None
    offered_at: datetime | None
    signed_at: datetime | None
    replied_at: datetime | None
    result: str
    return_reason: str

    @classmethod
    def of(cls, row: WorkOrderRow) -> "WorkOrderOut":
        """Of a row."""
        plain = ("number", "department", "lead", "state", "question", "result", "return_reason")
        given: dict[str, Any] = {name: getattr(row, name) for name in plain}
        times = ("due_at", "offered_at", "signed_at", "replied_at")
        given |= {name: when(getattr(row, name)) for name in times}
        return cls(**given)


class DeskOrderOut(Model):
    """A work order as its department sees it; the caller is empty where confidential."""

    order: WorkOrderOut
    acceptance_no: str | None
    summary: str
    demand: str
    caller_name: str
    caller_phone: str

    @classmethod
    def of(cls, view: OrderView) -> "DeskOrderOut":
        """Of a view."""
        return cls(
            order=WorkOrderOut.of(view.order),
            acceptance_no=view.ticket.acceptance_no,
            summary=view.order.question,
            demand=view.ticket.demand,
            caller_name=view.caller_name,
            caller_phone=view.caller_phone,
        )


class TicketDetailOut(Model):
    """A ticket with everything that hangs on it."""

    ticket: TicketOut
    fields: dict[str, str | bool]
    steps: list[StepOut]
    calls: list[CallOut]
    work_orders: list[WorkOrderOut]
    recordings: list[RecordingOut]
    placed: list[PlacedCallOut]
    pauses: list[RecordingPauseOut]
    incomplete: bool
    """Calls and recordings may be missing: an interval since the ticket was opened is open."""

    @classmethod
    def of(cls, view: TicketView, fields: list[str]) -> "TicketDetailOut":
        """Of a view; `fields` are the form's."""
        return cls(
            ticket=TicketOut.of(view.row),
            fields={name: getattr(view.row, name) for name in fields},
            steps=[StepOut.of(row) for row in view.steps],
            calls=[CallOut.of(row) for row in view.calls],
            work_orders=[WorkOrderOut.of(row) for row in view.orders],
            recordings=[RecordingOut.of(row) for row in view.recordings],
            placed=[PlacedCallOut.of(row) for row in view.placed],
            pauses=[RecordingPauseOut.of(row) for row in view.pauses],
            incomplete=view.incomplete,
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


class DepartmentOut(Model):
    """A department that work orders can go to."""

    code: str
    name: str

    @classmethod
    def of(cls, row: DepartmentRow) -> "DepartmentOut":
        """Of a row."""
        return cls(code=row.code, name=row.name)


class LineOut(Model):
    """One line of the log; `line` is its number, from 0."""

    line: int
    at: datetime | None
    action: str
    actor: str
    origin: str
    obj: str
    outcome: str
    grant: int | None
    detail: dict[str, Any]

    @classmethod
    def of(cls, row: AuditLineRow) -> "LineOut":
        """Of a row."""
        plain = ("action", "actor", "origin", "obj", "outcome")
        return cls(
            line=row.id,
            at=when(row.at),
            grant=row.grant_id,
            detail=json.loads(row.detail),
            **{name: getattr(row, name) for name in plain},
        )


class VerdictOut(Model):
    """Whether the log is what it was."""

    intact: bool
    lines: int
    root: str
    faults: list[str]
