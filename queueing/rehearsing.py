"""Running a rehearsal at a broker: the hotline's side of it, for a department's own program.

It declares the topology in a virtual host that is nobody's yet, waits for the program to read its
queue, sends the steps, and reads what is answered and what is parked.
Always holds: where a gateway reads replies, or any message lies in one of the queues, nothing is
declared and nothing sent: that may be a live house. Whatever was sent is gone at the end, or lies
in a queue of that virtual host alone.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Final
from urllib.parse import unquote, urlsplit

from queueing import looking, rehearsal, topology, verdicts
from queueing.broker import RabbitMQ
from queueing.errors import LiveHouse, TransportDown
from queueing.rehearsal import Step
from queueing.topology import PARKED, REPLIES, WORKORDERS, Kind
from queueing.transport import Delivery
from queueing.verdicts import Heard, Seen, Verdict

LOOK_S: Final = 0.05
CALM_S: Final = 0.4
"""After a step: what is still said of it is its own."""
MARK: Final = "check"
"""What the name of a virtual host must hold to be taken for a rehearsal's."""


async def guard(url: str, code: str, *, anywhere: bool) -> None:
    """Whether it may run there; `anywhere`: also where the name does not say that it is for this.

    Raises:
        LiveHouse: it may be somebody's house; the message says what to do.
        TransportDown: the broker cannot be reached.
    """
    vhost = unquote(urlsplit(url).path.removeprefix("/")) or "/"
    if MARK not in vhost and not anywhere:
        raise LiveHouse(
            f"虚拟主机 {vhost} 的名称不含 {MARK}。请另建：rabbitmqctl add_vhost hotline-check；"
            "确认无人使用的，可加 --anywhere。 "
            f"The name of the virtual host {vhost} does not say {MARK}: add one that does, such as "
            "hotline-check, or say --anywhere once you know that nobody works there."
        )
    queues = (REPLIES, PARKED, topology.department_queue(code))
    found = await looking.standing(url, queues)
    if any(found[name].readers for name in (REPLIES, PARKED) if name in found):
        raise LiveHouse(
            "有网关正在此读取回复，请另用虚拟主机。 A gateway reads replies here: use another one."
        )
    filled = " ".join(name for name, one in found.items() if one.ready)
    if filled:
        raise LiveHouse(
            f"队列 {filled} 里有消息，可能是真实派单：确认无用后 rabbitmqctl purge_queue，"
            f"或另用虚拟主机。 Messages lie in {filled}, and may be real: purge them once you know "
            "that they are not, or use another virtual host."
        )


class Rehearsal:
    """One run at `url` for department `code`; `run` names it; each answer is waited for `wait_s`
    seconds."""

    def __init__(
        self, url: str, code: str, kind: Kind, run: str, *, now: int, wait_s: float
    ) -> None:
        self._url = url
        self._code = code
        self._plan = rehearsal.steps(code, run, now)
        self._wait_s = wait_s
        self._seen = Seen()
        self._carrier = RabbitMQ(url, kind=kind)
        self._step = self._plan[0].name

    async def run(self) -> list[Verdict]:
        """All of it. Raises `TransportDown` or `TopologyMismatch`."""
        try:
            await self._carrier.declare([self._code])
            hearing = [
                asyncio.ensure_future(self._each(REPLIES, self._hear)),
                asyncio.ensure_future(self._each(PARKED, self._find_stopped)),
            ]
            try:
                await self._go()
            finally:
                for task in hearing:
                    task.cancel()
                await asyncio.gather(*hearing, return_exceptions=True)
        finally:
            await self._carrier.close()
        return verdicts.verdicts(self._plan, self._seen, self._code)

    async def _go(self) -> None:
        await self._until(self._read)
        for step in self._plan:
            if not self._seen.readers or not await self._through(step):
                return

    async def _through(self, step: Step) -> bool:
        """Send a step; whether its last work order was signed or returned."""
        self._step = step.name
        self._seen.begun.append(step.name)
        for number, (kind, body) in enumerate(step.sent):
            key = topology.work_order_key(self._code, kind)
            outcome = await self._carrier.publish(WORKORDERS, key, body, f"{step.last}/{number}")
            if outcome.verdict != "confirmed":
                raise TransportDown(f"{outcome.verdict} {outcome.detail}")
        passed = await self._until(lambda: self._decided(step.last))
        if passed:
            self._seen.passed.append(step.name)
        await asyncio.sleep(CALM_S)
        return passed

    async def _read(self) -> bool:
        queue = topology.department_queue(self._code)
        self._seen.readers = (await looking.standing(self._url, [queue]))[queue].readers
        return self._seen.readers > 0

    async def _decided(self, number: str) -> bool:
        return verdicts.decided(self._seen, number)

    async def _until(self, asked: Callable[[], Awaitable[bool]]) -> bool:
        """Whether it comes true while it is waited for."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._wait_s
        while not await asked():
            if loop.time() > deadline:
                return False
            await asyncio.sleep(LOOK_S)
        return True

    async def _each(self, queue: str, take: Callable[[Delivery], None]) -> None:
        async with aclosing(self._carrier.deliveries(queue)) as arriving:
            async for delivery in arriving:
                take(delivery)
                await delivery.ack()

    def _hear(self, reply: Delivery) -> None:
        heard = Heard(self._step, reply.body, reply.routing_key, reply.user or "", reply.lasting)
        self._seen.heard.append(heard)

    def _find_stopped(self, letter: Delivery) -> None:
        self._seen.stopped.append((letter.body, letter.death or "unknown"))
