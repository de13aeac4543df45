"""Parked messages: what stopped and why, replayed one by one or all of a department."""

from starlette.responses import RedirectResponse, Response

from gateway.console import render
from gateway.console.visit import Visit
from gateway.flow import parking
from gateway.flow.parking import Replayed
from queueing.errors import CODES


def show(visit: Visit) -> Response:
    """GET /parked, or of one department."""
    return _page(visit, visit.request.query_params.get("department", ""), None)


def replay(visit: Visit) -> Response:
    """POST /parked/{parked_id}/replay."""
    parking.replay_for(
        visit.parts.database, visit.person, visit.number("parked_id"), visit.origin,
        visit.parts.clock,
    )  # fmt: skip
    return _done(visit, "/parked?done=replayed")


def replay_all(visit: Visit) -> Response:
    """POST /parked/replay: all of a department; why some did not go is told on the page."""
    department = visit.field("department")
    found = parking.replay_all_for(
        visit.parts.database, visit.person, department, visit.origin, visit.parts.clock
    )
    if found.refused:
        return _page(visit, department, found)
    return _done(visit, "/parked?done=replayed")


def _done(visit: Visit, path: str) -> Response:
    if visit.by_htmx:
        return Response(headers={"HX-Redirect": path})
    return RedirectResponse(path, 303)


def _page(visit: Visit, department: str, found: Replayed | None) -> Response:
    with visit.parts.database.reading() as session:
        rows = parking.listed(session, visit.person, department)
        everywhere = parking.listed(session, visit.person) if department else rows
    return render.page(
        visit, "pages/parked.html", rows=rows, department=department, found=found,
        departments=sorted({row.department for row in everywhere if row.department}),
        codes=CODES, directions=parking.DIRECTIONS,
    )  # fmt: skip
