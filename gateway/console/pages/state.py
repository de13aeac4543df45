"""The state page for the administrator: PBX link, queues, keys, spool, what is parked."""

from starlette.responses import RedirectResponse, Response

from gateway.console import render
from gateway.console.visit import Visit
from gateway.flow import scrubbing, state, trying, unrecorded

WAIT_S = 3.0
"""How long the page waits for the broker's word on a test message."""


def show(visit: Visit) -> Response:
    """GET /state, and the same alone for htmx, every few seconds."""
    with visit.parts.database.reading() as session:
        overview = state.overview(session, visit.person, visit.parts, visit.now)
    template = "parts/overview.html" if visit.by_htmx else "pages/state.html"
    return render.page(
        visit, template, overview=overview, what_to_do=unrecorded.WHAT_TO_DO,
        put_back=scrubbing.WHAT_TO_DO, stalled=scrubbing.STALLED, behind=scrubbing.BEHIND,
        tested=visit.request.query_params.get("tested", ""),
    )  # fmt: skip


def test(visit: Visit) -> Response:
    """POST /state/departments/{code}/test: a test message, and whether the broker has it."""
    code = visit.request.path_params["code"]
    with visit.parts.database.begin() as session:
        sent = trying.send_for(session, visit.person, code, visit.origin, visit.now)
    arrived = trying.arrived(visit.parts.database, sent, WAIT_S)
    path = f"/state?tested={'arrived' if arrived else 'waiting'}"
    return Response(headers={"HX-Redirect": path}) if visit.by_htmx else RedirectResponse(path, 303)
