"""The agent's desk: the call, the caller, the form, the lists.

The page is made once; afterwards `live` brings the strip, the tabs and the lists up to date, and
`work` brings another ticket onto the desk, each as htmx's out-of-band pieces. What is being typed
is in none of those pieces except `work`, which the page asks for only when the form is saved.
"""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response

from gateway.console import render
from gateway.console.visit import Visit, row_id
from gateway.flow import calling, control, whereabouts
from gateway.people import accounts
from gateway.people.roles import Permission
from gateway.tables import TicketRow
from gateway.tickets import assigned, desks, followup, views
from gateway.tickets.lifecycle import TicketState

AT_HAND = (
    TicketState.DRAFT,
    TicketState.REGISTERED,
    TicketState.ACCEPTED,
    TicketState.RETURNED,
    TicketState.REPLIED,
)
"""States in which the agent has the next step: these tickets lie on the desk as tabs."""
TABS = 6


def show(visit: Visit) -> Response:
    """GET /desk: everything, the ticket asked for (or the present call's) in front."""
    with visit.parts.database.reading() as session:
        desk = desks.desk(session, visit.person)
        asked = visit.asked("ticket")
        front = row_id(asked) if asked else _front(desk)
        context = work_of(session, visit, front)
    on = {"desk_control_on": control.enabled(visit.parts, visit.person.pbx)}
    return render.page(visit, "pages/desk.html", **_lists(desk, front), **context, **on)


def live(visit: Visit) -> Response:
    """GET /desk/live: what may change while somebody types; also what an act at the desk did."""
    asked = visit.asked("front") or visit.field("front")
    front = row_id(asked) if asked else None
    with visit.parts.database.reading() as session:
        desk = desks.desk(session, visit.person)
        asks = _asks(session, visit, front)
    lists = _lists(desk, front)
    return render.page(visit, "parts/desk_live.html", oob=True, **lists, **asks)


def _asks(session: Session, visit: Visit, front: int | None) -> dict[str, Any]:
    """Which call the ticket in front asks for; it may be another's by now."""
    row = session.scalar(
        select(TicketRow).where(TicketRow.id == front, views.readable(visit.person))
    )
    return {
        "row": row,
        "purpose": calling.purpose_of(row) if row is not None else None,
        "barred": _barred(session, visit, row),
        "control_on": control.enabled(visit.parts, visit.person.pbx),
    }


def work(visit: Visit) -> Response:
    """GET /desk/work/{ticket_id}: another ticket onto the desk."""
    return fragment(visit, visit.number("ticket_id"))


def fragment(visit: Visit, ticket_id: int, done: str = "") -> Response:
    """The work place with this ticket, and beside it, out of band, the caller and the lists."""
    with visit.parts.database.reading() as session:
        desk = desks.desk(session, visit.person)
        context = work_of(session, visit, ticket_id)
    return render.page(
        visit, "parts/desk_work.html", oob=True, **_lists(desk, ticket_id), **context, done=done
    )


def work_of(session: Session, visit: Visit, ticket_id: int | None) -> dict[str, Any]:
    """What the work place and the caller's side show of a ticket."""
    if ticket_id is None:
        return {"view": None, "history": []}
    view = views.ticket(session, visit.person, ticket_id)
    return {
        "view": view,
        "history": views.history(session, visit.person, view),
        **orders_of(session, visit, view),
        "back": "desk",
        "purpose": calling.purpose_of(view.row),
        "barred": _barred(session, visit, view.row),
        "handling": _handling(session, visit, view.row),
        "control_on": control.enabled(visit.parts, visit.person.pbx),
    }


def orders_of(session: Session, visit: Visit, view: views.TicketView) -> dict[str, Any]:
    """What its work orders are shown with: departments, names, and where each of them is."""
    departments = assigned.departments(session)
    return {
        "departments": departments,
        "department_names": {row.code: row.name for row in departments},
        "names": _names(session, view),
        "timelines": whereabouts.of_orders(session, view.orders, visit.now),
    }


def _barred(session: Session, visit: Visit, row: TicketRow | None) -> str:
    """Why this ticket's follow-up is not for who looks; empty where it is, or asks for none."""
    if row is None or calling.purpose_of(row) != "followup":
        return ""
    return followup.barred(session, row, visit.person)


def _handling(session: Session, visit: Visit, row: TicketRow) -> str:
    """Who handled a ticket that waits for its follow-up, and who may do it: for a supervisor."""
    if row.state != TicketState.REPLIED or not visit.person.may(Permission.TICKET_READ_ALL):
        return ""
    return followup.who_may(session, followup.handlers(session, row))


def _names(session: Session, view: views.TicketView) -> dict[str, str]:
    """Login → name of everybody in the ticket's story; a department's system names its own."""
    logins = {view.row.owner} | {step.actor for step in view.steps}
    logins |= {pause.paused_by for pause in view.pauses} | {row.asked_by for row in view.placed}
    for order in view.orders:
        logins |= {order.signed_by, order.replied_by, order.returned_by}
    return accounts.named(session, logins)


def _front(desk: desks.Desk) -> int | None:
    if desk.current is not None:
        return desk.current.row.id
    tabs = _tabs(desk, None)
    return tabs[0].id if tabs else None


def _lists(desk: desks.Desk, front: int | None) -> dict[str, Any]:
    return {"desk": desk, "front": front, "tabs": _tabs(desk, front)}


def _tabs(desk: desks.Desk, front: int | None) -> list[TicketRow]:
    """What lies on the desk: newest first, so that a new call's ticket comes where one looks."""
    rows = {row.id: row for row in desk.mine_open if row.state in AT_HAND or row.id == front}
    if desk.current is not None:
        rows = {desk.current.row.id: desk.current.row} | rows
    for row in desk.follow_ups_due:
        if row.id == front:
            rows = {row.id: row} | rows
    kept = list(rows.values())[:TABS]
    if front is not None and front in rows and rows[front] not in kept:
        kept[-1] = rows[front]
    return kept
