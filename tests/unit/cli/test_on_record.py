"""Acts that happen seldom, and are on record like every other."""

import pytest
from sqlalchemy import select

from gateway import compose, serve, settings
from gateway.cli import departments
from gateway.flow import keeping
from queueing import parked
from recordings.clocked import Sighting
from recordings.tables import AuditLineRow, RecordingRow
from tests.unit.cli.conftest import Hotline
from tests.unit.gateway.house import recording

DAY = 86_400_000_000


def lines(action: str) -> list[tuple[str, str, str]]:
    """Who, object, outcome of the log's lines of that act."""
    with compose.opened(settings.read()) as parts, parts.database.reading() as session:
        found = session.scalars(select(AuditLineRow).where(AuditLineRow.action == action))
        return [(row.actor, row.obj, row.outcome) for row in found]


def test_another_phone(ready: Hotline) -> None:
    """Whose calls pop up where, and who said so."""
    assert ready("user", "phone", "admin", "PJSIP/8009").status == 0
    assert lines("people:account:phone") == [("operator", "account:admin", "ok")]


def test_a_checkpoint_on_demand(ready: Hotline) -> None:
    """Somebody at the machine had the log signed."""
    assert ready("audit", "checkpoint").status == 0
    assert [one[0] for one in lines("log:checkpoint:sign")] == ["operator"]


def test_a_parked_message_sent_again(ready: Hotline) -> None:
    """A person's second try with what stopped; one that is refused again leaves it parked."""
    with compose.opened(settings.read()) as parts, parts.database.begin() as session:
        row = parked.park_reply(session, routing_key="reply.x.v1", body=b"x", reason="r", now=1)
        number = row.id
    assert ready("parked", "replay", str(number)).status == 1
    assert lines("queueing:message:replay") == [("operator", f"parked:{number}", "failed")]


def test_a_test_message(ready: Hotline, monkeypatch: pytest.MonkeyPatch) -> None:
    """A word to somebody outside; with no gateway running the command says that it did not
    arrive, and a department without a system is sent none."""
    monkeypatch.setattr(departments, "TEST_WAIT_S", 0.1)
    assert ready("department", "add", "sb", "社保局", "--mode", "queue").status == 0
    assert ready("department", "add", "jy", "就业局").status == 0
    said = ready("department", "test", "sb")
    assert said.status == 1
    assert "尚未确认" in said.out + said.err
    assert ready("department", "test", "jy").status != 0
    assert lines("queueing:department:test") == [("operator", "department:sb", "ok")]


def test_a_process_that_starts(ready: Hotline) -> None:
    """From when which duties ran: what was not watched, and for how long, can be told."""
    with compose.opened(settings.read()) as parts:
        serve._started(parts, ["timers", "web"])
    ((actor, host, outcome),) = lines("gateway:process:start")
    assert (actor, host.startswith("host:"), outcome) == ("gateway", True, "ok")


@pytest.mark.usefixtures("ready")
def test_a_plan_that_came_to_nothing() -> None:
    """The clock was set forward, a plan was made, the clock is right again: void, and on record."""
    with compose.opened(settings.read()) as parts:
        now = parts.clock()
        month = parts.recipients.key_ids()[0]
        with parts.database.begin() as session:
            recording(session)
            row = session.scalars(select(RecordingRow)).one()
            row.key_id, row.recorded_at, row.sealed_at = month, now, now
        keeping.look(parts, Sighting(now + 3 * 365 * DAY, "boot", 1))
        assert [one[0] for one in lines("retention:plan:propose")] == ["timers"]
        keeping.look(parts, Sighting(now, "boot", DAY))
    assert [one[2] for one in lines("retention:plan:void")] == ["failed"]
