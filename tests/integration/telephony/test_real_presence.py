"""Presence on a real Asterisk 22: what agents do, who waits, and right again after a gap."""

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import select

from telephony.address import Address
from telephony.line import Line
from telephony.session import Timing
from telephony.tables import AgentStateRow, CallLegRow, LinkStateRow, QueueStateRow
from tests.integration.telephony.conftest import Gateway, clock
from tests.rig.asterisk import PHONES_AT, Pbx
from tests.rig.phone import phones
from tests.rig.proxy import Proxy
from tests.rig.scenarios.scene import Scene
from tests.unit.telephony.house import PBX

GUEST = "Local/8002@agents"
"""A member that logs on and off; those of queues.conf cannot."""


@pytest.fixture
def tidy(pbx: Pbx) -> Iterator[None]:
    """The PBX is other tests' as well."""
    yield
    pbx.cli("queue unpause member PJSIP/8001")
    pbx.cli("queue unpause member PJSIP/8003")
    pbx.cli(f"queue remove member {GUEST} from policy")
    pbx.phones("answer")


def agents(gateway: Gateway) -> dict[str, tuple[str, str]]:
    with gateway.store.begin() as session:
        rows = session.scalars(select(AgentStateRow))
        return {row.interface: (row.state, row.reason) for row in rows}


def since(gateway: Gateway, interface: str) -> int:
    with gateway.store.begin() as session:
        return session.get_one(AgentStateRow, (PBX, interface)).since_at


def waiting(gateway: Gateway) -> tuple[int, int | None]:
    with gateway.store.begin() as session:
        row = session.get_one(QueueStateRow, (PBX, "hotline"))
        return row.waiting, row.oldest_at


@pytest.mark.usefixtures("tidy")
def test_every_state_as_the_pbx_tells_it(pbx: Pbx, sqlite_url: str) -> None:
    """空闲, 振铃, 通话, 小休 with its reason, 话后整理, 离线; and a caller who waits."""
    gateway = Gateway(pbx, sqlite_url)
    seen: set[str] = set()

    def looked(true: Callable[[], bool]) -> bool:
        seen.update(state for state, _ in agents(gateway).values())
        return true()

    async def until(true: Callable[[], bool]) -> None:
        await gateway.until(lambda: looked(true))

    async def scenario() -> None:
        await until(lambda: len(agents(gateway)) == 4)
        assert set(agents(gateway).values()) == {("idle", "")}
        pbx.phones("late")
        caller = pbx.begin_calls(1, 1, 4500)
        await until(lambda: waiting(gateway)[0] == 1)
        await until(lambda: "talking" in seen and waiting(gateway) == (0, None))
        await asyncio.to_thread(caller.communicate)
        await until(lambda: set(agents(gateway).values()) == {("idle", "")})
        for command, expected in (
            ("queue pause member PJSIP/8001 queue hotline reason meal", ("break", "meal")),
            ("queue pause member PJSIP/8001 queue hotline reason wrapup", ("after_call", "")),
            ("queue unpause member PJSIP/8001", ("idle", "")),
        ):
            pbx.cli(command)
            await until(lambda expected=expected: agents(gateway)["PJSIP/8001"] == expected)  # type: ignore[misc]
        pbx.cli(f"queue add member {GUEST} to policy penalty 0 as guest")
        await until(lambda: agents(gateway).get(GUEST) == ("idle", ""))
        pbx.cli(f"queue remove member {GUEST} from policy")
        await until(lambda: agents(gateway)[GUEST] == ("offline", ""))

    gateway.run(scenario)
    assert seen == {"idle", "ringing", "talking", "break", "after_call", "offline"}


@pytest.mark.usefixtures("tidy")
def test_right_within_two_seconds_of_coming_back(pbx: Pbx, sqlite_url: str) -> None:
    """The link is cut; one agent logs off, one goes to lunch, one comes back from a break, one
    caller leaves and another joins. What the wall shows then is so."""
    gateway = Gateway(pbx, sqlite_url)
    proxy = Proxy("127.0.0.1", pbx.ami_port)

    async def scenario() -> None:
        server = await asyncio.start_server(proxy._serve, "127.0.0.1", 0)
        port = int(server.sockets[0].getsockname()[1])
        gateway.line = Line(
            Address.parse(pbx.url.replace(f":{pbx.ami_port}", f":{port}")),
            pbx=PBX,
            on_batch=gateway._take,
            clock=clock,
            timing=Timing(pause_first_s=0.1, pause_most_s=0.3),
        )
        line = asyncio.create_task(gateway.line.run())
        try:
            await in_the_gap(server, port)
        finally:
            line.cancel()
            await asyncio.gather(line, return_exceptions=True)
            await proxy.stop()

    async def in_the_gap(server: asyncio.Server, port: int) -> None:
        pbx.phones("ring")
        pbx.cli(f"queue add member {GUEST} to policy penalty 0 as guest")
        pbx.cli("queue pause member PJSIP/8003 queue hotline reason break")
        first = pbx.begin_calls(1, 1, 20_000)
        await gateway.until(lambda: "PJSIP/8001" in agents(gateway) and waiting(gateway)[0] == 1)
        before = agents(gateway)
        assert (before[GUEST], before["PJSIP/8003"]) == (("idle", ""), ("break", "break"))
        server.close()
        proxy.cut()
        await gateway.until(lambda: not gateway.line.connected)

        pbx.cli(f"queue remove member {GUEST} from policy")
        pbx.cli("queue unpause member PJSIP/8003")
        pbx.cli("queue pause member PJSIP/8001 queue hotline reason meal")
        paused_at = clock()
        pbx.cli("channel request hangup all")
        await asyncio.to_thread(first.communicate)
        second = pbx.begin_calls(1, 1, 20_000)
        await asyncio.sleep(2.5)
        assert agents(gateway) == before

        again = await asyncio.start_server(proxy._serve, "127.0.0.1", port)
        await gateway.until(lambda: gateway.line.connected)
        back = time.monotonic()
        await gateway.until(
            lambda: (
                agents(gateway)[GUEST] == ("offline", "")
                and agents(gateway)["PJSIP/8001"] == ("break", "meal")
                and agents(gateway)["PJSIP/8003"][0] in {"idle", "ringing"}
                and waiting(gateway)[0] == 1
            )
        )
        assert time.monotonic() - back < 2
        assert abs(since(gateway, "PJSIP/8001") - paused_at) < 2_000_000
        _, oldest_at = waiting(gateway)
        assert oldest_at is not None
        assert 1_000_000 < clock() - oldest_at < 8_000_000
        pbx.cli("channel request hangup all")
        await asyncio.to_thread(second.communicate)
        await gateway.until(lambda: waiting(gateway) == (0, None))
        again.close()

    asyncio.run(scenario())
    gateway.store.engine.dispose()


@pytest.mark.usefixtures("tidy")
def test_right_within_two_seconds_of_the_pbxs_boot(pbx: Pbx, sqlite_url: str) -> None:
    """A PBX that boots lets us in before it has its queues, and knows no QueueStatus then. What an
    agent did before is forgotten there; here as well, as soon as the PBX serves callers again."""
    gateway = Gateway(pbx, sqlite_url, Timing(pause_first_s=0.05, pause_most_s=0.05))
    early: list[bool] = []

    async def scenario() -> None:
        pbx.cli("queue pause member PJSIP/8001 queue hotline reason meal")
        await gateway.until(lambda: agents(gateway).get("PJSIP/8001") == ("break", "meal"))
        await asyncio.to_thread(pbx.stop)
        await gateway.until(lambda: not gateway.line.connected)
        booting = asyncio.create_task(asyncio.to_thread(pbx.start))
        await gateway.until(lambda: gateway.line.connected)
        early.append(not booting.done())
        await booting
        booted = time.monotonic()
        await gateway.until(lambda: agents(gateway)["PJSIP/8001"] == ("idle", ""))
        assert time.monotonic() - booted < 2

    gateway.run(scenario)
    assert early == [True]


def on_hold(gateway: Gateway) -> bool | None:
    """What the call's leg says; None while nobody has the caller."""
    with gateway.store.begin() as session:
        leg = session.scalars(select(CallLegRow).where(CallLegRow.answered_at.is_not(None))).first()
        return None if leg is None else leg.held_at is not None


@pytest.mark.usefixtures("tidy")
def test_a_hold_begun_or_ended_while_nobody_listened_is_known_at_once(
    pbx: Pbx, sqlite_url: str
) -> None:
    """The tile and the call's leg say 保持 only while the caller hears music, gap or no gap: by the
    account we ship, which may do no more than ask."""
    pbx.phones(None)
    with phones((PHONES_AT, pbx.phone_port), pbx.sip_port, answers=False) as desks:
        on = Scene(pbx, desks)
        caller = on.caller(20_000)
        call = desks.rung().answer()
        device = f"PJSIP/{call.extension}"
        for act, state in (
            (on.pause, "talking"),
            (call.hold, "holding"),
            (on.pause, "holding"),
            (call.resume, "talking"),
        ):
            act()
            on.pause(0.5)
            gateway = Gateway(pbx, sqlite_url)

            async def known(gateway: Gateway = gateway, state: str = state) -> None:
                await gateway.until(
                    lambda: (
                        agents(gateway).get(device) == (state, "")
                        and on_hold(gateway) is (state == "holding")
                    ),
                    within_s=2,
                )

            gateway.run(known)
            with gateway.store.begin() as session:
                assert session.scalars(select(LinkStateRow.unknown_events)).one() == 0
        call.hang_up()
        on.over(caller)
