"""A test message from the state page: sent by who may, and whether it arrived is told."""

import asyncio
from contextlib import aclosing

import pytest
from sqlalchemy import select

from gateway.console.pages import state
from gateway.tables import DepartmentRow
from queueing import messages, topology
from queueing.embedded import Embedded
from queueing.messages import ConnectionTested
from queueing.relay import Relay
from recordings.tables import AuditLineRow
from tests.acceptance import look_morning as scene
from tests.rig.waiting import running
from tests.unit.console.conftest import browser

PATH = "/state/departments/xinxi/test"


@pytest.fixture
def house(bare: scene.Morning) -> scene.Morning:
    """A house with a department that has a system of its own, and one that works by our page."""
    with bare.parts.database.begin() as session:
        session.add(DepartmentRow(code="xinxi", name="信息中心", mode="queue"))
        session.add(DepartmentRow(code="chuangkou", name="窗口", mode="desk"))
    return bare


def test_it_arrives_and_that_is_told(house: scene.Morning) -> None:
    """Through the outbox and the queue to the department's program; on record with who sent it."""
    parts = house.parts

    async def scenario() -> tuple[str, bytes]:
        ours = Embedded(parts.database.begin, parts.clock)
        await ours.declare(["xinxi"])
        client = browser(house, "guan")
        async with running(Relay(parts.database.begin, ours, parts.clock).run()):
            answer = await asyncio.to_thread(client.post, PATH)
        async with asyncio.timeout(10), aclosing(
            ours.deliveries(topology.department_queue("xinxi"))
        ) as arriving:  # fmt: skip
            return answer.headers["location"], (await anext(arriving)).body

    where, body = asyncio.run(scenario())
    assert where == "/state?tested=arrived"
    assert "测试消息已到达" in browser(house, "guan").get(where).text
    message = messages.decode(body).message
    assert isinstance(message, ConnectionTested)
    assert message.department == "xinxi"
    with parts.database.reading() as session:
        asked = select(AuditLineRow.actor, AuditLineRow.outcome)
        found = session.execute(asked.filter_by(action="queueing:department:test")).all()
    assert [tuple(row) for row in found] == [("guan", "ok")]


def test_nobody_carries_it_and_that_is_told(
    house: scene.Morning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the broker away the page does not say that it arrived, and nothing is lost."""
    monkeypatch.setattr(state, "WAIT_S", 0.1)
    client = browser(house, "guan")
    where = client.post(PATH).headers["location"]
    assert where == "/state?tested=waiting"
    assert "消息服务尚未确认" in client.get(where).text


def test_who_has_no_system_is_sent_none(house: scene.Morning) -> None:
    """A desk at our page has nothing to test, nobody knows of a department that is not there."""
    client = browser(house, "guan")
    for code in ("chuangkou", "nowhere"):
        assert client.post(f"/state/departments/{code}/test").status_code == 400
    page = client.get("/state").text
    assert PATH in page
    assert "chuangkou/test" not in page
