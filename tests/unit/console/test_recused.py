"""回避 on the pages: every form that handles a ticket, tried by whom the ticket is about."""

import pytest
from sqlalchemy import select

from gateway.console.guard import Page
from gateway.console.routes import ACT_ORDER, DISPATCH, EDIT, ROUTES, URGE
from gateway.flow import recusing
from gateway.flow.recusing import Doing
from gateway.tables import TicketRow, WorkOrderRow
from recordings.tables import AuditLineRow
from tests.acceptance import look_morning as scene
from tests.unit.console.conftest import browser

HANDLING = [
    page
    for page in ROUTES
    if page.method == "POST" and page.needs in (EDIT, DISPATCH, URGE, ACT_ORDER)
]

FORM = {"summary": "改", "answer": "已答复", "reason": "不属于", "refer_to": "法院",
        "note": "已告知", "departments": "pension", "result": "已办",
        "question": "请办理"}  # fmt: skip


@pytest.mark.parametrize("page", HANDLING, ids=lambda page: page.path)
def test_handling_a_matter_about_oneself_is_on_record(morning: scene.Morning, page: Page) -> None:
    """403 for the one it is about, and a line that names who and which ticket: committed although
    all that the form did is undone."""
    login = "sun" if page.needs == ACT_ORDER else "wang"
    with morning.parts.database.begin() as session:
        order = session.scalars(select(WorkOrderRow).filter_by(department="pension")).first()
        own = session.scalars(select(TicketRow).filter_by(owner="wang")).first()
        assert order is not None
        assert own is not None
        about = order.ticket_id if login == "sun" else own.id
        by = Doing(session, morning.people["he"], "-", morning.parts.clock())
        recusing.name(by, about, login)
        path = page.path.format(ticket_id=about, number=order.number)
    given = {"file": ("x.txt", b"x", "text/plain")} if path.endswith("/attachments") else None
    assert browser(morning, login).post(path, data=FORM, files=given).status_code == 403
    with morning.parts.database.reading() as session:
        line = session.scalars(select(AuditLineRow).order_by(AuditLineRow.id.desc())).first()
    assert line is not None
    said = (line.action, line.actor, line.obj, line.outcome)
    assert said == ("tickets:ticket:handle", login, f"ticket:{about}", "denied")
