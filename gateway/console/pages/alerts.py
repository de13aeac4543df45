"""Alerts for leader and auditor: what is open, and saying that it was seen."""

from starlette.responses import RedirectResponse, Response

from gateway.console import render
from gateway.console.visit import Visit
from gateway.flow import alerts


def show(visit: Visit) -> Response:
    """GET /alerts: open ones first."""
    with visit.parts.database.reading() as session:
        still, seen = alerts.of(session, visit.person)
    return render.page(visit, "pages/alerts.html", still=still, seen=seen)


def see(visit: Visit) -> Response:
    """POST /alerts/{alert_id}/seen."""
    with visit.parts.database.begin() as session:
        alerts.see(session, visit.person, visit.number("alert_id"), visit.origin, visit.now)
    if visit.by_htmx:
        return Response(headers={"HX-Redirect": "/alerts"})
    return RedirectResponse("/alerts", 303)
