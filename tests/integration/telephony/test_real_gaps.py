"""A real PBX that dies, falls silent or outlives us: every interval recorded, every call ended."""

import asyncio
import signal
import time

from sqlalchemy import select

from telephony import backfill, cel
from telephony.facts import Queued
from telephony.session import Timing
from telephony.tables import CallRow, LinkGapRow
from tests.integration.telephony.conftest import Gateway
from tests.rig import cel_file
from tests.rig.asterisk import Pbx
from tests.unit.telephony.house import fill


def gaps(gateway: Gateway) -> list[LinkGapRow]:
    with gateway.store.begin() as session:
        rows = list(session.scalars(select(LinkGapRow).order_by(LinkGapRow.id)))
        session.expunge_all()
        return rows


def calls(gateway: Gateway) -> list[CallRow]:
    with gateway.store.begin() as session:
        rows = list(session.scalars(select(CallRow).order_by(CallRow.arrived_at)))
        session.expunge_all()
        return rows


def test_a_pbx_killed_in_mid_call_and_back(pbx: Pbx, sqlite_url: str) -> None:
    """-9 with a call up: the call ends as a gap, the line returns, the next call works."""
    gateway = Gateway(pbx, sqlite_url)

    async def scenario() -> None:
        caller = pbx.begin_calls(1, 1, 20_000)
        await gateway.until(lambda: any(row.state == "talking" for row in calls(gateway)))
        await asyncio.to_thread(pbx.kill)
        await gateway.until(lambda: not gateway.line.connected)
        await asyncio.to_thread(pbx.start)
        up = time.monotonic()
        await gateway.until(lambda: gateway.line.connected)
        await gateway.settled()
        assert time.monotonic() - up < 4
        caller.kill()
        await asyncio.to_thread(caller.communicate)
        await asyncio.sleep(1)
        await asyncio.to_thread(pbx.place_calls, 1, 1, 1500)
        await gateway.settled()

    gateway.run(scenario)
    ended = [(row.outcome, row.cause) for row in calls(gateway)]
    assert ended == [("answered", "gap"), ("answered", "caller")]
    first, last = gaps(gateway)
    assert (first.reason, last.reason) == ("closed", "stopped")
    assert first.ended_at is not None
    assert first.ended_at > first.began_at
    assert first.backfilled_at is None


def test_a_pbx_that_stands_still_is_noticed_and_found_again(pbx: Pbx, sqlite_url: str) -> None:
    """SIGSTOP leaves the socket open and silent, as a cut cable does."""
    gateway = Gateway(pbx, sqlite_url, Timing(ping_s=0.5, answer_s=0.5, pause_first_s=0.1))

    async def scenario() -> None:
        pbx.signal(signal.SIGSTOP)
        try:
            await gateway.until(lambda: not gateway.line.connected, within_s=3)
        finally:
            pbx.signal(signal.SIGCONT)
        await gateway.until(lambda: gateway.line.connected)
        await asyncio.to_thread(pbx.place_calls, 1, 1, 1000)
        await gateway.settled()

    gateway.run(scenario)
    assert [gap.reason for gap in gaps(gateway)] == ["silent", "stopped"]
    assert [row.outcome for row in calls(gateway)] == ["answered"]


def test_a_gateway_that_was_away_finds_the_calls_that_are_up(pbx: Pbx, sqlite_url: str) -> None:
    """Restarted in mid-call: one call goes on to its true end, one begun meanwhile is found."""
    first = Gateway(pbx, sqlite_url)
    callers = []

    async def before() -> None:
        callers.append(pbx.begin_calls(1, 1, 6_000))
        await first.until(lambda: any(row.state == "talking" for row in calls(first)))

    first.run(before)
    callers.append(pbx.begin_calls(1, 1, 5_000))
    time.sleep(1)
    second = Gateway(pbx, sqlite_url)

    async def after() -> None:
        await second.until(lambda: len(calls(second)) == 2)
        for caller in callers:
            await asyncio.to_thread(caller.communicate)
        await second.settled()

    second.run(after)
    ended = [(row.outcome, row.cause) for row in calls(second)]
    assert ended == [("answered", "caller"), ("answered", "caller")]
    assert all(row.first_agent for row in calls(second))
    assert [gap.reason for gap in gaps(second)] == ["stopped", "stopped"]
    assert gaps(second)[0].ended_at is not None


def test_calls_nobody_heard_are_made_good_from_the_pbxs_log(pbx: Pbx, sqlite_url: str) -> None:
    """The gateway is down while two callers are served: afterwards each has its record."""
    first = Gateway(pbx, sqlite_url)

    async def nothing() -> None:
        pass

    first.run(nothing)
    since = time.time_ns() // 1000  # this PBX has served other tests' callers shortly before
    pbx.place_calls(2, 2, 1500)
    time.sleep(1)
    second = Gateway(pbx, sqlite_url)
    second.run(nothing)
    # Later than any end can be late: another test has killed this PBX under its calls.
    now = time.time_ns() // 1000 + 2 * backfill.END_LATE_US
    known = cel.calls(cel_file.read(pbx.cel))
    with second.store.begin() as session:
        facts = fill(session, known, read_until_at=now, now=now)
    rows = [row for row in calls(second) if row.arrived_at >= since]
    assert [(row.outcome, row.recording_expected) for row in rows] == [("answered", True)] * 2
    assert len([f for f in facts if isinstance(f, Queued) and f.at >= since]) == 2
    assert [gap.backfilled_at is not None for gap in gaps(second)] == [True, False]
