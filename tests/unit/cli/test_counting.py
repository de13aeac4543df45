"""`hotline figures`: the same numbers for people and for programs, and what they may lack."""

from datetime import datetime

import pytest

from gateway import compose, settings
from gateway.tickets.clocks import china
from telephony.tables import CallRow, LinkGapRow
from tests.unit.cli.conftest import Hotline

S = 1_000_000


@pytest.fixture
def counted(ready: Hotline) -> Hotline:
    """A house in which three called today: two were answered, one of them late; one gave up."""
    with compose.opened(settings.read()) as parts, parts.database.begin() as session:
        now = parts.clock()
        for number, wait in enumerate((4 * S, 20 * S, None)):
            at = now - S
            session.add(
                CallRow(pbx="pbx1", linkedid=f"x.{number}", direction="inbound", caller_number="",
                        caller_name="", dialled="12333", queue="hotline", state="ended",
                        arrived_at=at, queued_at=at, ended_at=at + 60 * S, talk_ms=30_000,
                        answered_at=None if wait is None else at + wait,
                        outcome="abandoned" if wait is None else "answered")
            )  # fmt: skip
    return ready


def test_todays_figures_for_people(counted: Hotline) -> None:
    """Chinese first, each rate with its two numbers and its floor; nothing is said to be missing
    where nothing is."""
    said = counted("figures")
    assert said.status == 0
    lines = [" ".join(line.split()) for line in said.out.splitlines()]
    assert "人工接通率 66% 2/3 ≥95% 未达 below answered / asked" in lines
    assert "15 秒应答率 50% 1/2 ≥80% 未达 below within 15 s / answered" in lines
    assert "平均等待 12.0 s 24.0 s/2 average wait" in lines
    assert "平均通话 30.0 s 60.0 s/2 average talk" in lines
    assert "可能不全" not in said.out


def test_an_open_interval_is_named(counted: Hotline) -> None:
    """Which PBX was not heard from when on: in the text and in the document."""
    with compose.opened(settings.read()) as parts, parts.database.begin() as session:
        began = parts.clock() - 2 * S
        session.add(LinkGapRow(pbx="pbx1", began_at=began, reason="closed"))
    said = counted("figures")
    assert "可能不全" in said.out
    assert f"pbx1  {china(began).isoformat()} –" in said.out
    data = counted("figures", "--json").data
    assert data["answered_rate"] == {
        "numerator": 2, "denominator": 3, "percent": 66, "floor_percent": 95, "met": False,
    }  # fmt: skip
    assert data["incomplete"] == [{"pbx": "pbx1", "began": china(began).isoformat(), "ended": None}]


def test_a_span_is_asked_for(counted: Hotline) -> None:
    """A day long ago has no calls and no rate; a span that ends before it begins is refused."""
    day = counted("figures", "--since", "2020-01-01", "--until", "2020-01-02", "--json").data
    assert (day["calls"], day["answered_rate"]["percent"]) == (0, None)
    assert datetime.fromisoformat(day["since"]).isoformat() == "2020-01-01T00:00:00+08:00"
    wrong = counted("figures", "--since", "2020-01-02", "--until", "2020-01-01")
    assert wrong.status == 1
    assert "止须晚于起" in wrong.err
