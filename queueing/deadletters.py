"""Dead letters from the broker's parked queue into the table a person looks at.

A work order that its department's consumer rejected, or that was delivered too often, comes here
with the broker's own account of where and why. Nothing is decided here.
"""

from contextlib import aclosing
from functools import partial
from typing import NoReturn

from queueing import parked, telling, topology
from queueing.outbox import Begin, Clock
from queueing.persistence import until_done
from queueing.transport import Delivery, Transport


class DeadLetters:
    """Empties `hotline.parked` into the table; `run` until it is cancelled."""

    def __init__(self, begin: Begin, transport: Transport, clock: Clock) -> None:
        self._begin = begin
        self._transport = transport
        self._clock = clock

    async def run(self) -> NoReturn:
        """Letter after letter; each is acked after its row is committed."""
        while True:
            async with aclosing(self._transport.deliveries(topology.PARKED)) as arriving:
                async for letter in arriving:
                    keep = partial(self._keep, letter)
                    await until_done(keep, keep, self._well)
                    await letter.ack()

    def _well(self) -> None:
        telling.stumbled(self._begin, "letter")

    def _keep(self, letter: Delivery, problem: Exception | None = None) -> None:
        """What the broker says of it, others may have written; where that cannot be kept, the
        letter is kept without."""
        told = letter.death if problem is None else type(problem).__name__
        with self._begin() as session:
            parked.park_dead(
                session,
                routing_key=letter.routing_key,
                dedupe_key=letter.dedupe_key if problem is None else "",
                body=letter.body,
                reason=f"部门未能处理 given up by the department: {told}",
                now=self._clock(),
            )
