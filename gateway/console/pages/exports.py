"""Exports: making one, its page with the custody sheet, and the file itself, sealed to its key."""

import json
from collections.abc import Iterator

from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse

from gateway.console import render
from gateway.console.visit import Visit
from gateway.errors import Conflict
from gateway.flow import attesting, exporting
from gateway.flow.refusal import Refused
from gateway.numbers import natural
from gateway.people import accounts
from recordings.errors import ObjectMissing
from recordings.tables_grants import ExportRow

PIECE = 1 << 18


def make(visit: Visit) -> Response:
    """POST /recordings/{recording_id}/exports."""
    recording_id, grant_id = visit.number("recording_id"), natural(visit.field("grant")) or 0
    row = exporting.make(visit.parts, visit.person, grant_id, recording_id, origin=visit.origin)
    path = f"/exports/{row.id}?done=exported"
    if visit.by_htmx:
        return Response(headers={"HX-Redirect": path})
    return RedirectResponse(path, 303)


def show(visit: Visit) -> Response:
    """GET /exports/{export_id}: the custody sheet, to be read and printed."""
    with visit.parts.database.reading() as session:
        view = exporting.of(session, visit.person, visit.number("export_id"))
        sheet = json.loads(view.row.sheet)
        names = accounts.named(session, {view.row.person, sheet["granted"]["authoriser"]})
    return render.page(visit, "pages/export.html", view=view, row=view.row, sheet=sheet,
                       names=names, left=exporting.FETCHES - view.row.fetches,
                       log_key=attesting.verifier_key(visit.parts))  # fmt: skip


def sheet(visit: Visit) -> Response:
    """GET /exports/{export_id}/sheet: the sheet word for word, as its line in the log has it."""
    with visit.parts.database.reading() as session:
        view = exporting.of(session, visit.person, visit.number("export_id"))
    return Response(view.row.sheet, headers=_saved(view.row, "json", "application/json"))


def proof(visit: Visit) -> Response:
    """GET /exports/{export_id}/proof: that the sheet's line is in the log, checked by anybody."""
    with visit.parts.database.reading() as session:
        view = exporting.of(session, visit.person, visit.number("export_id"))
    if view.line is None:
        raise Conflict("该导出没有日志行，请报审计。 This export has no line: tell the auditor.")
    text = attesting.proof(visit.parts, visit.person, view.line, origin=visit.origin)
    name = f"recording-{view.row.recording_id}-export-{view.row.id}.tlog-proof.txt"
    headers = {"Content-Disposition": f'inline; filename="{name}"', "Cache-Control": "no-store"}
    return PlainTextResponse(text, headers=headers)


def file(visit: Visit) -> Response:
    """GET /exports/{export_id}/file: the age file; the line is committed before the first byte."""
    with visit.parts.database.begin() as session:
        row = exporting.fetch(session, visit.person, visit.number("export_id"),
                              origin=visit.origin, now=visit.now)  # fmt: skip
    if isinstance(row, Refused):
        raise row.error
    try:
        size = exporting.shelf(visit.parts).size(row.object_key)
    except ObjectMissing as error:
        raise Conflict(str(error)) from error
    headers = _saved(row, "wav.age", "application/octet-stream") | {"Content-Length": str(size)}
    return StreamingResponse(_pieces(visit, row.object_key), headers=headers)


def _pieces(visit: Visit, key: str) -> Iterator[bytes]:
    with exporting.shelf(visit.parts).open(key) as opened:
        while piece := opened.read(PIECE):
            yield piece


def _saved(row: ExportRow, ending: str, kind: str) -> dict[str, str]:
    name = f"recording-{row.recording_id}-export-{row.id}.{ending}"
    return {
        "Content-Type": kind,
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
    }
