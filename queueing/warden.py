"""The warden: finds the message over which a department's program nacks without end, and parks it.

From RabbitMQ 4.3 on a reject and a lost connection count against a queue's delivery limit, and a
nack does not: a program that takes one message at a time and nacks it for ever holds up its own
queue, and nothing parks anything. So every queue that has a consumer is asked for its length; one
that stands still is looked at, and so is an empty one now and then. A look is a consumer that comes
before all others: it takes everything that is ready, so that what the program gives back comes to
us as well; two seconds later the suspect is rejected (`hotline.parked`) and the rest given back in
its order. `suspects` knows which one it is; twenty times in others' hands between looks is
too often.

Always holds: a look is finished once begun, for a message left in our hands would count as failed;
a program that is merely slow, or hangs, loses nothing but two seconds, and is looked at ever more
seldom. Older releases count a nack themselves, classic queues count nothing: there nothing is done.
What it deliberately has not: a way through a queue of more than `MOST` messages.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from queueing import link, topology
from queueing.link import LOST, TIMEOUT_S, Where
from queueing.publishing import named
from queueing.suspects import Suspects
from queueing.topology import DEDUPE_HEADER
from queueing.waiting import bounded, finish

logger = logging.getLogger(__name__)

EVERY_S: Final = 10.0
LOOK_S: Final = 2.0
GLANCE_S: Final = 0.3  # at a queue where nothing waits: a program that nacks at once does it often
IDLE_S: Final = 60.0  # between looks at a queue where nothing waits
LONGEST_S: Final = 300.0  # between looks that found nothing
AGAIN_S: Final = 30.0  # after a broker that is away, or counts a nack by itself
FIRST: Final = 10
"""The priority of our consumer; others have none, which is 0."""
MOST: Final = 10_000
SPARE: Final = 64
"""Room in our hands for what comes while we look."""
COUNT: Final = "x-acquired-count"


@dataclass(slots=True)
class Watched:
    """One queue: how much was ready when it was last asked, and when it is looked at next."""

    ready: int = -1
    pause_s: float = 0.0
    next_at: float = 0.0
    suspects: Suspects = field(default_factory=Suspects)

    def due(self, ready: int, now: float) -> bool:
        """Whether it is to be looked at; `ready` is how much waits in it now (seconds)."""
        before, self.ready = self.ready, ready
        if self.suspects.any:
            return True
        if before < 0 or ready < before or before == 0 < ready:  # it moves, or moved until now
            self.pause_s = 0.0 if ready else IDLE_S
            self.next_at = now + self.pause_s
            return False
        return now >= self.next_at

    def looked(self, counts: Mapping[str, int], now: float) -> set[str]:
        """Take note of a look; what is to be parked."""
        self.pause_s = min(LONGEST_S, max(EVERY_S, 2 * self.pause_s))
        self.next_at = now + self.pause_s
        return self.suspects.looked(counts)


class Warden:
    """Watches the queues of `departments`; `run` until it is cancelled."""

    def __init__(
        self,
        url: Where,
        departments: Callable[[], Iterable[str]],
        *,
        every_s: float = EVERY_S,
    ) -> None:
        self._where = url
        self._departments = departments
        self._every_s = every_s
        self._watched: dict[str, Watched] = {}

    async def run(self) -> NoReturn:
        """Round after round; a broker or a database that is away is only waited for."""
        while True:
            try:
                await self._while_connected()
            except Exception as problem:  # noqa: BLE001 - whatever it was, they are watched again
                logger.info("warden: %s", type(problem).__name__)
            await asyncio.sleep(AGAIN_S)

    async def _while_connected(self) -> None:
        connection = await link.connect(link.addresses(self._where))
        try:
            while counts(connection):
                for code in await asyncio.to_thread(lambda: list(self._departments())):
                    await finish(self._visit(connection, topology.department_queue(code)))
                await asyncio.sleep(self._every_s)
        finally:
            await link.close(connection)

    async def _visit(self, connection: Any, queue: str) -> None:  # noqa: ANN401 - aio_pika's
        """One queue; what is wrong with it alone is its own."""
        watched = self._watched.setdefault(queue, Watched())
        channel = connection.channel(publisher_confirms=False)
        try:
            await bounded(channel.initialize(), TIMEOUT_S)
            wire = await channel.get_underlay_channel()
            told = await bounded(wire.queue_declare(queue, passive=True), TIMEOUT_S)
            now = asyncio.get_running_loop().time()
            if told.consumer_count and watched.due(told.message_count, now):
                await bounded(self._look(wire, queue, watched), 3 * TIMEOUT_S)
        except LOST as problem:
            if connection.is_closed:
                raise
            logger.info("warden, %s: %s", queue, named(problem))
        finally:
            await link.close(channel)

    async def _look(self, wire: Any, queue: str, watched: Watched) -> None:  # noqa: ANN401 - aiormq's
        ready = watched.ready
        if ready > MOST:
            logger.warning("%s stands still with %d messages, too many to look at", queue, ready)
        hand = _Hand(idle=not ready)
        await wire.basic_qos(prefetch_count=min(MOST, ready) + SPARE)
        taken = await wire.basic_consume(queue, hand.take, arguments={"x-priority": FIRST})
        await hand.full(LOOK_S if ready else GLANCE_S)
        for key in watched.looked(hand.counts, asyncio.get_running_loop().time()):
            logger.warning("%s: given back %d times, parked", queue, hand.counts[key])
            await wire.basic_reject(hand.tags[key], requeue=False)
        await wire.basic_cancel(taken.consumer_tag)
        await wire.basic_nack(0, multiple=True, requeue=True)  # 0: everything that we hold


class _Hand:
    """What a look has taken: by key the tag, and the broker's count."""

    def __init__(self, *, idle: bool) -> None:
        self.tags: dict[str, int] = {}
        self.counts: dict[str, int] = {}
        self._idle = idle
        self._enough = asyncio.Event()

    async def take(self, message: Any) -> None:  # noqa: ANN401 - aiormq's delivery
        """Note a delivery; of a queue where nothing waited, a new message is not kept waiting."""
        headers = message.header.properties.headers or {}
        key = str(headers.get(DEDUPE_HEADER) or hashlib.sha256(message.body).hexdigest())
        count = int(headers.get(COUNT) or 0)
        if count >= self.counts.get(key, -1):
            self.tags[key], self.counts[key] = message.delivery_tag, count
        if self._idle and not count:
            self._enough.set()

    async def full(self, seconds: float) -> None:
        """Until there is enough to see, for so long at the most."""
        try:
            async with asyncio.timeout(seconds):
                await self._enough.wait()
        except TimeoutError:
            return


def counts(connection: Any) -> bool:  # noqa: ANN401 - aio_pika's
    """Whether this broker counts how often a message was taken, and a nack for nothing."""
    told = connection.transport.connection.server_properties.get("version", "")
    version = told.decode() if isinstance(told, bytes) else str(told)
    return topology.release(version) >= topology.COUNTS_NO_NACK
