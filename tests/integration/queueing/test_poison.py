"""One message in a thousand that no program can work: the others are done, and it is parked.

On Debian's RabbitMQ 3.10 and on 4.3 (sid's), whose delivery limit counts a reject and a consumer
that is gone, but no nack any more (rabbitmq-server pull request 15387): there the warden finds it.
"""

import asyncio
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import aclosing, contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from queueing import topology
from queueing.broker import RabbitMQ
from queueing.topology import PARKED, WORKORDERS
from queueing.warden import Warden
from tests.rig import releases
from tests.rig.rabbitmq import Broker, rabbitmq
from tests.rig.spoiled import POISON
from tests.rig.waiting import closing, running

COUNT = 1000
AT = 500
"""The poison's place among them."""
QUEUE = topology.department_queue("sb")
KEY = "workorder.sb.offered.v1"


@pytest.fixture(scope="module")
def newest() -> Iterator[Broker]:
    """A node of RabbitMQ 4.3."""
    with rabbitmq(releases.newest()) as made:
        yield made


def published(url: str) -> None:
    """The queue declared as quorum, and a thousand messages in it, one of them poison."""

    async def scenario() -> None:
        async with closing(RabbitMQ(url, kind="quorum")) as ours:
            await ours.declare(["sb"])
            for number in range(COUNT):
                body = POISON if number == AT else f"{number}".encode()
                outcome = await ours.publish(WORKORDERS, KEY, body, f"k{number}")
                assert outcome.verdict == "confirmed"

    asyncio.run(scenario())


def worked(url: str, how: str, enough: Callable[[], bool]) -> set[str]:
    """What a program that is started again whenever it dies has done until `enough`."""
    command = [sys.executable, "-m", "tests.rig.spoiled", url, QUEUE, how]
    with tempfile.TemporaryDirectory() as at:
        said = Path(at) / "said"
        deadline = time.monotonic() + 90
        while not enough() and time.monotonic() < deadline:
            with said.open("ab") as out:
                process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
            try:
                while process.poll() is None and not enough() and time.monotonic() < deadline:
                    time.sleep(0.1)
            finally:
                process.kill()
                process.wait()
        return set(said.read_text().split())


@contextmanager
def watched(url: str) -> Iterator[None]:
    """The warden beside the block, on a loop of its own as in the gateway's process."""
    begun: Future[Callable[[], object]] = Future()

    async def watch() -> None:
        task = asyncio.ensure_future(Warden(url, lambda: ["sb"], every_s=1).run())
        begun.set_result(partial(asyncio.get_running_loop().call_soon_threadsafe, task.cancel))
        with suppress(asyncio.CancelledError):
            await task

    thread = threading.Thread(target=lambda: asyncio.run(watch()))
    thread.start()
    try:
        yield
    finally:
        begun.result()()
        thread.join()


@pytest.mark.parametrize(
    ("node", "how"),
    [
        *(("broker", how) for how in ("reject", "nack", "crash")),
        *(("newest", how) for how in ("reject", "nack", "crash")),
    ],
)
def test_the_poison_is_parked_and_all_others_are_done(
    request: pytest.FixtureRequest, node: str, how: str
) -> None:
    """Protects: a message nobody can work stops no other, and is not lost; the hotline's warden is
    there whatever the release, and is needed for a nack on 4.3."""
    the: Broker = request.getfixturevalue(node)
    poisoned(the, how)


def poisoned(node: Broker, how: str) -> None:
    """A thousand messages, one of them poison, and a program that fails over it in this way."""
    vhost = node.fresh_vhost()
    url = node.url(vhost)
    published(url)
    with watched(url):
        done = worked(
            url, how, lambda: node.depth(vhost, PARKED) == 1 and node.depth(vhost, QUEUE) == 0
        )
    assert len(done) == COUNT - 1
    assert (node.depth(vhost, QUEUE), node.depth(vhost, PARKED)) == (0, 1)


def test_a_slow_program_keeps_its_queue_and_its_order(newest: Broker) -> None:
    """Protects: the warden looks at a queue that stands still and leaves it as it was: every
    message once, in its order, none parked."""
    vhost = newest.fresh_vhost()
    url = newest.url(vhost)

    async def scenario() -> None:
        async with closing(RabbitMQ(url, kind="quorum")) as ours:
            await ours.declare(["sb"])
            for number in range(30):
                await ours.publish(WORKORDERS, KEY, f"{number}".encode(), f"k{number}")
            async with (
                aclosing(ours.deliveries(QUEUE)) as arriving,
                running(Warden(url, lambda: ["sb"], every_s=0.2).run()),
            ):
                got = []
                async for delivery in arriving:
                    got.append(int(delivery.body))
                    await asyncio.sleep(1.5 if len(got) % 10 == 1 else 0)
                    await delivery.ack()
                    if len(got) == 30:
                        break
            assert got == list(range(30))
        assert newest.depth(vhost, PARKED) == 0

    asyncio.run(scenario())
