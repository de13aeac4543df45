"""Alerts: told to a role, open until one of them has seen it, and that is on record."""

from sqlalchemy import select

from gateway.flow import glass, log
from gateway.people.roles import Role
from recordings.tables import AuditLineRow, GrantRow
from recordings.tables_log import AlertRow
from tests.acceptance import look_morning as scene
from tests.unit.console.conftest import browser


def told(house: scene.Morning, role: Role, ref: str) -> tuple[int, bool]:
    with house.parts.database.begin() as session:
        new = log.tell(session, role, "checkpoint-late", ref, "一天未送达。 Late.",
                       house.parts.clock())  # fmt: skip
        row = session.scalars(
            select(AlertRow).where(AlertRow.role == role, AlertRow.ref == ref)
        ).first()
        assert row is not None
        return row.id, new


def test_an_alert_stands_until_its_role_has_seen_it(morning: scene.Morning) -> None:
    """The auditor's is on the auditor's page alone; seen once it is done, twice is the same, and
    the log says who. The same alert is told once while it is open."""
    number, new = told(morning, Role.AUDITOR, "/mnt/evidence")
    assert new
    assert told(morning, Role.AUDITOR, "/mnt/evidence") == (number, False)
    auditor, leader = browser(morning, "shen"), browser(morning, "he")
    assert "/mnt/evidence" in auditor.get("/alerts").text
    assert "/mnt/evidence" not in leader.get("/alerts").text
    assert leader.request("POST", f"/alerts/{number}/seen").status_code == 404
    for _ in range(2):
        assert auditor.request("POST", f"/alerts/{number}/seen").status_code in (200, 303)
    with morning.parts.database.reading() as session:
        row = session.get_one(AlertRow, number)
        assert row.seen_by == "shen"
        found = session.scalars(
            select(AuditLineRow.actor).where(AuditLineRow.obj == f"alert:{number}")
        )
        assert list(found) == ["shen"]
    assert auditor.request("POST", "/alerts/999999/seen").status_code == 404


def test_broken_glass_is_before_everybodys_eyes(morning: scene.Morning) -> None:
    """The leader and the auditor are told on the page of alerts; who hears, and who decides, see on
    each page that nobody had granted it."""
    chen, recording = morning.people["chen"], morning.recordings[3]
    with morning.parts.database.begin() as session:
        taken = glass.break_glass(session, chen, [recording], "来电人称要轻生，须立即核对地址",
                                  origin="-", now=morning.parts.clock())  # fmt: skip
        assert isinstance(taken, GrantRow)
        grant, request = taken.id, taken.request_id
    for login in ("he", "shen"):
        page = browser(morning, login).get("/alerts").text
        assert "有 1 条紧急调听" in page
        assert f"request:{request}" in page
    hears, decides = browser(morning, "chen"), browser(morning, "zhou")
    begun = hears.post(f"/recordings/{recording}/plays", data={"grant": str(grant)})
    for client, path in (
        (hears, "/requests"),
        (decides, "/requests"),
        (hears, f"/recordings/{recording}?grant={grant}"),
        (hears, begun.headers["location"]),
    ):
        assert "先听后批" in client.get(path).text
        assert "尚待授权领导补作决定" in client.get(path).text
    assert decides.post(f"/requests/{request}/decide", data={"granted": "1"}).status_code == 400
    decide = {"granted": "1", "lasts_s": "3600"}
    assert decides.post(f"/requests/{request}/decide", data=decide).status_code == 303
    assert "授权领导已补作决定" in hears.get(begun.headers["location"]).text
