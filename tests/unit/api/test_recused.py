"""回避 over HTTP: who may not handle a ticket is told 403, changes nothing, and is on record."""

from typing import Any

import pytest
from sqlalchemy import select

from gateway.flow import recusing
from gateway.flow.recusing import Doing
from gateway.tables import TicketRow, WorkOrderRow
from recordings.tables import AuditLineRow
from tests.unit.api.scene import Scene
from tests.unit.gateway.house import NOW

ACTS: list[tuple[str, str, str, Any]] = [
    ("8001", "PATCH", "/tickets/{ticket}", {"fields": {"summary": "改"}}),
    ("8001", "POST", "/tickets/{ticket}/register", None),
    ("8001", "POST", "/tickets/{ticket}/accept", None),
    ("8001", "POST", "/tickets/{ticket}/answer", {"answer": "x"}),
    ("8001", "POST", "/tickets/{ticket}/refuse", {"reason": "x", "refer_to": "y"}),
    ("8001", "POST", "/tickets/{dispatched}/dispatch", {"departments": ["gongshang"]}),
    ("8001", "POST", "/tickets/{dispatched}/close", {"note": "x"}),
    ("8001", "POST", "/tickets/{ticket}/attachments", {"name": "x.txt", "content": "eA=="}),
    ("officer", "POST", "/work-orders/{order}/sign", None),
    ("officer", "POST", "/work-orders/{order}/reply", {"result": "x", "measures": ""}),
    ("officer", "POST", "/work-orders/{order}/return", {"reason": "x"}),
]


def stands(made: Scene) -> list[tuple[Any, ...]]:
    """Every ticket and work order as it is."""
    with made.parts.database.reading() as session:
        tickets = session.execute(select(TicketRow.id, TicketRow.state, TicketRow.version))
        orders = session.execute(select(WorkOrderRow.id, WorkOrderRow.state))
        return [*map(tuple, tickets.all()), *map(tuple, orders.all())]


@pytest.mark.parametrize(("login", "method", "path", "body"), ACTS, ids=lambda one: str(one)[:40])
def test_a_refused_handling_is_on_record(
    there: Scene, login: str, method: str, path: str, body: Any
) -> None:
    """Neither handle, nor …: the attempt leaves its line although all that it did is undone."""
    numbers = [int(there.ids["ticket"]), int(there.ids["dispatched"])]
    with there.parts.database.begin() as session:
        by = Doing(session, there.people["leader"], "-", NOW)
        for number in numbers:
            recusing.name(by, number, login)
    before = stands(there)
    answer = there.ask(login, method, path.format(**there.ids), body)
    assert (answer.status_code, "回避" in answer.json()["message"]) == (403, True)
    assert stands(there) == before
    with there.parts.database.reading() as session:
        line = session.scalars(select(AuditLineRow).order_by(AuditLineRow.id.desc())).first()
    assert line is not None
    of = there.ids["ticket" if "{ticket}" in path else "dispatched"]
    said = (line.action, line.actor, line.obj, line.outcome, line.origin)
    assert said == ("tickets:ticket:handle", login, f"ticket:{of}", "denied", "testclient")
