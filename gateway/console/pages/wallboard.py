"""The wallboard for supervisors and leaders, and an agent's own state on the desk."""

from starlette.responses import Response

from gateway.console import render
from gateway.console.visit import Visit
from gateway.flow import control, rates, wallboard
from gateway.people.roles import Permission


def show(visit: Visit) -> Response:
    """GET /wallboard, and the same alone for htmx, whenever something has changed."""
    with visit.parts.database.reading() as session:
        board = wallboard.board(session, visit.person, visit.now)
    template = "parts/wall.html" if visit.by_htmx else "pages/wallboard.html"
    acts = visit.person.may(Permission.AGENT_PAUSE_ANY)
    asked = {one.pbx for one in board.links if acts and control.enabled(visit.parts, one.pbx)}
    return render.page(
        visit, template, board=board, floor=rates.FLOOR_PERCENT, acts=acts, asked=asked
    )


def own(visit: Visit) -> Response:
    """GET /desk/presence: what the PBX says of this agent."""
    with visit.parts.database.reading() as session:
        agent = wallboard.own(session, visit.person)
        linked = wallboard.linked(session)
    return render.page(visit, "parts/own_state.html", agent=agent, linked=linked)
