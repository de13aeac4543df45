"""A real PBX for each worker, and a gateway's telephony on it: line, board, database."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest

from telephony.address import Address
from telephony.batch import Batch
from telephony.line import Line
from telephony.session import Timing
from tests.rig.asterisk import Pbx, asterisk
from tests.unit.telephony.house import PBX, Store, Taker


@pytest.fixture(scope="session")
def pbx() -> Iterator[Pbx]:
    """Shared by a worker's tests; one that kills it starts it again."""
    with asterisk() as running:
        yield running


def clock() -> int:
    return time.time_ns() // 1000


class Gateway:
    """Telephony as the product runs it, on a real PBX."""

    def __init__(self, pbx: Pbx, url: str, timing: Timing | None = None) -> None:
        self.store = Store(url)
        self.taker = Taker(self.store)
        self.line = Line(
            Address.parse(pbx.url), pbx=PBX, on_batch=self._take, clock=clock, timing=timing
        )

    async def _take(self, batch: Batch) -> None:
        await asyncio.to_thread(self.taker.take, batch)

    async def settled(self, within_s: float = 10) -> None:
        """Waits until no call is live."""
        await asyncio.sleep(0.3)
        await self.until(lambda: not self.taker.board.live, within_s)

    async def until(self, true: Callable[[], bool], within_s: float = 10) -> None:
        async with asyncio.timeout(within_s):
            while not true():  # noqa: ASYNC110 - the database tells nobody
                await asyncio.sleep(0.02)

    def run(self, scenario: Callable[[], Awaitable[None]]) -> None:
        """Plays the scenario with the line connected, then stops in order."""

        async def play() -> None:
            task = asyncio.create_task(self.line.run())
            try:
                await self.until(lambda: self.line.connected)
                await scenario()
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

        asyncio.run(play())
        self.store.engine.dispose()
