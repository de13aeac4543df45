"""Consumers that have nothing to do when the broker dies, and have to consume when it is back.

A consumer that is idle hears nothing of its broker's death but the end of its connection; libraries
have come back from that connected and subscribed to nothing. So each restart is followed by one
work order a department, and what is timed is from the port to the last reply applied.
"""

import asyncio
import time
from collections.abc import Callable

from tests.rig.waiting import until
from tests.torture.queueing.row import Row
from tests.torture.queueing.run import DEPARTMENTS, House, counted


async def came_back(house: House, row: Row) -> Row:
    """As many restarts as `row.asked` holds rounds of one work order a department."""
    began = time.monotonic()
    async with house.working():
        for _ in range(row.asked // len(DEPARTMENTS)):
            await asyncio.to_thread(house.broker.restart)
            back = time.monotonic()
            await asyncio.to_thread(house.add, len(DEPARTMENTS))
            await until(done(house), seconds=60)
            row.worst_s = max(row.worst_s, time.monotonic() - back)
        row.left = await asyncio.to_thread(house.left)
    row.took_s = time.monotonic() - began
    counted(house, row)
    return row


def done(house: House) -> Callable[[], bool]:
    """Whether all that was put is signed and applied."""
    return lambda: min(len(house.signed), house.applied()) == house.put
