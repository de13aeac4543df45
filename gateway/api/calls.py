"""Calls as JSON: as the caller lived them, placed by us, and when their recording was silent."""

from datetime import datetime
from typing import Any

from gateway.api.shapes import Model, when
from gateway.tables import PlacedCallRow, RecordingPauseRow
from telephony.tables import CallRow


class Silence(Model):
    """Why the recording is to be silent: id_number, bank_card, password or privacy."""

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
