"""Work orders on the pages: where each is, changing one that is out, and what an officer tells."""

from datetime import timedelta

from sqlalchemy import select, update

from gateway.tables import TicketRow, TicketStepRow, WorkOrderRow
from gateway.tickets.clocks import china
from queueing import due
from queueing.tables import OutboxRow
from tests.acceptance import look_morning as scene
from tests.unit.console.conftest import browser


def order(house: scene.Morning, department: str, state: str) -> WorkOrderRow:
    with house.parts.database.reading() as session:
        asked = select(WorkOrderRow).filter_by(department=department, state=state)
        return session.scalars(asked.order_by(WorkOrderRow.id)).first() or WorkOrderRow()


def last_step(house: scene.Morning, of: WorkOrderRow) -> tuple[str, str]:
    with house.parts.database.reading() as session:
        asked = select(TicketStepRow).filter_by(ticket_id=of.ticket_id)
        row = session.scalars(asked.order_by(TicketStepRow.id.desc())).first()
        assert row is not None
        return row.action, row.why


def test_the_clerk_reads_where_each_order_is(morning: scene.Morning) -> None:
    """Protects: the row of steps is on the ticket's page, the present one marked, the gap named;
    fetched alone it is the same, and moves on when the message is in its queue."""
    of = order(morning, "pension", "offered")
    with morning.parts.database.begin() as session:  # since a minute ago
        session.execute(update(OutboxRow).values(committed_at=OutboxRow.committed_at - 60_000_000))
    client = browser(morning, "chen")
    whole = client.get(f"/tickets/{of.ticket_id}").text
    alone = client.get(f"/tickets/{of.ticket_id}/orders").text
    for page in (whole, alone):
        assert page.count('aria-current="step"') >= 1
        assert "积压待发" in page
        assert f"/tickets/{of.ticket_id}/orders" in page
    database, now = morning.parts.database, morning.parts.clock()
    with database.begin() as session:
        while rows := due.claim(session, now=now, lease_us=1_000_000, limit=500):
            due.confirm(session, [(row, now) for row in rows], now)
    assert "积压待发" not in client.get(f"/tickets/{of.ticket_id}/orders").text


def test_an_order_is_changed_on_the_page(morning: scene.Morning) -> None:
    """Protects: what is left empty stays; the day is the supervisor's to move; what was wrong is
    said at its field."""
    of = order(morning, "pension", "offered")
    client, path = browser(morning, "chen"), f"/tickets/{of.ticket_id}/change"
    form = {"order": of.number, "reason": "来电人补充", "question": "请核查三月", "due": ""}
    assert client.post(path, data=form).headers["location"].endswith("done=changed")
    assert last_step(morning, of)[0] == "change"
    again = client.post(path, data=form)
    assert again.status_code == 400
    assert "没有改动" in again.text
    assert "已变更" in client.get(f"/tickets/{of.ticket_id}?done=changed").text
    with morning.parts.database.reading() as session:
        assert session.get_one(WorkOrderRow, of.id).question == "请核查三月"
        assert session.get_one(TicketRow, of.ticket_id).demand != ""


def test_the_officer_asks_tells_and_remarks(morning: scene.Morning) -> None:
    """Protects: the desk page offers what a department's program can say, and each reaches the
    ticket's story; what is missing is said."""
    client = browser(morning, "sun")
    of = order(morning, "pension", "offered")
    assert client.post(f"/department/orders/{of.number}/sign").status_code == 303
    page = client.get(f"/department?order={of.number}").text
    path = f"/department/orders/{of.number}"
    day = f"{china(morning.parts.clock()) + timedelta(days=60):%Y-%m-%d}"
    for act, said, action in (
        ("progress", {"result": "正在核实"}, "progress"),
        ("remark", {"result": "请医保一并看"}, "remark"),
        ("ask-extension", {"until": day, "reason": "须外单位协助"}, "ask-extension"),
    ):
        assert f"{path}/{act}" in page
        assert client.post(f"{path}/{act}", data={}).status_code == 400
        assert client.post(f"{path}/{act}", data=said).status_code == 303
        assert last_step(morning, of)[0] == action
    assert "正在核实" in client.get(f"/department?order={of.number}").text
