"""The state page for the administrator: PBX link, queues, keys, spool, what is parked."""

from starlette.responses import Response

from gateway.console import render
from gateway.console.visit import Visit
from gateway.flow import scrubbing, state, unrecorded


def show(visit: Visit) -> Response:
    """GET /state, and the same alone for htmx, every few seconds."""
    with visit.parts.database.reading() as session:
        overview = state.overview(session, visit.person, visit.parts, visit.now)
    template = "parts/overview.html" if visit.by_htmx else "pages/state.html"
    return render.page(
        visit, template, overview=overview, what_to_do=unrecorded.WHAT_TO_DO,
        put_back=scrubbing.WHAT_TO_DO, stalled=scrubbing.STALLED, behind=scrubbing.BEHIND,
    )  # fmt: skip
