"""What a person asks of the PBX: a call from a ticket, silence in a recording, a pause.

Each is one act of `flow`, which has units of work of its own: nothing waits for the PBX inside a
transaction. The desk's acts answer with what lives on the desk, so that it shows at once what the
act did; what comes of it later is told by the PBX, and fetched when `live` says so.
"""

from starlette.responses import HTMLResponse, RedirectResponse, Response

from gateway.console import render, words
from gateway.console.pages import desk, ticket
from gateway.console.visit import Visit
from gateway.flow import breaks, calling, silence
from gateway.flow.control import Asking
from gateway.people.roles import Permission


def place(visit: Visit) -> Response:
    """POST /tickets/{ticket_id}/call: what is on the page is saved, then the call is placed."""
    ticket_id = visit.number("ticket_id")
    if "version" in visit.form:
        with visit.parts.database.begin() as session:
            ticket.fill(session, ticket_id, visit)
    calling.place(_asking(visit), ticket_id)
    if visit.field("back") == "desk" and visit.person.may(Permission.DESK_USE):
        return desk.fragment(visit, ticket_id, done="calling")
    path = f"/tickets/{ticket_id}?done=calling"
    return Response(headers={"HX-Redirect": path}) if visit.by_htmx else RedirectResponse(path, 303)


def silence_begins(visit: Visit) -> Response:
    """POST /desk/recording/pause."""
    silence.pause(_asking(visit), visit.field("reason"))
    return desk.live(visit)


def silence_ends(visit: Visit) -> Response:
    """POST /desk/recording/resume."""
    silence.resume(_asking(visit))
    return desk.live(visit)


def pause(visit: Visit) -> Response:
    """POST /desk/pause."""
    breaks.pause(_asking(visit), visit.field("reason"))
    return desk.live(visit)


def ready(visit: Visit) -> Response:
    """POST /desk/ready."""
    breaks.ready(_asking(visit))
    return desk.live(visit)


def pause_agent(visit: Visit) -> Response:
    """POST /agents/{login}/pause, by whoever may pause others."""
    breaks.pause(_asking(visit), visit.field("reason"), visit.named("login"))
    return _done(visit, "agent-paused")


def ready_agent(visit: Visit) -> Response:
    """POST /agents/{login}/ready."""
    breaks.ready(_asking(visit), visit.named("login"))
    return _done(visit, "agent-ready")


def _done(visit: Visit, word: str) -> Response:
    """Said in the page that asked; the board itself changes when the PBX has told of it."""
    if not visit.by_htmx:
        return RedirectResponse("/wallboard", 303)
    tone, message = words.TOLD[word]
    return HTMLResponse(render.flash(message, tone), headers={"HX-Trigger": "live:wallboard"})


def _asking(visit: Visit) -> Asking:
    return Asking(visit.parts, visit.person, visit.origin)
