"""The department's desk: what is offered, in hand and answered, and the one in front.

An officer sees their own department's work orders; the caller is left out where the caller asked
for it (保密), which `tickets.views` does before anything comes here.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

from starlette.responses import RedirectResponse, Response

from gateway.console import render
from gateway.console.visit import Visit
from gateway.flow import orders, serving
from gateway.tickets import assigned
from gateway.tickets.lifecycle import OrderState


def show(visit: Visit) -> Response:
    """GET /department: the list in one state, and the work order asked for beside it."""
    return render.page(visit, "pages/department.html", **_context(visit, visit.asked("order")))


def listing(visit: Visit) -> Response:
    """GET /department/list: tabs and list alone, fetched again when something happened."""
    return render.page(visit, "parts/order_list.html", **_context(visit, ""))


def _context(visit: Visit, number: str) -> dict[str, Any]:
    with visit.parts.database.reading() as session:
        counts = assigned.order_counts(session, visit.person)
        front = assigned.order(session, visit.person, number) if number else None
        asked = visit.asked("state")
        if asked not in set(OrderState):
            asked = front.order.state if front else _busiest(counts)
        shown = assigned.orders(session, visit.person, asked)
        if front is None and shown:
            front = assigned.order(session, visit.person, shown[0].order.number)
        files = serving.listed(session, front) if front else ()
    return {
        "state": asked,
        "states": list(OrderState),
        "counts": Counter(counts),
        "orders": shown,
        "view": front,
        "files": files,
        "number": number or visit.asked("front"),
    }


def _busiest(counts: dict[str, int]) -> str:
    """Where an officer looks first: what waits to be signed, else what is in hand."""
    return OrderState.SIGNED if counts and OrderState.OFFERED not in counts else OrderState.OFFERED


def _deed(action: str, done: str) -> Callable[[Visit], Response]:
    def handler(visit: Visit) -> Response:
        number = visit.named("number")
        with visit.parts.database.begin() as session:
            orders.act(
                session,
                number,
                visit.person,
                action,
                visit.now,
                result=visit.field("result"),
                measures=visit.field("measures"),
                reason=visit.field("reason"),
                until=visit.field("until"),
            )
        path = f"/department?order={number}&done={done}"
        if visit.by_htmx:
            return Response(headers={"HX-Redirect": path})
        return RedirectResponse(path, 303)

    return handler


sign = _deed("sign", "signed")
reply = _deed("reply", "replied")
give_back = _deed("return", "returned")
ask_extension = _deed("ask-extension", "extension-asked")
progress = _deed("progress", "progress-told")
remark = _deed("remark", "remarked")
