"""No statement of work orders' daily way reads a table of old rows from end to end.

What each act really says to the database is caught and explained again, beside twenty thousand old
rows: so a statement that is written anew later is looked at as well. `tests.bench.old` measures the
same with as many rows as one likes.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.engine import Connection

from gateway.flow import answering, backlog, metrics, pushing, whereabouts
from gateway.parts import Parts
from gateway.people.roles import Role
from gateway.tables import DepartmentRow, TicketRow, WorkOrderRow
from gateway.tickets import views
from queueing import depth, due, inbox, messages
from queueing.messages import Signed
from tests.bench import old
from tests.unit.gateway import house
from tests.unit.gateway.house import NOW, S

OLD = ("ticket", "work_order", "outbox", "inbox")
ROWS = 20_000


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def parts(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Parts]:
    more = {}
    if request.param == "postgresql":
        cluster = request.getfixturevalue("postgres_cluster")
        more = {"HOTLINE_DATABASE_URL": cluster.fresh_database()}
    with house.house(tmp_path_factory.mktemp("house"), **more) as made:
        with made.database.begin() as session:
            session.add(DepartmentRow(code="sb", name="社保局", mode="queue"))
            house.person(session, "chen", Role.SUPERVISOR)
        old.fill(made, ROWS)
        with made.database.begin() as session:
            ticket = TicketRow(state="dispatched", kind="policy", acceptance_no="1", opened_at=NOW)
            session.add(ticket)
            session.flush()
            session.add(WorkOrderRow(number="WO-1", ticket_id=ticket.id, department="sb", lead=True,
                                     question="?", offered_at=NOW))  # fmt: skip
        yield made


@contextmanager
def said(parts: Parts) -> Iterator[list[tuple[str, Any]]]:
    """Every statement that is said meanwhile, with its values."""
    found: list[tuple[str, Any]] = []

    def heard(_c: Any, _u: Any, statement: str, values: Any, _x: Any, many: bool) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "INSERT", "WITH")):
            found.append((statement, values[0] if many else values))

    engines = {parts.database.engine, parts.database._brief}
    for engine in engines:
        event.listen(engine, "before_cursor_execute", heard)
    try:
        yield found
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", heard)


def scanned(connection: Connection, statement: str, values: Any) -> list[str]:
    """The tables of old rows that the plan reads from end to end."""
    sqlite = connection.dialect.name == "sqlite"
    explain = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
    plan = "\n".join(
        str(row[-1]) for row in connection.exec_driver_sql(explain + statement, values)
    )
    what = r"\bSCAN (\w+)(?! USING)" if sqlite else r"Seq Scan on (\w+)"
    return [table for table in re.findall(what, plan) if table in OLD]


def push(parts: Parts) -> None:
    with parts.database.begin() as session:
        pushing.push(session, "WO-1", house.who(session, "chen"), "urge", NOW, reason="x")


def carry(parts: Parts) -> None:
    with parts.database.reading() as session:
        assert due.look(session, NOW + S) is not None
    with parts.database.begin(lasting=False) as session:
        rows = due.claim(session, now=NOW + S, lease_us=60 * S, limit=100)
        due.confirm(session, [(row, NOW + S) for row in rows], NOW + 2 * S)


def answer(parts: Parts) -> None:
    reply = Signed(work_order="WO-1", version=1, department="sb", by="张三")
    body = messages.encode(reply, event_id="e1", source="urn:d", time_us=NOW)
    for _ in range(2):  # the second is a repetition
        with parts.database.begin() as session:
            inbox.apply(session, messages.decode(body),
                        lambda s, said: answering.apply(s, said, NOW), NOW)  # fmt: skip


def look(parts: Parts) -> None:
    with parts.database.reading() as session:
        depth.waiting(session)
        depth.by_department(session)
        backlog.look(session, NOW)
        metrics.families(session, NOW, broker=False)


def show(parts: Parts) -> None:
    with parts.database.reading() as session:
        chen = house.who(session, "chen")
        number = session.scalar(select(WorkOrderRow.ticket_id).filter_by(number="WO-1"))
        view = views.ticket(session, chen, number or 0)
        assert whereabouts.of_orders(session, view.orders, NOW)["WO-1"].steps
        assert whereabouts.of_order(session, chen, "OLD-7", NOW).steps[-1].reached


@pytest.mark.parametrize("act", [push, carry, answer, look, show])
def test_old_rows_are_not_read(parts: Parts, act: Callable[[Parts], None]) -> None:
    """Protects: put, claim and mark, a reply and its repetition, the figures, a ticket's page: each
    costs the same after ten years as on the first day."""
    if act is carry:
        push(parts)
    with said(parts) as statements:
        act(parts)
    assert statements
    with parts.database.engine.connect() as connection:
        for statement, values in statements:
            assert scanned(connection, statement, values) == [], statement


def test_a_scan_would_be_seen(parts: Parts) -> None:
    """Protects: the test above can fail."""
    with parts.database.engine.connect() as connection:
        found = scanned(connection, "SELECT * FROM outbox WHERE trouble = 'x'", ())
    assert found == ["outbox"]


def test_the_house_is_old(parts: Parts, tmp_path: Path) -> None:
    """Protects: the plans are those of tables that hold something."""
    del tmp_path
    with parts.database.reading() as session:
        assert session.query(WorkOrderRow).count() > ROWS
