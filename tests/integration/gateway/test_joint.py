"""Two departments and the hotline act on one ticket at the same moment, on PostgreSQL."""

import threading
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.flow import dispatching, orders, pushing
from gateway.people.roles import Role
from gateway.tables import WorkOrderRow
from gateway.tickets import acts
from queueing.tables import OutboxRow
from tests.rig.postgres import Postgres
from tests.unit.gateway import house
from tests.unit.gateway.house import NOW, who

TURNS = 25
PEOPLE = (
    ("8001", Role.AGENT, None),
    ("sun", Role.OFFICER, "yanglao"),
    ("qian", Role.OFFICER, "gongshang"),
)


def test_acts_on_one_ticket_wait_for_each_other(postgres_cluster: Postgres, tmp_path: Path) -> None:
    """Protects: remarks both ways and urges between them meet nobody half-way (no deadlock), and
    every message has a version of its own, none skipped."""
    url = postgres_cluster.fresh_database()
    with house.house(tmp_path, HOTLINE_DATABASE_URL=url) as parts:
        with parts.database.begin() as session:
            for login, role, department in PEOPLE:
                house.person(session, login, role, department, extension=f"PJSIP/{login}")
            ticket, agent = house.queued(session, house.call(session)), who(session, "8001")
            acts.fill(session, ticket.id, agent, {"kind": "policy", "summary": "?"}, None, NOW)
            acts.accept(session, ticket.id, agent, "示范市", NOW)
            both = dispatching.dispatch(
                session, ticket.id, agent, ["yanglao", "gongshang"], "", NOW
            )
            first, second = (order.number for order in both)

        def remark(session: Session, login: str, number: str) -> None:
            orders.act(session, number, who(session, login), "remark", NOW, result="同意")

        def urge(session: Session, login: str, number: str) -> None:
            pushing.push(session, number, who(session, login), "urge", NOW, reason="急")

        failed: list[BaseException] = []
        begin = threading.Barrier(4)

        def turns(act: Callable[[Session, str, str], None], login: str, number: str) -> None:
            try:
                begin.wait(10)
                for _ in range(TURNS):
                    with parts.database.begin() as session:
                        act(session, login, number)
            except BaseException as error:  # noqa: BLE001 - told below, by its kind
                failed.append(error)

        doing = [(remark, "sun", first), (remark, "qian", second), (urge, "8001", first),
                 (urge, "8001", second)]  # fmt: skip
        threads = [threading.Thread(target=turns, args=one) for one in doing]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert failed == []
        with parts.database.reading() as session:
            versions = dict(
                session.execute(select(WorkOrderRow.number, WorkOrderRow.version)).all()
            )
            keys = set(session.scalars(select(OutboxRow.dedupe_key)))
    assert versions == {first: 1 + 2 * TURNS, second: 1 + 2 * TURNS}
    assert keys == {f"{number}/v{v}" for number in versions for v in range(1, 2 * TURNS + 2)}
