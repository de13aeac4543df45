"""The main job on the real parts: Asterisk, PostgreSQL or SQLite, RabbitMQ or none, `age`.

Real SIP calls ring at 12333; the gateway is the installed command in a process of its own, reached
over HTTP as people and programs reach it. In the end the PBX's own log is counted against what the
gateway holds.
"""

import asyncio
import hashlib
import json
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway import carrying, compose, settings
from gateway.demo.client import Client
from gateway.tables import TicketRow
from queueing.department import Department
from recordings.keys import render_identity_file
from recordings.tables import RecordingRow
from tests.rig.asterisk import Pbx, asterisk
from tests.rig.gateway import AGENTS, PASSWORD, Gateway, gateway
from tests.rig.needs import need

pytestmark = [pytest.mark.alone, pytest.mark.timeout(300)]
WITHIN_S = 30.0


@pytest.fixture(scope="module")
def pbx() -> Iterator[Pbx]:
    with asterisk() as up:
        yield up


@pytest.fixture(params=["sqlite-embedded", "postgresql-rabbitmq"])
def house(request: pytest.FixtureRequest, tmp_path: Path, pbx: Pbx) -> Iterator[Gateway]:
    """The gateway on each of the two foundations it promises."""
    more = {}
    if request.param == "postgresql-rabbitmq":
        more = {
            "HOTLINE_DATABASE_URL": request.getfixturevalue("postgres_url"),
            "HOTLINE_BROKER_URL": request.getfixturevalue("amqp_url"),
        }
    with gateway(tmp_path, pbx, more) as up:
        yield up


async def until(look: Callable[[], Awaitable[Any]], within_s: float = WITHIN_S) -> Any:
    """What `look` finds as soon as it is true."""
    deadline = time.monotonic() + within_s
    while not (found := await look()):
        assert time.monotonic() < deadline, f"not within {within_s} s"
        await asyncio.sleep(0.05)
    return found


@asynccontextmanager
async def department(house: Gateway) -> AsyncIterator[None]:
    """A department's program: takes each work order from its queue, signs, replies."""
    with compose.opened(settings.read(house.environ)) as parts:
        async with carrying.transport(parts) as carrier:
            gongshang = Department("gongshang", carrier, parts.clock)

            async def work() -> None:
                async with aclosing(gongshang.orders()) as arriving:
                    async for order in arriving:
                        await order.sign("何工")
                        await order.reply("何工", "已核实补发", "已电话告知")

            working = asyncio.create_task(work())
            try:
                yield
            finally:
                working.cancel()
                await asyncio.gather(working, return_exceptions=True)


async def agent_who_answers(client: Client) -> tuple[str, int]:
    """Whichever agent the queue rang: their token, and the ticket on their desk."""
    tokens = [await client.sign_in(login, PASSWORD) for login in AGENTS]

    async def someone() -> tuple[str, int] | None:
        for token in tokens:
            desk = (await client.json("GET", "/desk", token)).data
            if desk["current"]:
                return token, desk["current"]
        return None

    found: tuple[str, int] = await until(someone)
    return found


async def handled(house: Gateway) -> tuple[int, int]:
    """A call's ticket filled, accepted, dispatched, answered; its id and its recording's."""
    client = house.client
    token, ticket = await agent_who_answers(client)
    path = f"/tickets/{ticket}"
    form = {"kind": "complaint", "complaint_class": "quality", "summary": "工伤待遇未发放"}
    assert (await client.json("PATCH", path, token, {"fields": form})).status == 200
    accepted = await client.json("POST", path + "/accept", token)
    assert accepted.data["acceptance_no"].startswith("(示范市)社保受理[")
    sent = await client.json("POST", path + "/dispatch", token, {"departments": ["gongshang"]})
    assert sent.status == 200, sent.body

    async def done() -> Any:
        detail = (await client.json("GET", path, token)).data
        return detail if detail["ticket"]["state"] == "replied" and detail["recordings"] else None

    detail = await until(done)
    assert detail["work_orders"][0]["result"] == "已核实补发"
    assert [step["action"] for step in detail["steps"]].count("reply") == 1
    return ticket, detail["recordings"][0]["id"]


async def heard(house: Gateway, ticket: int, recording: int) -> bytes:
    """The recording, asked for, granted, and played to the supervisor in two ranges."""
    client = house.client
    supervisor = await client.sign_in("supervisor", PASSWORD)
    asked = await client.json(
        "POST", "/recording-requests", supervisor,
        {"recordings": [recording], "purpose": "complaint", "ticket_no": f"#{ticket}",
         "reason": "核对投诉"},
    )  # fmt: skip
    assert asked.status == 201, asked.body
    authoriser = await client.sign_in("authoriser", PASSWORD)
    decision = await client.json(
        "POST", f"/recording-requests/{asked.data['id']}/decision", authoriser, {"granted": True}
    )
    grant = {"grant": decision.data["grant"]["id"]}
    play = await client.json("POST", f"/recordings/{recording}/plays", supervisor, grant)
    path = f"/recordings/{recording}/audio?play={play.data['id']}"
    for stranger in ("8001", "authoriser", "auditor", "admin", "sun", "leader"):
        cookie = await client.browser(stranger, PASSWORD)
        assert (await client.browse(path, cookie)).status == 403, stranger
    return (await client.browse(path, await client.browser("supervisor", PASSWORD))).body


def opened_by_age(house: Gateway, recording: int, to: Path) -> Path:
    """The sealed recording as the `age` program opens it with the month's key and nothing else."""
    with compose.opened(settings.read(house.environ)) as parts:
        with parts.database.reading() as session:
            row = session.get_one(RecordingRow, recording)
        sealed = Path(parts.settings.storage.store) / row.object_key
        assert parts.identities is not None
        secret = parts.identities.of(row.key_id).secret
    key = to / "key.txt"
    key.write_text(render_identity_file(secret, row.sealed_at))
    whole, wav = to / "whole.age", to / "opened.wav"
    whole.write_bytes(
        b"".join(Path(f"{sealed}.{part}").read_bytes() for part in ("header", "payload"))
    )
    subprocess.run(["age", "-d", "-i", key, "-o", wav, whole], check=True, timeout=30)
    return wav


@contextmanager
def calls(pbx: Pbx, count: int, rate: float, hold_ms: int) -> Iterator[None]:
    """Real calls while the block runs; all hung up afterwards."""
    with pbx.begin_calls(count, rate, hold_ms) as placed:
        try:
            yield
            placed.communicate(timeout=count / rate + hold_ms / 1000 + 60)
        finally:
            placed.kill()


def settled(house: Gateway, since: str, within_s: float = WITHIN_S) -> dict[str, Any]:
    """What `hotline reconcile` counts once it agrees, or its last word."""
    deadline = time.monotonic() + within_s
    while True:
        status, count = house.hotline("reconcile", "--since", since)
        if status == 0 or time.monotonic() > deadline:
            counted: dict[str, Any] = count
            return counted
        time.sleep(0.5)


def test_a_call_becomes_a_ticket_a_work_order_and_sealed_evidence(
    house: Gateway, pbx: Pbx, tmp_path: Path
) -> None:
    """The whole chain once, on real parts: and what was heard, what `age` opens and what the PBX
    wrote are the same bytes."""
    need(Path("/usr/bin/age"), "apt-get install age")
    need(Path("/usr/bin/soxi"), "apt-get install sox")
    since = datetime.now(UTC).isoformat()

    async def story() -> tuple[int, bytes]:
        async with department(house):
            ticket, recording = await handled(house)
        return recording, await heard(house, ticket, recording)

    with calls(pbx, 1, 1, 4000):
        recording, played = asyncio.run(story())
    wav = opened_by_age(house, recording, tmp_path)
    assert hashlib.sha256(played).digest() == hashlib.sha256(wav.read_bytes()).digest()
    lasted = float(subprocess.run(["soxi", "-D", wav], capture_output=True, check=True).stdout)
    with compose.opened(settings.read(house.environ)) as parts, parts.database.reading() as session:
        assert abs(session.get_one(RecordingRow, recording).duration_ms / 1000 - lasted) < 0.01
    assert lasted > 3
    status, verdict = house.hotline("audit", "verify")
    assert (status, verdict["intact"]) == (0, True)
    count = settled(house, since)
    assert count["agrees"], json.dumps(count, ensure_ascii=False)
    assert count["cel_calls"] == count["call_records"] == count["tickets"] == 1
    assert count["recordings"] == {
        "expected": 1, "sealed": 1, "missing": 0, "unwritten": 0, "unlinked": 0,
        "plaintext_left": 0,
    }  # fmt: skip
    assert count["work_orders"] == {
        "committed": 1, "confirmed": 1, "signed": 1, "replied": 1, "parked": 0,
    }  # fmt: skip


def test_killed_in_mid_call_and_back(house: Gateway, pbx: Pbx) -> None:
    """The gateway dies (-9) while calls are up, others begin and end before it is back: from
    CoreShowChannels and CEL every call gets its one record, its one ticket and its recording."""
    since = datetime.now(UTC).isoformat()
    with calls(pbx, 8, 1, 4000):
        time.sleep(3)
        house.kill()
        time.sleep(6)
        house.start()
    count = settled(house, since)
    assert count["agrees"], json.dumps(count, ensure_ascii=False)
    assert count["cel_calls"] == count["call_records"] == count["tickets"] == 8
    assert (count["gaps"], count["doubled"], count["recordings"]["missing"]) == (0, 0, 0)


def test_fifty_calls_at_five_a_second(house: Gateway, pbx: Pbx) -> None:
    """More callers than agents: every call on CEL has one record and one ticket, every answered one
    its sealed and linked recording, no WAV is left, and those who gave up are to be called back."""
    since = datetime.now(UTC).isoformat()
    counted = pbx.place_calls(50, 5, 5000)
    assert counted.successful == 50
    count = settled(house, since)
    assert count["agrees"], json.dumps(count, ensure_ascii=False)
    assert count["cel_calls"] == count["call_records"] == count["tickets"] == 50
    assert count["recordings"]["expected"] == count["recordings"]["sealed"] >= 4
    with compose.opened(settings.read(house.environ)) as parts, parts.database.reading() as session:
        due = session.query(TicketRow).filter_by(call_back="due").count()
    assert due == 50 - count["recordings"]["expected"]
