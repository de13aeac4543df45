"""A ticket's files on its page: adding one, and taking one to look at.

What may be kept, and by whom, `flow.attaching` decides. A file is handed to the browser to be
saved and never shown by us: it came from outside.
"""

from urllib.parse import quote

from starlette.datastructures import UploadFile
from starlette.responses import RedirectResponse, Response

from gateway.console.visit import Visit
from gateway.errors import BadInput, NotFound
from gateway.flow import attaching
from gateway.flow.control import Asking
from gateway.tickets import views

MOST = attaching.SIZE_MAX + (1 << 16)
"""Bytes of the largest file, and what stands around it in a form."""


def add(visit: Visit) -> Response:
    """POST /tickets/{ticket_id}/attachments."""
    ticket_id = visit.number("ticket_id")
    given = visit.form.get("file")
    if not isinstance(given, UploadFile) or not given.filename:
        raise BadInput({"file": "请选择文件。 Choose a file."})
    content = given.file.read(attaching.SIZE_MAX + 1)
    asking = Asking(visit.parts, visit.person, visit.origin)
    attaching.attach(asking, ticket_id, given.filename, content)
    path = f"/tickets/{ticket_id}?done=attached"
    if visit.by_htmx:
        return Response(headers={"HX-Redirect": path})
    return RedirectResponse(path, 303)


def take(visit: Visit) -> Response:
    """GET /tickets/{ticket_id}/attachments/{attachment_id}."""
    ticket_id, wanted = visit.number("ticket_id"), visit.number("attachment_id")
    with visit.parts.database.reading() as session:
        views.ticket(session, visit.person, ticket_id)  # or it is not there for who asks
        files = {row.id: row for row in attaching.of_ticket(session, ticket_id)}
    if wanted not in files:
        raise NotFound
    row = files[wanted]
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(row.name, safe='')}",
        "Cache-Control": "no-store",
    }
    return Response(attaching.read(visit.parts, row), media_type=row.media_type, headers=headers)
