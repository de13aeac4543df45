"""Calls from a ticket, silence in a recording, pauses: on a real Asterisk, by people's own acts."""

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.demo.client import Client
from tests.acceptance.test_main_job import settled, until
from tests.rig.asterisk import PHONES_AT, Pbx, asterisk
from tests.rig.gateway import PASSWORD, Gateway, gateway
from tests.rig.phone import Phones, phones
from tests.rig.scenarios.scene import CALLER

pytestmark = [pytest.mark.alone, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def pbx() -> Iterator[Pbx]:
    with asterisk(phones=None) as up:
        yield up


@pytest.fixture
def house(tmp_path: Path, pbx: Pbx) -> Iterator[Gateway]:
    with gateway(tmp_path, pbx, {}) as up:
        yield up


@pytest.fixture
def desks(pbx: Pbx) -> Iterator[Phones]:
    with phones((PHONES_AT, pbx.phone_port), pbx.sip_port, answers=False) as on:
        yield on


def given_up(pbx: Pbx, desks: Phones) -> None:
    """A caller who hangs up while a phone rings."""
    caller = pbx.begin_calls(1, 1, 1500, callers=[CALLER])
    desks.rung()
    caller.communicate(timeout=30)


async def detail(client: Client, token: str, ticket: int) -> Any:
    return (await client.json("GET", f"/tickets/{ticket}", token)).data


async def to_call_back(client: Client, token: str) -> int:
    """The one ticket that asks for it."""

    async def due() -> int:
        listed = (await client.json("GET", "/desk", token)).data["call_backs_due"]
        return int(listed[0]["id"]) if listed else 0

    found: int = await until(due)
    return found


async def outcome(client: Client, token: str, ticket: int, nth: int) -> str:
    """How the ticket's `nth` call ended."""

    async def over() -> str:
        calls = (await detail(client, token, ticket))["calls"]
        return calls[nth]["outcome"] or "" if len(calls) > nth else ""

    found: str = await until(over)
    return found


def test_an_abandoned_caller_is_called_back_from_the_ticket(
    house: Gateway, pbx: Pbx, desks: Phones
) -> None:
    """Busy at first: the ticket still asks. Answered then: settled, both calls on the one ticket in
    order with the recording, and every call on CEL has its record."""
    since = datetime.now(UTC).isoformat()
    client = house.client

    async def story() -> None:
        token = await client.sign_in("8001", PASSWORD)
        await asyncio.to_thread(given_up, pbx, desks)
        ticket = await to_call_back(client, token)
        rung = len([d for d in desks.dialogs if d.extension == "8001"])
        placed = await client.json("POST", f"/tickets/{ticket}/call", token)
        assert placed.status == 201, placed.body
        assert placed.data["purpose"] == "callback"
        (await asyncio.to_thread(desks.rung, "8001", rung + 1)).answer()
        (await asyncio.to_thread(desks.rung, CALLER[0])).refuse()
        assert await outcome(client, token, ticket, 1) == "busy"
        assert (await detail(client, token, ticket))["ticket"]["call_back"] == "due"

        assert (await client.json("POST", f"/tickets/{ticket}/call", token)).status == 201
        again = await client.json("POST", f"/tickets/{ticket}/call", token)
        assert again.status == 409, "a second call at the same phone"
        (await asyncio.to_thread(desks.rung, "8001", rung + 2)).answer()
        person = (await asyncio.to_thread(desks.rung, CALLER[0], 2)).answer()
        await asyncio.sleep(1.5)
        assert (await client.json("GET", "/desk", token)).data["current"] == ticket
        person.hang_up()
        assert await outcome(client, token, ticket, 2) == "answered"

        async def recorded() -> Any:
            found = await detail(client, token, ticket)
            named = [recording["name"] for recording in found["recordings"]]
            return found if found["calls"][2]["linkedid"] in named else None

        found = await until(recorded)
        assert found["ticket"]["call_back"] == "done"
        assert [call["direction"] for call in found["calls"]] == ["inbound", *["outbound"] * 2]
        # The PBX may leave an empty file of a call that nobody answered: it comes before.
        assert found["recordings"][-1]["name"] == found["calls"][2]["linkedid"]
        assert found["calls"][2]["linkedid"] == found["placed"][1]["uniqueid"]
        actions = [step["action"] for step in found["steps"]]
        assert actions == ["open", "abandon", "place-callback", "not-reach", "place-callback",
                           "reach"]  # fmt: skip
        auditor = await client.sign_in("auditor", PASSWORD)
        lines = (await client.json("GET", "/log?action=control:call:place", auditor)).data
        assert [(line["actor"], line["outcome"]) for line in lines] == [("8001", "ok")] * 2
        assert CALLER[0] not in json.dumps(lines)

    asyncio.run(story())
    count = settled(house, since)
    assert count["agrees"], json.dumps(count, ensure_ascii=False)
    assert (count["cel_calls"], count["call_records"], count["tickets"]) == (3, 3, 3)


@pytest.mark.parametrize("back", ["while they talk", "after the end"])
def test_killed_while_a_call_we_placed_goes_on(
    house: Gateway, pbx: Pbx, desks: Phones, back: str
) -> None:
    """-9 in mid-call: from the snapshot or from CEL the call is found, linked and settled."""
    since = datetime.now(UTC).isoformat()

    async def before() -> int:
        token = await house.client.sign_in("8001", PASSWORD)
        await asyncio.to_thread(given_up, pbx, desks)
        ticket = await to_call_back(house.client, token)
        rung = len([d for d in desks.dialogs if d.extension == "8001"])
        await house.client.json("POST", f"/tickets/{ticket}/call", token)
        house.kill()
        (await asyncio.to_thread(desks.rung, "8001", rung + 1)).answer()
        return ticket

    ticket = asyncio.run(before())
    person = desks.rung(CALLER[0]).answer()
    time.sleep(1)
    if back == "while they talk":
        house.start()
        house.wait_log("connected")
        time.sleep(1)
    person.hang_up()
    time.sleep(0.5)
    if back == "after the end":
        house.start()
    count = settled(house, since)
    assert count["agrees"], json.dumps(count, ensure_ascii=False)
    assert (count["cel_calls"], count["call_records"], count["tickets"]) == (2, 2, 2)
    assert count["recordings"]["expected"] == count["recordings"]["sealed"] == 1

    async def after() -> None:
        token = await house.client.sign_in("8001", PASSWORD)
        found = await detail(house.client, token, ticket)
        assert found["ticket"]["call_back"] == "done"
        assert found["calls"][1]["outcome"] == "answered"
        assert found["recordings"][-1]["name"] == found["calls"][1]["linkedid"]

    asyncio.run(after())


def test_after_a_call_the_agent_writes_it_up(tmp_path: Path, pbx: Pbx, desks: Phones) -> None:
    """HOTLINE_WRAP_UP: 话后整理 from the end of the call, on the wallboard as in the queue, until
    the time is over; after the next call until the agent says so. Nothing rings meanwhile."""

    async def state(client: Client) -> str:
        supervisor = await client.sign_in("supervisor", PASSWORD)
        agents = (await client.json("GET", "/presence", supervisor)).data["agents"]
        return next(str(one["state"]) for one in agents if one["login"] == "8001")

    async def is_(client: Client, wanted: str) -> bool:
        return await state(client) == wanted

    async def talked(nth: int) -> None:
        caller = pbx.begin_calls(1, 1, 60_000, callers=[CALLER])
        talk = (await asyncio.to_thread(desks.rung, "8001", nth)).answer()
        await asyncio.sleep(3)
        assert "paused:wrapup" in await asyncio.to_thread(pbx.cli, "queue show hotline")
        talk.hang_up()
        await asyncio.to_thread(caller.communicate, timeout=30)

    async def story(client: Client) -> None:
        token = await client.sign_in("8001", PASSWORD)
        for rest, nth in (("time", 1), ("8001", 2)):
            await talked(nth)
            await until(lambda: is_(client, "after_call"))
            if rest == "8001":
                assert (await client.json("POST", "/desk/ready", token)).status == 200
            await until(lambda: is_(client, "idle"))
        assert len([d for d in desks.dialogs if d.extension == "8001"]) == 2

    others = [f"PJSIP/{login}" for login in ("8002", "8003", "8004")]
    for other in others:
        pbx.cli(f"queue pause member {other} queue hotline reason training")
    try:
        with gateway(tmp_path, pbx, {"HOTLINE_WRAP_UP": "5"}) as house:
            asyncio.run(story(house.client))
    finally:
        for other in others:
            pbx.cli(f"queue unpause member {other} queue hotline")


def test_the_recording_is_paused_and_a_killed_gateway_resumes_it(
    house: Gateway, pbx: Pbx, desks: Phones
) -> None:
    """Who, why, from when to when stands with the call; what was still silent when the gateway died
    goes on when it is back, and the record says so."""
    client = house.client
    callers: list[subprocess.Popen[bytes]] = []

    async def talking() -> tuple[str, int]:
        token = await client.sign_in("8001", PASSWORD)
        for other in ("8002", "8003", "8004"):
            theirs = await client.sign_in(other, PASSWORD)
            answer = await client.json("POST", "/desk/pause", theirs, {"reason": "training"})
            assert answer.status == 200, answer.body
        early = await client.json("POST", "/desk/recording/pause", token, {"reason": "bank_card"})
        assert early.status == 409
        callers.append(pbx.begin_calls(1, 1, 60_000, callers=[CALLER]))
        (await asyncio.to_thread(desks.rung, "8001")).answer()

        async def current() -> int:
            return int((await client.json("GET", "/desk", token)).data["current"] or 0)

        return token, await until(current)

    async def story() -> int:
        token, ticket = await talking()
        for path, body in (("pause", {"reason": "bank_card"}), ("resume", None)):
            answer = await client.json("POST", f"/desk/recording/{path}", token, body)
            assert answer.status == 200, answer.body
            await asyncio.sleep(0.5)
        silent = {"reason": "id_number"}
        assert (await client.json("POST", "/desk/recording/pause", token, silent)).status == 200
        wrap_up = await client.json("POST", "/desk/pause", token, {"reason": "wrapup"})
        assert wrap_up.data["until_at"] is None
        return ticket

    ticket = asyncio.run(story())
    house.kill()
    house.start()

    async def after() -> None:
        token = await client.sign_in("8001", PASSWORD)

        async def both_ended() -> Any:
            pauses = (await detail(client, token, ticket))["pauses"]
            return pauses if all(pause["ended_at"] for pause in pauses) else None

        pauses = await until(both_ended)
        assert [(p["reason"], p["paused_by"], p["ended_by"]) for p in pauses] == [
            ("bank_card", "8001", "8001"), ("id_number", "8001", "restart"),
        ]  # fmt: skip
        assert "wrapup" in pbx.cli("queue show hotline")
        assert (await client.json("POST", "/desk/ready", token)).status == 200
        assert "wrapup" not in pbx.cli("queue show hotline")
        supervisor = await client.sign_in("supervisor", PASSWORD)
        for other in ("8002", "8003", "8004"):
            answer = await client.json("POST", f"/agents/{other}/ready", supervisor)
            assert answer.status == 200, answer.body

    client = house.client
    try:
        asyncio.run(after())
    finally:
        callers[0].terminate()
        callers[0].communicate(timeout=30)
