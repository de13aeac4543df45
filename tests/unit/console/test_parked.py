"""Parked messages at the console: told within seconds, replayed by who may, each on record."""

import asyncio
import time

from sqlalchemy import select

from gateway.flow import parking
from gateway.people.roles import Role
from queueing import parked
from queueing.tables import OutboxRow, ParkedRow
from recordings.tables import AuditLineRow
from recordings.tables_log import AlertRow
from tests.acceptance import look_morning as scene
from tests.rig.waiting import running, until
from tests.unit.console.conftest import browser


def park_out(house: scene.Morning, count: int) -> list[int]:
    """Work orders that no queue took, each with its row in the outbox."""
    with house.parts.database.begin() as session:
        rows = session.scalars(select(OutboxRow).order_by(OutboxRow.id).limit(count)).all()
        made = []
        for row in rows:
            row.state = "parked"
            dead = parked.park_dead(
                session, routing_key=row.routing_key, dedupe_key=row.dedupe_key, body=row.body,
                reason="没有接收队列 no queue takes it", now=house.parts.clock(),
            )  # fmt: skip
            made.append(dead.id)
        return made


def park_noise(house: scene.Morning, department: str) -> int:
    with house.parts.database.begin() as session:
        return parked.park_reply(
            session, routing_key=f"reply.{department}.v1", body=department.encode(),
            code="unreadable", reason="消息无法识别。 Not readable.", now=house.parts.clock(),
        ).id  # fmt: skip


def outcomes(house: scene.Morning, parked_id: int) -> list[tuple[str, str]]:
    with house.parts.database.reading() as session:
        lines = select(AuditLineRow.actor, AuditLineRow.outcome)
        rows = session.execute(lines.filter_by(obj=f"parked:{parked_id}"))
        return [(actor, outcome) for actor, outcome in rows]


def test_what_is_parked_is_an_alert_within_ten_seconds(bare: scene.Morning) -> None:
    """Whoever keeps the house hears of it, once for a department and way, and again only after
    somebody has seen that; told once even where the process that parked it tells nobody."""

    def alerts() -> list[AlertRow]:
        with bare.parts.database.reading() as session:
            return list(session.scalars(select(AlertRow).filter_by(kind="message-parked")))

    async def scenario() -> float:
        async with running(parking.alarm(bare.parts.database, bare.parts.clock)):
            await asyncio.sleep(0.2)
            began = time.monotonic()
            park_noise(bare, "yanglao")
            await until(alerts, seconds=10)
            took = time.monotonic() - began
            with bare.parts.database.begin() as session:
                parked.park_reply(session, routing_key="reply.yanglao.v1", body=b"more",
                                  reason="r", now=2)  # fmt: skip
            await until(lambda: not parking._untold(bare.parts.database), seconds=10)
            return took

    assert asyncio.run(scenario()) < 10
    (alert,) = alerts()
    assert (alert.role, alert.ref) == (Role.ADMINISTRATOR, "in:yanglao")
    page = browser(bare, "guan").get("/alerts").text
    assert "消息搁置" in page


def test_one_is_replayed_by_its_button(morning: scene.Morning) -> None:
    """The work order waits again under the key it had; who did it is on record; twice is told."""
    (number,) = park_out(morning, 1)
    client = browser(morning, "guan")
    page = client.get("/parked").text
    assert f"/parked/{number}/replay" in page
    assert client.request("POST", f"/parked/{number}/replay").status_code == 303
    with morning.parts.database.reading() as session:
        row = session.get_one(ParkedRow, number)
        assert session.get_one(OutboxRow, row.outbox_id).state == "waiting"
    again = client.request("POST", f"/parked/{number}/replay")
    assert again.status_code == 409
    assert outcomes(morning, number) == [("guan", "ok"), ("guan", "failed")]


def test_all_of_a_department_are_replayed(morning: scene.Morning) -> None:
    """Those that make sense go, those that do not stay with their reason, another's are left."""
    sent = park_out(morning, 50)
    code = department(morning, sent[0])
    good = [one for one in sent if department(morning, one) == code]
    number, other = park_noise(morning, code), park_noise(morning, "elsewhere")
    page = browser(morning, "guan").post("/parked/replay", data={"department": code}).text
    assert f"已重发 {len(good)} 条" in page
    with morning.parts.database.reading() as session:
        still = {row.id for row in parked.unresolved(session, 500)}
    assert {number, other} <= still
    assert not still & set(good)
    assert outcomes(morning, number)[-1] == ("guan", "failed")
    empty = browser(morning, "guan").post("/parked/replay", data={"department": ""})
    assert empty.status_code == 400


def department(house: scene.Morning, number: int) -> str:
    with house.parts.database.reading() as session:
        return session.get_one(ParkedRow, number).department


def test_one_is_discarded_with_a_reason(morning: scene.Morning) -> None:
    """Protects: what is given up leaves the list and stays in the table, with who and why, and in
    the log; without a reason, or twice, it is refused; the same bytes may be parked anew."""
    number = park_noise(morning, "given-up")
    client = browser(morning, "guan")
    assert f"/parked/{number}/discard" in client.get("/parked").text
    path = f"/parked/{number}/discard"
    assert client.post(path, data={"reason": "  "}).status_code == 400
    assert client.post(path, data={"reason": "字" * 501}).status_code == 400
    assert client.post(path, data={"reason": "已电话告知，重复发送"}).status_code == 303
    assert client.post(path, data={"reason": "again"}).status_code == 409
    assert f"/parked/{number}/discard" not in client.get("/parked").text
    assert client.post(f"/parked/{number}/replay").status_code == 409
    with morning.parts.database.reading() as session:
        row = session.get_one(ParkedRow, number)
        assert (row.discarded_by, row.discard_reason) == ("guan", "已电话告知，重复发送")
        acts = session.scalars(select(AuditLineRow.action).filter_by(obj=f"parked:{number}"))
        assert list(acts) == ["queueing:message:discard", "queueing:message:replay"]
    assert park_noise(morning, "given-up") != number


def test_one_reason_of_a_department_is_replayed(morning: scene.Morning) -> None:
    """Protects: when one cause is mended, what stopped for another is left where it is."""
    (sent,) = park_out(morning, 1)
    code = department(morning, sent)
    noise = park_noise(morning, code)
    client = browser(morning, "guan")
    answer = client.post("/parked/replay", data={"department": code, "why": "dead"})
    assert answer.status_code == 303
    assert outcomes(morning, sent)[-1] == ("guan", "ok")
    assert noise in {row.id for row in listed(morning, code)}


def listed(house: scene.Morning, code: str) -> list[ParkedRow]:
    with house.parts.database.reading() as session:
        return parked.unresolved(session, 500, code)
