"""The JSON about recordings: which there are, asking to hear them, and what was decided.

Nothing here holds a byte of a recording, or the digits somebody sought.
"""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from gateway.api.shapes import Model, PageNumber, RowId, when
from gateway.flow.finding import RecordingView
from gateway.flow.listening import RequestView
from recordings.tables import GrantRow, RecordingRow


class Ask(Model):
    """A request to hear recordings: `purpose` is verify, complaint or supervision."""

    recordings: Annotated[list[RowId], Field(min_length=1, max_length=100)]
    purpose: str
    ticket_no: str
    reason: str


class Decision(Model):
    """The authoriser's decision; `lasts_s` counts from now."""

    granted: bool
    note: str = ""
    lasts_s: int = 3600


class RecordingsSought(Model):
    """Which recordings: by the number's last digits, the agent, or the ticket."""

    phone_tail: str = ""
    agent: str = ""
    ticket: str = ""
    page: PageNumber = 1


class RecordingOut(Model):
    """A sealed recording; hearing it takes a grant."""

    id: int
    name: str
    recorded_at: datetime | None
    duration_ms: int
    condition: str

    @classmethod
    def of(cls, row: RecordingRow) -> "RecordingOut":
        """Of a row."""
        return cls(
            id=row.id,
            name=row.name,
            recorded_at=when(row.recorded_at),
            duration_ms=row.duration_ms,
            condition=row.condition,
        )


class FoundRecordingOut(Model):
    """A recording as the search shows it."""

    recording: RecordingOut
    ticket_id: int | None
    acceptance_no: str | None
    agent: str | None
    grant: int | None

    @classmethod
    def of(cls, view: RecordingView) -> "FoundRecordingOut":
        """Of a view."""
        return cls(
            recording=RecordingOut.of(view.row),
            ticket_id=view.ticket_id,
            acceptance_no=view.acceptance_no,
            agent=view.call.last_agent if view.call else None,
            grant=view.grant.id if view.grant else None,
        )


class GrantOut(Model):
    """A yes, and until when."""

    id: int
    expires_at: datetime | None

    @classmethod
    def of(cls, row: GrantRow) -> "GrantOut":
        """Of a row."""
        return cls(id=row.id, expires_at=when(row.expires_at))


class RequestOut(Model):
    """A request to hear recordings, and what became of it."""

    id: int
    requester: str
    purpose: str
    ticket_no: str
    reason: str
    state: str
    recordings: list[int]
    grant: GrantOut | None

    @classmethod
    def of(cls, view: RequestView) -> "RequestOut":
        """Of a view."""
        plain = ("id", "requester", "purpose", "ticket_no", "reason")
        return cls(
            state=view.state,
            **{name: getattr(view.request, name) for name in plain},
            recordings=[row.id for row in view.recordings],
            grant=GrantOut.of(view.grant) if view.grant else None,
        )
