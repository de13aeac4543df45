"""话后整理 by itself: once after each call, as long as is set, never over somebody's wish."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.exchange import Exchange
from gateway.flow import breaks, wrapup
from gateway.flow.control import Asking
from gateway.parts import Parts
from gateway.people.roles import Role
from gateway.tables import AgentPauseRow
from recordings.tables import AuditLineRow
from telephony.tables import CallLegRow, CallRow
from tests.rig.acting import Acting, acting
from tests.unit.gateway import house
from tests.unit.gateway.house import NOW, S

PHONE = "PJSIP/8001"


@pytest.fixture
def pbx() -> Iterator[Acting]:
    with acting() as up:
        yield up


@pytest.fixture
def parts(tmp_path: Path, pbx: Acting, database_url: str) -> Iterator[Parts]:
    more = {"HOTLINE_PBX_CONTROL_URL": pbx.url, "HOTLINE_DATABASE_URL": database_url,
            "HOTLINE_WRAP_UP": "45 policy=90 short=0"}  # fmt: skip
    with house.house(tmp_path, **more) as made:
        yield replace(made, clock=lambda: NOW + 2 * S)


@pytest.fixture
def agent(parts: Parts) -> Asking:
    with parts.database.begin() as session:
        who = house.person(session, "8001", Role.AGENT, extension=PHONE)
    return Asking(parts, who, "-")


def talks(parts: Parts, *, queue: str | None = "hotline", name: str = "1795400000.7") -> int:
    """A call that 8001 answers at NOW + 1 s."""
    with parts.database.begin() as session:
        call = house.call(session, name)
        call.queue, call.state, call.answered_at = queue, "talking", NOW + S
        session.add(CallLegRow(call_id=call.id, leg=name, interface=PHONE, member="",
                               answered_at=NOW + S, result="answered", held_us=0))  # fmt: skip
        return call.id


def over(parts: Parts, call_id: int, at: int = NOW + 9 * S) -> None:
    """The agent's part and the call end, as the PBX tells of it."""
    with parts.database.begin() as session:
        session.scalars(select(CallLegRow).where(CallLegRow.call_id == call_id)).one().ended_at = at
        call = session.get_one(CallRow, call_id)
        call.last_agent = PHONE
        house.ended(session, call, "answered")
        call.ended_at = at


def keep(parts: Parts, at: int) -> None:
    """What the switchboard does every two seconds."""
    then = replace(parts, clock=lambda: at)
    wrapup.keep(then, exchange(parts), {})  # remembers nothing, as after a start anew
    breaks.keep(then, "pbx1")


def exchange(parts: Parts) -> Exchange:
    return parts.settings.pbxs[0]


def rows(parts: Parts) -> list[AgentPauseRow]:
    with parts.database.reading() as session:
        return list(session.scalars(select(AgentPauseRow).order_by(AgentPauseRow.id)))


def asked(pbx: Acting) -> list[str]:
    return [one["Paused"] for one in pbx.asked]


@pytest.mark.parametrize(("queue", "lasts"), [("hotline", 45), ("policy", 90), (None, 45)])
def test_it_begins_in_the_call_and_counts_from_its_end(
    parts: Parts, pbx: Acting, agent: Asking, queue: str | None, lasts: int
) -> None:
    """Paused while they talk, so that nothing rings in between; out again to the second."""
    call = talks(parts, queue=queue)
    keep(parts, NOW + 2 * S)
    keep(parts, NOW + 4 * S)
    assert (asked(pbx), pbx.asked[0]["Reason"]) == (["true"], "wrapup")
    assert rows(parts)[0].until_at is None
    over(parts, call)
    keep(parts, NOW + 10 * S)
    assert rows(parts)[0].until_at == NOW + 9 * S + lasts * S
    keep(parts, NOW + 9 * S + lasts * S - 1)
    assert asked(pbx) == ["true"]
    keep(parts, NOW + 9 * S + lasts * S)
    assert asked(pbx) == ["true", "false"]
    keep(parts, NOW + 9 * S + lasts * S + S)
    assert [row.ended_by for row in rows(parts)] == ["time"]
    with parts.database.reading() as session:
        lines = session.scalars(select(AuditLineRow).order_by(AuditLineRow.id)).all()
        assert [(line.action, line.actor, line.outcome) for line in lines] == [
            ("control:agent:pause", "gateway", "ok"), ("control:agent:ready", "gateway", "ok"),
        ]  # fmt: skip


def test_a_queue_that_asks_for_none_has_none(parts: Parts, pbx: Acting, agent: Asking) -> None:
    """0 seconds, a phone that is no agent's, and a house that sets nothing: nobody is paused."""
    talks(parts, queue="short")
    keep(parts, NOW + 2 * S)
    nothing = replace(exchange(parts), wrap_up=())
    talks(parts, name="1795400000.8")
    wrapup.keep(parts, nothing, {})
    assert pbx.asked == []


def test_who_is_ready_early_stays_ready(parts: Parts, pbx: Acting, agent: Asking) -> None:
    """Done is done: the same call pauses nobody twice, the next one does."""
    call = talks(parts)
    keep(parts, NOW + 2 * S)
    over(parts, call)
    keep(parts, NOW + 10 * S)
    breaks.ready(agent)
    keep(parts, NOW + 12 * S)
    assert asked(pbx) == ["true", "false"]
    assert rows(parts)[0].ended_by == "8001"


def test_a_pbx_whose_clock_is_ahead(parts: Parts, pbx: Acting, agent: Asking) -> None:
    """By its times the pause began before the answer; who is ready is not paused for ever again."""
    behind = replace(parts, clock=lambda: NOW - 30 * S)
    talks(parts)
    seen: dict[str, int] = {}
    wrapup.keep(behind, exchange(parts), seen)
    breaks.ready(replace(agent, parts=behind))
    wrapup.keep(behind, exchange(parts), seen)
    assert asked(pbx) == ["true", "false"]


def test_a_call_shorter_than_the_look_is_written_up_too(
    parts: Parts, pbx: Acting, agent: Asking
) -> None:
    """It was over before it was seen; one that is over for longer than the wrap-up is not."""
    over(parts, talks(parts))
    keep(parts, NOW + 60 * S)
    assert pbx.asked == []
    keep(parts, NOW + 10 * S)
    assert asked(pbx) == ["true"]
    assert rows(parts)[0].until_at == NOW + 54 * S


def test_what_somebody_asked_for_goes_before_it(parts: Parts, pbx: Acting, agent: Asking) -> None:
    """Lunch chosen during the call stays lunch, and a wrap-up by hand keeps its own time."""
    call = talks(parts)
    breaks.pause(agent, "meal")
    keep(parts, NOW + 2 * S)
    over(parts, call)
    keep(parts, NOW + 10 * S)
    assert [(row.reason, row.asked_by, row.until_at) for row in rows(parts)] == [
        ("meal", "8001", None)
    ]
    breaks.pause(agent, "wrapup")
    assert rows(parts)[1].until_at == NOW + 2 * S + breaks.WRAP_UP_US


def test_a_pbx_that_says_no_is_not_asked_again_for_that_call(
    parts: Parts, pbx: Acting, agent: Asking
) -> None:
    """It is on record, nobody is shown as paused, and no act a second comes of it."""
    pbx.why = "Interface not found"
    talks(parts)
    keep(parts, NOW + 2 * S)
    keep(parts, NOW + 4 * S)
    assert asked(pbx) == ["true"]
    assert [row.ended_by for row in rows(parts)] == ["failed"]
    with parts.database.reading() as session:
        assert list(session.scalars(select(AuditLineRow.outcome))) == ["ok", "failed"]
