"""What an address is about, as the log may say it.

What people type into an address may be a telephone number (DESIGN §3, promise 10): an id goes into
the log only where there is such a row; otherwise the address stands as the table of routes has it.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session

from gateway.numbers import natural
from gateway.tables import TicketRow
from recordings.tables import GrantRow, RecordingRow, RequestRow
from recordings.tables_grants import ExportRow, PlayRow

_IDS: dict[str, InstrumentedAttribute[int]] = {
    "recording_id": RecordingRow.id,
    "request_id": RequestRow.id,
    "ticket_id": TicketRow.id,
    "grant_id": GrantRow.id,
    "export_id": ExportRow.id,
    "play": PlayRow.id,
}
"""Whose id each parameter is that says so by its name."""

_API_IDS: dict[str, InstrumentedAttribute[int]] = {
    "/api/v1/recordings/": RecordingRow.id,
    "/api/v1/recording-requests/": RequestRow.id,
    "/api/v1/recording-grants/": GrantRow.id,
    "/api/v1/recording-exports/": ExportRow.id,
    "/api/v1/tickets/": TicketRow.id,
}
"""Whose id `id` is, in the paths of the API that begin so."""


def named(session: Session, path: str, given: Mapping[str, Any]) -> str:
    """`path` with the ids it was asked with, if each is a row's; as it stands otherwise."""
    ids: dict[str, int] = {}
    for name, value in given.items():
        column, number = _column(path, name), natural(str(value))
        if column is None or number is None:
            return path
        if session.scalar(select(column).where(column == number)) is None:
            return path
        ids[name] = number
    return path.format_map(ids)


def _column(path: str, name: str) -> InstrumentedAttribute[int] | None:
    if name != "id":
        return _IDS.get(name)
    return next((column for start, column in _API_IDS.items() if path.startswith(start)), None)
