"""`hotline department listen` and `reply` at a real broker: what a department gets done with them.

`listen` is killed (-9) at the moments that matter: while its command works, after the command has
answered, and between remembering and the ack. Effects are counted at the hotline.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import aclosing, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from gateway import cli
from queueing import examples, messages, parked, topology
from queueing import listening as listening_module
from queueing.broker import RabbitMQ
from queueing.department import Department
from queueing.inbox import ReplyConsumer
from queueing.listening import Listener
from queueing.messages import ConnectionTested, Envelope, ReplyRejected, Signed
from queueing.remembered import Remembered
from queueing.topology import REPLIES, WORKORDERS
from queueing.transport import Transport
from tests.rig.gateway import HOTLINE
from tests.rig.proxy import proxy
from tests.rig.rabbitmq import Broker
from tests.rig.store import Clock, Store
from tests.rig.waiting import closing as closing_transport
from tests.rig.waiting import running, until
from tests.rig.workorders import offered

COMMAND = """#!/bin/sh
# Takes a work order and signs it; what goes wrong depends on its number, the first time alone.
event=$(cat)
field() { printf %s "$event" | sed "s/.*\\"$1\\":\\"\\{0,1\\}\\([^\\",]*\\).*/\\1/"; }
number=$(field work_order)
first=; grep -q "$number" "$PLACE/ran" || first=yes
echo "$number" >> "$PLACE/ran"
answer() { "$PYTHON" -m tests.rig.listening sign "$DIRECT" "$number"; }
case $first$number in
yes*000002-1) kill -9 $PPID ;;
yes*000003-1) answer; kill -9 $PPID ;;
yes*000004-1) exit 3 ;;
yes*000005-1) answer; touch "$PLACE/answered"
  while [ ! -e "$PLACE/held" ]; do sleep 0.05; done ;;
*) answer ;;
esac
"""
ORDERS = 6


@contextmanager
def listening(place: Path, url: str, *more: str) -> Iterator["subprocess.Popen[bytes]"]:
    """The command in a place of its own; killed -9 at the end if it still runs."""
    with started(place, url, [str(HOTLINE), "department", "listen", "sb", *more]) as process:
        yield process


@contextmanager
def started(place: Path, url: str, command: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    """A program with the department's address in its environment."""
    env = os.environ | {"HOTLINE_STATE": str(place / "state"), "HOTLINE_BROKER_URL": url}
    with (place / "said").open("ab") as said, (place / "log").open("ab") as log:
        process = subprocess.Popen(command, env=env, stdout=said, stderr=log)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()


async def send(ours: Transport, message: messages.Message) -> None:
    """To the department `sb`, as the relay does."""
    kind, number = messages.type_of(message), message.work_order or "none"
    version = getattr(message, "version", 0)
    body = messages.encode(message, event_id=f"{number}/v{version}", source="s", time_us=7)
    key = topology.work_order_key("sb", kind)
    assert (await ours.publish(WORKORDERS, key, body, "k")).verdict == "confirmed"


def test_it_prints_each_once_and_stops_when_told(
    amqp_url: str, tmp_path: Path, clock: Clock
) -> None:
    """Protects: work orders, a test message and a refusal are each a line of JSON, whole, what is
    new to this program included; SIGTERM ends it with 0, and begun again it repeats nothing."""
    notices = [one for one in examples.OUT if isinstance(one, ConnectionTested | ReplyRejected)]

    def lines() -> list[Any]:
        return [json.loads(line) for line in (tmp_path / "said").read_text().splitlines()]

    async def scenario() -> None:
        async with closing_transport(RabbitMQ(amqp_url)) as ours:
            await ours.declare(["sb"])
            for message in (offered(1), *notices):
                await send(ours, message)
            with listening(tmp_path, amqp_url, "--json") as first:
                await until(lambda: len(lines()) == 3)
                first.terminate()
                assert await asyncio.to_thread(first.wait, 20) == 0
            body = messages.encode(offered(2), event_id="e2", source="s", time_us=7)
            newer = body.replace(b'"data":{', b'"later":1,\n"data":{"also":2,')
            await send(ours, offered(1))
            await ours.publish(WORKORDERS, "workorder.sb.offered.v1", newer, "k")
            with listening(tmp_path, amqp_url, "--json") as second:
                await until(lambda: len(lines()) == 4)
                second.send_signal(signal.SIGINT)
                assert await asyncio.to_thread(second.wait, 20) == 0

    asyncio.run(scenario())
    order, refusal, test, last = lines()
    assert (order["type"], order["data"]["summary"]) == (messages.OFFERED, offered().summary)
    assert {refusal["type"], test["type"]} == {messages.REJECTED, messages.TESTED}
    assert (last["later"], last["data"]["also"]) == (1, 2)
    assert (tmp_path / "state" / "departments" / "sb.sqlite").stat().st_mode & 0o777 == 0o600


@pytest.mark.timeout(180)
def test_killed_at_the_worst_moments_each_order_has_its_effect_once(
    broker: Broker, sqlite_store: Store, clock: Clock, tmp_path: Path
) -> None:
    """Protects: whatever dies between the message and its ack, each order is signed once at the
    hotline, what failed is tried again, and what was remembered is not handed over again."""
    url = broker.url(broker.fresh_vhost())
    applied: list[str] = []
    program = tmp_path / "work.sh"
    program.write_text(COMMAND)
    program.chmod(0o755)
    (tmp_path / "ran").touch()

    def handler(_session: Session, replies: Sequence[messages.DepartmentReply]) -> None:
        for reply in replies:
            assert isinstance(reply, Signed)
            applied.append(reply.work_order)

    async def scenario() -> None:
        async with (
            proxy("127.0.0.1", broker.port) as between,
            closing_transport(RabbitMQ(url)) as ours,
        ):
            way = url.replace(f":{broker.port}/", f":{between.port}/")
            await ours.declare(["sb"])
            for number in range(1, ORDERS + 1):
                await send(ours, offered(number))
            replies = ReplyConsumer(sqlite_store.begin, ours, handler, clock)
            more = ("--exec", str(program), "--memory", str(tmp_path / "memory"))
            short = [sys.executable, "-m", "tests.rig.listening", "listen", way, more[3], more[1]]
            async with running(replies.run()):
                with listening(tmp_path, way, *more) as first:  # dies before its command's answer
                    assert await asyncio.to_thread(first.wait, 60) == -signal.SIGKILL
                with started(tmp_path, way, short) as second:  # and after it
                    assert await asyncio.to_thread(second.wait, 40) == -signal.SIGKILL
                with started(tmp_path, way, short):
                    await until((tmp_path / "answered").exists, 40)
                    between.hold_requests()
                    (tmp_path / "held").touch()
                    await until(lambda: remembered_of(tmp_path, 5)[1])
                    await between.sends(b"\x00\x3c\x00\x50")  # basic.ack: class 60, method 80
                between.cut()
                between.let_requests()
                with started(tmp_path, way, short):
                    await until(lambda: len(applied) == ORDERS, 40)
                    await until(lambda: remembered_of(tmp_path, ORDERS)[1])

    with pytest.MonkeyPatch.context() as patched:
        for name, value in (("PLACE", tmp_path), ("DIRECT", url), ("PYTHON", sys.executable)):
            patched.setenv(name, str(value))
        asyncio.run(scenario())
    numbers = [f"WO-2026-{number:06}-1" for number in range(1, ORDERS + 1)]
    assert applied == numbers
    assert Counter((tmp_path / "ran").read_text().split()) == dict(
        zip(numbers, (1, 2, 2, 2, 1, 1), strict=True)
    )
    assert sqlite_store.read(parked.unresolved) == []


def test_what_a_command_cannot_work_is_parked_and_stops_nothing(
    broker: Broker, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects: on a classic queue, which counts no deliveries, an order that fails twenty times is
    given up to the hotline, whatever restarts there were, and the next is worked."""
    monkeypatch.setattr(listening_module, "AGAIN_S", (0.01,))
    vhost = broker.fresh_vhost()
    program = tmp_path / "fails-one.sh"
    program.write_text("#!/bin/sh\ncat | grep -qv 000001-1\n")
    program.chmod(0o755)
    told: list[str] = []

    def given_up(times: int) -> bool:
        """So many failures of the first; and the second settled, after the last of them."""
        second = remembered_of(tmp_path, 2)[1] == 1
        return remembered_of(tmp_path, 1)[0] >= times and (second or times < 20)

    async def scenario(remembered: Remembered) -> None:
        async with closing_transport(RabbitMQ(broker.url(vhost), kind="classic")) as ours:
            await ours.declare(["sb"])
            for number in (1, 2):
                await send(ours, offered(number))
            for wanted in (7, 20):  # stopped once in between
                listener = Listener(
                    Department("sb", ours, clock, remembered), remembered,
                    lambda order: told.append(order.message.work_order), [str(program)],
                )  # fmt: skip
                run = asyncio.ensure_future(listener.run())
                await until(partial(given_up, wanted))
                listener.stop()
                await run

    with closing(Remembered(tmp_path / "memory")) as remembered:
        asyncio.run(scenario(remembered))
    assert told == ["WO-2026-000001-1", "WO-2026-000002-1"]
    depths = [broker.depth(vhost, queue) for queue in ("department.sb", topology.PARKED)]
    assert depths == [0, 1]


def remembered_of(place: Path, number: int) -> tuple[int, int]:
    """How often the first version of a work order failed, and which version was settled."""
    with closing(Remembered(place / "memory")) as remembered:
        order = f"WO-2026-{number:06}-1"
        return remembered.failures(order, 1), remembered.get(order, 0)


ACTS: dict[str, tuple[str, ...]] = {
    "sign": (),
    "return": ("--text", "属医疗保障局职责"),
    "reply": ("--text", "情况属实", "--measures", "已道歉"),
    "extension": ("--text", "须外单位协助", "--until", "2026-12-03T17:30"),
    "progress": ("--text", "正在核实"),
    "remark": ("--text", "请一并核查"),
}


def test_reply_says_each_act_under_one_id(
    amqp_url: str, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects: from the command line all six can be said, of the version that was taken in, and
    said again it is the same answer."""
    monkeypatch.setenv("HOTLINE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("HOTLINE_BROKER_URL", amqp_url)
    with closing(Remembered(tmp_path / "memory")) as remembered:
        remembered["WO-1"] = 7
    typed = ["--by", "张三", "--department", "sb", "--memory", str(tmp_path / "memory")]
    arrived: list[Envelope] = []

    async def arriving(ours: Transport) -> None:
        async with aclosing(ours.deliveries(REPLIES)) as replies:
            async for reply in replies:
                arrived.append(messages.decode(reply.body))
                await reply.ack()

    async def scenario() -> None:
        async with closing_transport(RabbitMQ(amqp_url)) as ours:
            await ours.declare(["sb"])
            for act, more in ACTS.items():
                for _ in range(2):
                    words = ["department", "reply", "WO-1", act, *typed, *more]
                    assert await asyncio.to_thread(cli.main, words) == 0
            async with running(arriving(ours)):
                await until(lambda: len(arrived) == 2 * len(ACTS))

    asyncio.run(scenario())
    events = [getattr(one.message, "event", "") for one in arrived[::2]]
    assert events == ["signed", "returned", "replied", "extension_asked", "progress", "remarked"]
    assert {getattr(one.message, "version", 0) for one in arrived} == {7}
    for first, again in zip(arrived[::2], arrived[1::2], strict=True):
        assert (first.event_id, first.digest) == (again.event_id, again.digest)
    assert len({one.event_id for one in arrived}) == len(ACTS)
