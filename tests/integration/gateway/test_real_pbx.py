"""`hotline serve` on a real Asterisk 22: whoever calls, and killed in whatever state a call is."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from gateway import compose, doctor, settings
from gateway.tables import RecordingLinkRow, TicketRow, TicketStepRow
from recordings.tables import RecordingRow
from telephony.tables import CallLegRow, CallRow, JournalRow, LinkGapRow, LinkStateRow
from tests.rig.asterisk import PHONES_AT, Pbx, asterisk
from tests.rig.gateway import PASSWORD, Gateway, gateway
from tests.rig.phone import phones
from tests.rig.scenarios.scene import FORGED, Scene, other

pytestmark = pytest.mark.alone
WITHIN_S = 30.0


@pytest.fixture(scope="module")
def pbx() -> Iterator[Pbx]:
    with asterisk() as up:
        yield up


def read(house: Gateway, look: Callable[[Any], Any]) -> Any:
    """What `look` reads from the house's database."""
    with compose.opened(settings.read(house.environ)) as parts, parts.database.reading() as session:
        return look(session)


def until(house: Gateway, look: Callable[[Any], Any], within_s: float = WITHIN_S) -> Any:
    """The same, as soon as it is true."""
    with compose.opened(settings.read(house.environ)) as parts:
        deadline = time.monotonic() + within_s
        while True:
            with parts.database.reading() as session:
                if found := look(session):
                    return found
            assert time.monotonic() < deadline, f"not within {within_s} s"
            time.sleep(0.05)


CALLERS: list[tuple[tuple[str, str], tuple[str, str]]] = [
    (("", "Anonymous"), ("", "Anonymous")),
    (("anonymous", "Anonymous"), ("anonymous", "Anonymous")),
    (("13800138101", "张三"), ("13800138101", "张三")),
    (("13800138102", "𠮷野家📞"), ("13800138102", "𠮷野家📞")),
    (("+8613800138103", "\udcff\udcfe"), ("+8613800138103", "\ufffd\ufffd")),
    (("13800138104", "$(id)<script>x</script>"), ("13800138104", "$(id)<script>x</script>")),
    (("13800138105", "../../etc/passwd"), ("13800138105", "../../etc/passwd")),
    (("13800138106", "甲\u2028Uniqueid: 6.6"), ("13800138106", "甲\ufffdUniqueid: 6.6")),
    ((FORGED, "x"), ("138Linkedid6.6EventHangupUniqueid7.7", "x")),
    (("%ff" + FORGED, "x"), ("138Linkedid6.6EventHangupUniqueid7.7", "x")),
    (("%3Cscript%3E138", "名" * 60), ("<script>138", "名" * 26)),
]
"""Number and name as they are in SIP; and as they are known ever after."""


def test_whoever_calls_reaches_ticket_page_and_recording(pbx: Pbx, tmp_path: Path) -> None:
    """No number, names in any writing, and bytes meant to forge a header, run a command, leave a
    folder or a page: each is one answered call with its own ticket and recording, named by the
    PBX's own id; pages show text, and the log shows nothing of it."""
    with gateway(tmp_path, pbx, {}) as house:
        said = pbx.place_calls(len(CALLERS), 2.5, 1200, callers=[sent for sent, _ in CALLERS])
        assert (said.successful, said.failed) == (len(CALLERS), 0)
        until(house, lambda s: s.scalar(_count(RecordingLinkRow)) == len(CALLERS))
        calls = read(house, lambda s: s.scalars(select(CallRow).order_by(CallRow.arrived_at)).all())
        assert [(call.caller_number, call.caller_name) for call in calls] == [k for _, k in CALLERS]
        assert {(call.outcome, call.state) for call in calls} == {("answered", "ended")}
        tickets = read(house, lambda s: s.scalars(select(TicketRow).order_by(TicketRow.id)).all())
        assert [ticket.caller_phone for ticket in tickets] == [known[0] for _, known in CALLERS]
        recordings = read(house, lambda s: s.scalars(select(RecordingRow)).all())
        assert {row.name for row in recordings} == {call.linkedid for call in calls}
        keys = [row.object_key for row in recordings]
        assert all(re.fullmatch(r"[0-9]{4}/[0-9/]+/[\w-]+/[\w.-]+", key) for key in keys)
        assert read(house, lambda s: s.scalars(select(LinkStateRow.unknown_events)).one()) == 0
        heard = b"".join(read(house, lambda s: s.scalars(select(JournalRow.raw)).all()))
        assert b"\r\nUniqueid: 7.7" not in heard
        began = re.findall(rb"Event: Newchannel\r\n(?:[^\r]+\r\n)+?Context: from-pstn", heard)
        assert len(CALLERS) - 3 <= len(began) < len(CALLERS)  # the forged ones, and no text at all
        pages = asyncio.run(_pages(house, [ticket.id for ticket in tickets]))
        assert not [page for page in pages if re.search("<script>(x|138)|\u2028", page)]
        assert [n for n, page in enumerate(pages) if "$(id)&lt;script&gt;x&lt;/script&gt;" in page]
        assert "𠮷野家📞" in pages[3]
        log = house.log.read_text(encoding="utf-8")
        for trace in ("1380013", "138Link", "6.6", "7.7", "script", "张三", "𠮷", "passwd", "\x1b"):
            assert trace not in log


async def _pages(house: Gateway, tickets: list[int]) -> list[str]:
    cookie = await house.client.browser("supervisor", PASSWORD)
    found = []
    for ticket in tickets:
        answer = await house.client.browse(f"/tickets/{ticket}", cookie)
        assert answer.status == 200
        found.append(answer.body.decode())
    return found


def _count(table: type[Any]) -> Any:
    return select(func.count()).select_from(table)


def killed(house: Gateway, meanwhile: Callable[[], object] = lambda: None) -> None:
    """-9, then `meanwhile`, then started again; returns when the PBX is heard."""
    house.kill()
    meanwhile()
    heard = house.log.read_bytes().count(b"connected")
    house.start()
    deadline = time.monotonic() + WITHIN_S
    while house.log.read_bytes().count(b"connected") == heard:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_killed_in_every_state_of_one_call(pbx: Pbx, tmp_path: Path) -> None:
    """While a phone rings, in talk, on hold, in a transfer that is answered meanwhile, and in a
    conference another agent enters meanwhile: one call, one ticket, each agent's part."""
    pbx.phones(None)
    with (
        gateway(tmp_path, pbx, {}) as house,
        phones((PHONES_AT, pbx.phone_port), pbx.sip_port, answers=False) as desks,
    ):
        on = Scene(pbx, desks)

        def state(wanted: str) -> None:
            until(house, lambda s: s.scalars(select(CallRow.state)).one_or_none() == wanted)

        caller = on.caller(60_000)
        first = desks.rung()
        state("offered")
        killed(house)
        first.answer()
        state("talking")
        killed(house)
        first.hold()
        state("held")
        killed(house)
        first.resume()
        state("talking")
        to = other(first.extension)
        first.transfer(to)
        second = desks.rung(to)
        state("transferring")
        killed(house, second.answer)
        state("talking")
        second.transfer("7900")
        state("transferring")
        third = desks.dial(to, "7900").up()
        state("talking")
        killed(house, lambda: desks.dial(first.extension, "7900").up())
        until(house, lambda s: s.scalar(_count(CallLegRow)) == 4)
        third.hang_up()
        on.pause()
        pbx.cli("channel request hangup all")
        state("ended")
        caller.communicate(timeout=10)
        until(house, lambda s: s.scalar(_count(RecordingLinkRow)) == 1)
        agents = [f"PJSIP/{e}" for e in (first.extension, to, to, first.extension)]
        read(house, lambda session: _whole(session, agents))


def _whole(session: Any, agents: list[str]) -> None:
    call = session.scalars(select(CallRow)).one()
    legs = session.scalars(select(CallLegRow).order_by(CallLegRow.id)).all()
    assert [leg.interface for leg in legs] == agents
    assert {leg.result for leg in legs} == {"answered"}
    assert all(leg.answered_at < leg.ended_at <= call.ended_at for leg in legs)
    assert legs[0].held_us > 0
    assert [f"PJSIP/{legs[0].passed_to}", legs[1].passed_to] == [agents[1], "7900"]
    ticket = session.scalars(select(TicketRow)).one()
    assert (f"PJSIP/{ticket.owner}", ticket.call_back) == (agents[0], "none")
    actions = session.scalars(select(TicketStepRow.action).order_by(TicketStepRow.id)).all()
    assert actions.count("answer-call") == 4
    link = session.scalars(select(RecordingLinkRow)).one()
    assert (link.call_id, link.ticket_id) == (call.id, ticket.id)
    assert session.scalars(select(LinkGapRow.reason)).all() == ["killed"] * 5
    assert session.scalars(select(LinkStateRow.unknown_events)).one() == 0


def test_doctor_sees_a_pbx_whose_events_bear_no_time(pbx: Pbx, tmp_path: Path) -> None:
    """Without timestampevents no new channel passes the shipped filter: said before the first call,
    and what to set. A PBX that may not be asked is not accused."""
    conf = pbx.directory / "etc" / "manager.conf"
    shipped = conf.read_text(encoding="utf-8")
    environ = {"HOTLINE_STATE": str(tmp_path), "HOTLINE_PBX_URL": pbx.url}

    def found() -> doctor.Finding:
        return next(one for one in doctor.examine(settings.read(environ)) if "pbx" in one.part)

    assert found().works
    try:
        conf.write_text(shipped.replace("timestampevents = yes", ""), encoding="utf-8")
        said = found()
        assert not said.works
        assert "set timestampevents = yes" in said.says
        pbx.cli("module unload func_config.so")
        assert found().works
    finally:
        conf.write_text(shipped, encoding="utf-8")
        pbx.cli("module load func_config.so")
