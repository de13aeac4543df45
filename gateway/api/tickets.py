"""Tickets as JSON: what a person writes into one and does with it, and one as it stands."""

from datetime import datetime
from typing import Any

from pydantic import Field

from gateway.api.calls import CallOut, PlacedCallOut, RecordingPauseOut
from gateway.api.evidence import RecordingOut
from gateway.api.shapes import Model, PageNumber, when
from gateway.api.work_orders import WorkOrderOut
from gateway.tables import TicketRow, TicketStepRow
from gateway.tickets.views import TicketView


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
