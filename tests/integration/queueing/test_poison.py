"""One message in a thousand that no program can work: the others are done, and it is parked.

On Debian's RabbitMQ 3.10 and on 4.3 (sid's), whose delivery limit counts a reject and a consumer
that is gone, but no nack any more (rabbitmq-server pull request 15387): a program that nacks the
same message for ever holds up its own queue there, and nothing parks it. That is not tried here, as
it does not hold; the contract tells departments to reject.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from queueing import topology
from queueing.broker import RabbitMQ
from queueing.topology import PARKED, WORKORDERS
from tests.rig import releases
from tests.rig.rabbitmq import Broker, rabbitmq
from tests.rig.spoiled import POISON
from tests.rig.waiting import closing

COUNT = 1000
AT = 500
"""The poison's place among them."""
QUEUE = topology.department_queue("sb")


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
                outcome = await ours.publish(
                    WORKORDERS, "workorder.sb.offered.v1", body, f"k{number}"
                )
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


@pytest.mark.parametrize(
    ("node", "how"),
    [
        *(("broker", how) for how in ("reject", "nack", "crash")),
        *(("newest", how) for how in ("reject", "crash")),
    ],
)
def test_the_poison_is_parked_and_all_others_are_done(
    request: pytest.FixtureRequest, node: str, how: str
) -> None:
    """Protects: a message nobody can work stops no other, and is not lost."""
    the: Broker = request.getfixturevalue(node)
    poisoned(the, how)


def poisoned(node: Broker, how: str) -> None:
    """A thousand messages, one of them poison, and a program that fails over it in this way."""
    vhost = node.fresh_vhost()
    url = node.url(vhost)
    published(url)
    done = worked(
        url, how, lambda: node.depth(vhost, PARKED) == 1 and node.depth(vhost, QUEUE) == 0
    )
    assert len(done) == COUNT - 1
    assert (node.depth(vhost, QUEUE), node.depth(vhost, PARKED)) == (0, 1)
