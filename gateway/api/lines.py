"""The log as JSON: its lines, and whether it holds."""

import json
from datetime import datetime
from typing import Any

from gateway.api.shapes import Model, when
from recordings.tables import AuditLineRow


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
