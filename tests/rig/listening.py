"""What `hotline department listen` and `reply` do, without the rest of the command, which takes
seconds to load: `python -m tests.rig.listening listen URL MEMORY COMMAND`, or `sign URL NUMBER`."""

import asyncio
import sys
import time
from pathlib import Path

from queueing.broker import RabbitMQ
from queueing.department import Department
from queueing.listening import Listener
from queueing.messages import Signed
from queueing.remembered import Remembered


def clock() -> int:
    """Now, in µs."""
    return time.time_ns() // 1000


async def listen(url: str, memory: str, command: str) -> None:
    """Until killed."""
    remembered = Remembered(Path(memory))
    department = Department("sb", RabbitMQ(url), clock, remembered)
    await Listener(department, remembered, lambda _: None, [command]).run()


async def sign(url: str, number: str) -> None:
    """The first version, by an officer."""
    transport = RabbitMQ(url)
    answer = Signed(work_order=number, version=1, department="sb", by="张三")
    await Department("sb", transport, clock).send(answer)
    await transport.close()


if __name__ == "__main__":
    asyncio.run(listen(*sys.argv[2:]) if sys.argv[1] == "listen" else sign(*sys.argv[2:]))
