"""The JSON about recordings: which there are, asking to hear them, and what was decided.

Nothing here holds a byte of what is heard, or the digits somebody sought.
"""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, Field

from gateway.api.shapes import Model, PageNumber, RowId, when
from gateway.flow.exporting import ExportView
from gateway.flow.finding import RecordingView, Sought
from gateway.flow.listening import PLAYS, RequestView
from gateway.flow.playing import Begun
from recordings.asking import Wanted
from recordings.tables import GrantRow, RecordingRow


class Ask(Model):
    """A request to hear recordings: `purpose` is verify, complaint or supervision."""

    recordings: Annotated[list[RowId], Field(min_length=1, max_length=100)]
    purpose: str
    reason: str
    ticket_no: str = ""
    call: RowId | None = None
    """Instead of a ticket: the call that all of the recordings are of."""
    kind: str = "playback"
    recipient: str = ""
    """The `age1…` key that an export is sealed to."""

    def wanted(self) -> Wanted:
        """As `listening` takes it."""
        return Wanted(self.purpose, self.reason, self.ticket_no, self.call, self.kind,
                      self.recipient)  # fmt: skip


class Decision(Model):
    """The authoriser's decision; `lasts_s` counts from now."""

    granted: bool
    note: str = ""
    lasts_s: int = 3600
    plays: int | None = PLAYS
    """How many plays; null: as many as fit into the time."""


class Glass(Model):
    """Break-glass: which recordings, and what the danger to life is."""

    recordings: Annotated[list[RowId], Field(min_length=1, max_length=100)]
    reason: str


class Use(Model):
    """The grant under which something is begun."""

    grant: RowId


class PlayOut(Model):
    """A play that was begun: its id goes into the address of the audio, `…/plays/{play}/audio`."""

    id: int
    recording: int
    ends_at: datetime | None
    left: int | None
    """Plays that the grant still holds; null: they are not counted."""

    @classmethod
    def of(cls, begun: Begun) -> "PlayOut":
        """Of what was begun."""
        row = begun.play
        return cls(id=row.id, recording=row.recording_id, ends_at=when(row.ends_at),
                   left=begun.left)  # fmt: skip


class PeaksOut(Model):
    """The waveform: of each channel the least and greatest of each stretch, -128 … 127."""

    channels: list[list[tuple[int, int]]]


class ExportOut(Model):
    """An export: what lies ready for the recipient, and the custody sheet as it was written."""

    id: int
    recording: int
    recipient: str
    size: int
    sealed_sha256: str
    plain_sha256: str
    made_at: datetime | None
    fetches: int
    line: int | None
    """The line of the log that holds the sheet's SHA-256."""
    sheet: str

    @classmethod
    def of(cls, view: ExportView) -> "ExportOut":
        """Of a view."""
        row = view.row
        plain = ("id", "recipient", "size", "fetches", "sheet")
        return cls(
            **{name: getattr(row, name) for name in plain},
            recording=row.recording_id, sealed_sha256=row.sealed_sha256.hex(),
            plain_sha256=row.plain_sha256.hex(), made_at=when(row.made_at), line=view.line,
        )  # fmt: skip


class RecordingsSought(Model):
    """Which recordings: by time and length, the number's last digits, who talked (phone, login or
    name), queue, ticket (its id, or part of the acceptance number)."""

    phone_tail: str = ""
    agent: str = ""
    ticket: str = ""
    acceptance: str = ""
    queue: str = ""
    since: AwareDatetime | None = None
    """Recorded at or after this."""
    until: AwareDatetime | None = None
    """Recorded before this."""
    lasts_from_ms: Annotated[int, Field(ge=0, lt=10**9)] | None = None
    lasts_to_ms: Annotated[int, Field(ge=0, lt=10**9)] | None = None
    page: PageNumber = 1

    def sought(self) -> Sought:
        """As `finding` takes it."""
        given = self.model_dump(exclude={"page", "since", "until"})
        return Sought(**given, since=_us(self.since), until=_us(self.until))


def _us(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp() * 1_000_000)


class RecordingOut(Model):
    """A sealed recording; hearing it takes a grant."""

    id: int
    name: str
    recorded_at: datetime | None
    duration_ms: int
    condition: str
    destroyed_at: datetime | None
    certificate: int | None
    """Of one that was destroyed: the plan that certifies it."""

    @classmethod
    def of(cls, row: RecordingRow) -> "RecordingOut":
        """Of a row."""
        return cls(
            id=row.id,
            name=row.name,
            recorded_at=when(row.recorded_at),
            duration_ms=row.duration_ms,
            condition=row.condition,
            destroyed_at=when(row.destroyed_at),
            certificate=row.destroyed_plan,
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
    """A yes: for what, until when, how many plays are left (null: not counted)."""

    id: int
    kind: str
    expires_at: datetime | None
    ended_at: datetime | None
    left: int | None

    @classmethod
    def of(cls, row: GrantRow, left: int | None) -> "GrantOut":
        """Of a row."""
        return cls(id=row.id, kind=row.kind, expires_at=when(row.expires_at),
                   ended_at=when(row.ended_at), left=left)  # fmt: skip


class RequestOut(Model):
    """A request to hear recordings, and what became of it."""

    id: int
    requester: str
    purpose: str
    ticket_no: str
    call_id: int | None
    kind: str
    recipient: str
    urgent: bool
    reason: str
    state: str
    recordings: list[int]
    grant: GrantOut | None
    exported: dict[int, int]
    """Recording → its export."""

    @classmethod
    def of(cls, view: RequestView) -> "RequestOut":
        """Of a view."""
        plain = ("id", "requester", "purpose", "ticket_no", "call_id", "kind", "recipient",
                 "urgent", "reason")  # fmt: skip
        return cls(
            state=view.state,
            **{name: getattr(view.request, name) for name in plain},
            recordings=[row.id for row in view.recordings],
            grant=GrantOut.of(view.grant, view.left) if view.grant else None,
            exported=view.exported,
        )
