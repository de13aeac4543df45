"""Parked messages: what stopped and why, replayed one by one or all of a department and reason, or
discarded with a reason."""

from collections import Counter

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


def discard(visit: Visit) -> Response:
    """POST /parked/{parked_id}/discard: given up, with a reason."""
    parking.discard_for(
        visit.parts.database, visit.person, visit.number("parked_id"), visit.field("reason"),
        visit.origin, visit.parts.clock,
    )  # fmt: skip
    return _done(visit, "/parked?done=discarded")


def replay_all(visit: Visit) -> Response:
    """POST /parked/replay: all of a department, or of it and one reason; why some did not go is
    told on the page."""
    department = visit.field("department")
    found = parking.replay_all_for(
        visit.parts.database, visit.person, department, visit.origin, visit.parts.clock,
        of=visit.field("why"),
    )  # fmt: skip
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
    kinds = Counter((row.department, parking.why(row)) for row in everywhere if row.department)
    return render.page(
        visit, "pages/parked.html", rows=rows, department=department, found=found,
        kinds=sorted(kinds.items()), codes=CODES, directions=parking.DIRECTIONS,
    )  # fmt: skip
