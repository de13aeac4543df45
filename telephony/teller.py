"""The simulator's mouth: says messages to whoever listens, in order, with the faults of a plan.

Without a plan a message is written at once. With one, `faults` decides what is to be done for each
message, and a task of its own does it: it waits, cuts, drips, while the calls go on behind it, as
behind a bad link. It knows nothing of calls.
"""

import asyncio
import random
from collections.abc import Sequence
from typing import Final

from telephony.faults import Cut, Deed, Fault, Flood, Say, Spoiler, Wait
from telephony.manager import Headers, Manager, render

DRIP_S: Final = 0.0005  # after each byte
FLOOD_S: Final = 0.01  # between two handfuls of a flood
FLOODED: Final = render([("Event", "VarSet"), ("Variable", "FLOOD"), ("Value", "x" * 300)])


class Teller:
    """Made and used in the loop; `start` before the first word, `stop` after the last."""

    def __init__(self, manager: Manager, plan: Sequence[Fault], rng: random.Random) -> None:
        self._manager = manager
        self._spoiler = Spoiler(plan, rng) if plan else None
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue()
        self._telling: asyncio.Task[None] | None = None
        self._floods: set[asyncio.Task[None]] = set()
        self.said = 0
        """How many messages it was given."""

    def start(self) -> None:
        """From now on what is given is said."""
        if self._spoiler is not None:
            self._telling = asyncio.create_task(self._tell(self._spoiler))

    def say(self, headers: Headers) -> None:
        """One message; never waits."""
        self.said += 1
        if self._spoiler is None:
            self._manager.send(headers)
        else:
            self._waiting.put_nowait(render(headers))

    async def finish(self) -> None:
        """Waits until all that was given is said, and every flood over."""
        if self._spoiler is not None:
            await self._waiting.join()
            for said in self._spoiler.flush():
                await self._do(said)
        await asyncio.gather(*self._floods)

    async def stop(self) -> None:
        """Says nothing more."""
        tasks = [*self._floods, *([self._telling] if self._telling else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _tell(self, spoiler: Spoiler) -> None:
        while True:
            for deed in spoiler.feed(await self._waiting.get()):
                await self._do(deed)
            self._waiting.task_done()

    async def _do(self, deed: Deed) -> None:
        match deed:
            case Say(data, slowly=True):
                await self._manager.drip(data, DRIP_S)
            case Say(data):
                self._manager.write(data)
            case Wait(seconds):
                await asyncio.sleep(seconds)
            case Cut(last):
                await self._manager.hang_up(last)
            case Flood(rate, seconds):
                flood = asyncio.create_task(self._flood(rate, seconds))
                self._floods.add(flood)
                flood.add_done_callback(self._floods.discard)

    async def _flood(self, rate: int, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        began, sent = loop.time(), 0
        while sent < rate * seconds:
            due = int(min(loop.time() - began, seconds) * rate)
            self._manager.write(FLOODED * (due - sent))
            sent = due
            if loop.time() - began >= seconds:
                return
            await asyncio.sleep(FLOOD_S)
