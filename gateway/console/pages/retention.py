"""Keeping and destroying: months and when they are due, holds, what failed, certificates."""

import json

from starlette.responses import RedirectResponse, Response

from gateway.console import render
from gateway.console.visit import Visit
from gateway.errors import BadInput
from gateway.flow import keeping, staying
from gateway.numbers import natural
from gateway.people import accounts


def show(visit: Visit) -> Response:
    """GET /retention: what goes when, and why some of it stays."""
    with visit.parts.database.reading() as session:
        view = keeping.view(session, visit.person, visit.now)
    return render.page(visit, "pages/retention.html", view=view, why=staying.WHY)


def certificate(visit: Visit) -> Response:
    """GET /retention/certificates/{plan_id}: one certificate, to be read and printed."""
    with visit.parts.database.reading() as session:
        row = keeping.certificate(session, visit.person, visit.number("plan_id"))
        said = json.loads(row.text)
        names = accounts.named(session, {said["asked_by"], said["confirmed_by"]})
    return render.page(
        visit, "pages/certificate.html", row=row, said=said, names=names, why=staying.WHY
    )


def hold(visit: Visit) -> Response:
    """POST /retention/holds: a recording, or all of a ticket, by number."""
    number = natural(visit.field("number"))
    if not number:
        raise BadInput(
            {"number": "请填写录音或工单编号。 Give the number of a recording or ticket."}
        )
    ticket = visit.field("of") == "ticket"
    with visit.parts.database.begin() as session:
        keeping.hold(
            session,
            visit.person,
            recording_id=None if ticket else number,
            ticket_id=number if ticket else None,
            why=visit.field("why"),
            origin=visit.origin,
            now=visit.now,
        )
    return RedirectResponse("/retention?done=held", 303)


def lift(visit: Visit) -> Response:
    """POST /retention/holds/{hold_id}/lift: by somebody else than who placed it."""
    with visit.parts.database.begin() as session:
        keeping.lift(
            session, visit.person, visit.number("hold_id"), origin=visit.origin, now=visit.now
        )
    return RedirectResponse("/retention?done=lifted", 303)
