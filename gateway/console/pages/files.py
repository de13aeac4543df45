"""A ticket's files on its page and at the department's: adding one, and taking one to look at.

What may be kept, and by whom, `flow.attaching` decides; what an officer gets with a work order,
`flow.serving`. A file is handed to the browser to be saved and never shown by us (`saving`): it
came from outside. The register form is ours, and is shown.
"""

from starlette.datastructures import UploadFile
from starlette.responses import RedirectResponse, Response

from gateway import saving
from gateway.console.visit import Visit
from gateway.errors import BadInput, NotFound
from gateway.flow import attaching, files, serving
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
        kept = {row.id: row for row in files.of_ticket(session, ticket_id)}
    if wanted not in kept:
        raise NotFound
    row = kept[wanted]
    return saving.saved(row.name, row.media_type, files.read(visit.parts, row))


def take_at_desk(visit: Visit) -> Response:
    """GET /department/orders/{number}/files/{attachment_id}."""
    handed = serving.take(
        visit.parts, visit.person, visit.named("number"), visit.number("attachment_id"),
        visit.origin,
    )  # fmt: skip
    return saving.saved(handed.name, handed.media_type, handed.content)


def form_at_desk(visit: Visit) -> Response:
    """GET /department/orders/{number}/form: the register form, to be read and printed."""
    handed = serving.form(visit.parts, visit.person, visit.named("number"), visit.origin)
    return saving.shown(handed.content)
