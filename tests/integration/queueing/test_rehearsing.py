"""`hotline department check` at a real broker, against programs that keep the contract, and one
that does not."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

import pytest

from gateway import cli
from queueing import asyncapi, topology
from queueing.broker import RabbitMQ
from queueing.department import Department
from queueing.lines import RULES
from queueing.messages import WorkOrderOffered
from queueing.transport import Transport
from tests.integration.queueing.test_foreign_departments import department
from tests.rig.rabbitmq import Broker
from tests.rig.store import Clock
from tests.rig.waiting import closing, running


@pytest.fixture
def url(broker: Broker) -> str:
    """A virtual host that says what it is for."""
    return broker.url(broker.fresh_vhost("check"))


async def checked(url: str, *more: str) -> int:
    """The command's exit status."""
    words = ["department", "check", "sb", "--url", url, "--json", *more]
    return await asyncio.to_thread(cli.main, words)


def lines(said: str) -> dict[str, bool | None]:
    """What it printed, by line."""
    return {line["name"]: line["held"] for line in json.loads(said)["lines"]}


async def answer(url: str, clock: Clock) -> None:
    """A department's program with our client."""
    async with (
        closing(RabbitMQ(url)) as theirs,
        aclosing(Department("sb", theirs, clock).orders()) as orders,
    ):
        async for order in orders:
            if isinstance(order.message, WorkOrderOffered):
                await order.sign("张三")
            else:
                await order.ack()


def test_our_own_client_keeps_the_contract(
    url: str, clock: Clock, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects: the fifteen lines we give to departments pass what we ask of theirs; twice over."""

    async def scenario() -> list[int]:
        async with running(answer(url, clock)):
            return [await checked(url), await checked(url)]

    assert asyncio.run(scenario()) == [0, 0]
    first, second = capsys.readouterr().out.strip().split("\n}\n")
    assert lines(first + "}") == lines(second) == dict.fromkeys(RULES, True)


@pytest.mark.parametrize("language", ["node", "java from source"])
def test_programs_in_other_languages_keep_the_contract(
    url: str, state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], language: str
) -> None:
    """Protects: so do the programs that were written from the document alone."""
    document = json.dumps(asyncapi.document("1.0"))
    (tmp_path / "asyncapi.json").write_text(document, encoding="utf-8")
    with department(url, tmp_path, language):
        assert asyncio.run(checked(url)) == 0
    assert lines(capsys.readouterr().out) == dict.fromkeys(RULES, True)


@contextmanager
def careless(url: str) -> Iterator[None]:
    """A program that is wrong in four ways; its queue is there before it, for it does not try
    twice."""

    async def declare() -> None:
        async with closing(RabbitMQ(url)) as ours:
            await ours.declare(["sb"])

    asyncio.run(declare())
    command = [sys.executable, "-m", "tests.rig.careless", url, "sb"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def test_a_careless_program_is_told_what_is_wrong(
    url: str, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects: signing twice and nacking what is not known fail the lines that say so, each with
    what to do; the status is 1."""
    with careless(url):
        assert asyncio.run(checked(url)) == 1
    said = capsys.readouterr().out
    found = lines(said)
    wrong = {name for name, held in found.items() if held is False}
    assert {"offered", "again", "account", "lasting", "unknown-type"} <= wrong
    assert found["fits"] is True
    assert found["unknown-field"] is True
    for line in json.loads(said)["lines"]:
        assert bool(line["remedy"]) == (line["held"] is not True)


def test_where_nothing_reads_it_says_so(
    url: str, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects: a check before the program was started ends, and sends nothing."""
    assert asyncio.run(checked(url, "--wait", "0.2")) == 1
    assert lines(capsys.readouterr().out) == dict.fromkeys(RULES, None) | {"reads": False}


@pytest.mark.parametrize("why", ["its name", "a gateway reads", "a message waits"])
def test_a_live_house_is_not_touched(
    broker: Broker, state: Path, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects: where real work orders may travel nothing is declared and nothing sent."""
    vhost = broker.fresh_vhost("check" if why == "a message waits" else "t")
    url = broker.url(vhost)
    more = ("--anywhere",) if why == "a gateway reads" else ()

    async def scenario() -> int:
        async with closing(RabbitMQ(url)) as ours:
            await ours.declare(["jy"])
            if why == "a message waits":
                await ours.publish(topology.REPLIES, "reply.sb.v1", b"real", "k")
            async with running(*([_reads(ours)] if why == "a gateway reads" else [])):
                await asyncio.sleep(0.5)
                return await checked(url, *more)

    assert asyncio.run(scenario()) == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert "检测未进行" in error
    assert ("--anywhere" in error) == (why == "its name")
    with pytest.raises(RuntimeError):  # there is no such queue
        broker.depth(vhost, "department.sb")
    assert broker.depth(vhost, "department.jy") == 0


async def _reads(ours: Transport) -> None:
    """As a gateway does."""
    async with aclosing(ours.deliveries(topology.REPLIES)) as arriving:
        async for delivery in arriving:
            await delivery.ack()


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """HOTLINE_STATE: an empty place, as on a department's machine."""
    monkeypatch.setenv("HOTLINE_STATE", str(tmp_path / "state"))
    return tmp_path / "state"
