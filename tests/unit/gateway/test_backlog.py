"""Messages that pile up are told of once, and cleared when they are gone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.flow import alerts, backlog
from gateway.parts import Parts
from gateway.people.roles import Role
from queueing import due, outbox
from recordings.tables import AuditLineRow
from recordings.tables_log import AlertRow
from tests.rig.workorders import offered
from tests.unit.gateway import house
from tests.unit.gateway.house import NOW, S


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    with house.house(tmp_path) as made:
        yield made


def put(parts: Parts, number: int, department: str, now: int) -> None:
    with parts.database.begin() as session:
        outbox.put(session, offered(number, department=department), department=department,
                   ordering_key=str(number), dedupe_key=str(number), now=now)  # fmt: skip


def carry(parts: Parts, now: int) -> None:
    with parts.database.begin() as session:
        claimed = due.claim(session, now=now, lease_us=S, limit=10)
        due.confirm(session, [(row, now) for row in claimed], now)


def told(parts: Parts) -> list[tuple[str, str | None]]:
    with parts.database.reading() as session:
        rows = session.scalars(select(AlertRow).filter_by(kind=backlog.KIND).order_by(AlertRow.id))
        return [(row.text, row.seen_by) for row in rows]


def test_it_is_told_after_a_minute_and_cleared_when_it_is_gone(parts: Parts) -> None:
    """Protects: one alert for the house while the oldest waits over 60 s, none before; closed by
    itself, and that is in the log."""
    put(parts, 1, "yanglao", NOW)
    put(parts, 2, "gongshang", NOW + S)
    put(parts, 3, "yanglao", NOW + 50 * S)
    assert backlog.turn(parts.database, NOW + 60 * S) is None
    assert backlog.turn(parts.database, NOW + 62 * S) == "tell"
    assert backlog.turn(parts.database, NOW + 62 * S) is None
    ((text, seen_by),) = told(parts)
    assert text.startswith("3 条消息自")
    assert "gongshang, yanglao" in text
    assert seen_by is None
    carry(parts, NOW + 70 * S)
    carry(parts, NOW + 70 * S)
    assert backlog.turn(parts.database, NOW + 71 * S) == "clear"
    assert backlog.turn(parts.database, NOW + 72 * S) is None
    assert [who for _, who in told(parts)] == [alerts.BY_ITSELF]
    with parts.database.reading() as session:
        line = session.scalars(select(AuditLineRow).filter_by(action="log:alert:clear")).one()
        assert (line.actor, line.outcome) == ("gateway", "ok")


def test_who_has_seen_it_is_left_alone_for_an_hour(parts: Parts) -> None:
    """Protects: the same outage does not ring again each five seconds once somebody looks at it."""
    put(parts, 1, "yanglao", NOW)
    with parts.database.begin() as session:
        guan = house.person(session, "guan", Role.ADMINISTRATOR)
    assert backlog.turn(parts.database, NOW + 61 * S) == "tell"
    with parts.database.begin() as session:
        alerts.see(session, guan, 1, "-", NOW + 65 * S)
    assert backlog.turn(parts.database, NOW + 70 * S) is None
    assert backlog.turn(parts.database, NOW + 3_700 * S) == "tell"
