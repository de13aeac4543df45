"""Exports: making one, its page with the custody sheet, and the file itself, sealed to its key."""

import json

from starlette.responses import PlainTextResponse, RedirectResponse, Response

from gateway import sending
from gateway.console import player, render
from gateway.console.visit import Visit
from gateway.errors import Conflict
from gateway.flow import attesting, exporting
from gateway.numbers import natural
from gateway.people import accounts
from recordings.tables_grants import ExportRow


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
    return sending.export_file(player.asking(visit), visit.number("export_id"))


def _saved(row: ExportRow, ending: str, kind: str) -> dict[str, str]:
    name = f"recording-{row.recording_id}-export-{row.id}.{ending}"
    return {
        "Content-Type": kind,
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
    }
