"""Beside a broker: what carries messages to the departments that fetch theirs (mode `pull`).

Their queues lie in the database whatever broker there is, so a broker that is away does not touch
them. A relay of their own brings them there; the broker's leaves them alone. What they give up goes
from the embedded parked queue into the table a person looks at. Where there is no broker this is
not needed: then one relay and one reader do it for all.
"""

import asyncio
from functools import partial
from typing import NoReturn

from sqlalchemy.orm import Session

from gateway import bells
from gateway.flow import desks
from gateway.notices import Hub
from gateway.parts import Parts
from queueing.deadletters import DeadLetters
from queueing.embedded import Embedded
from queueing.relay import Relay
from queueing.topology import PARKED
from queueing.waiting import Bell


class Carrier:
    """Which departments these are, as they were at the last look, and the bell rung for them."""

    def __init__(self) -> None:
        self.bell = Bell()
        self._codes: list[str] = []

    def among(self, session: Session) -> list[str]:
        """The departments that fetch their messages."""
        self._codes = desks.pulling(session)
        return self._codes

    async def listen(self, hub: Hub, embedded: Embedded) -> NoReturn:
        """Ring for what is committed for one of them; for the others there is nothing to do."""
        while True:
            async with hub.subscribe((bells.OUTBOX, bells.QUEUE)) as told:
                self.bell.ring()
                async for notice in told:
                    if notice.topic == bells.OUTBOX and notice.ref in self._codes:
                        self.bell.ring()
                    elif notice.ref == PARKED:
                        embedded.ring(PARKED)
            await asyncio.sleep(bells.AGAIN_S)


async def carry(made: Parts) -> None:
    """Bring messages into these departments' queues, until cancelled."""
    database, carrier = made.database, Carrier()
    embedded = Embedded(database.begin, made.clock, reading=database.reading)
    begin = partial(database.begin, lasting=False)
    out = Relay(begin, embedded, made.clock, reading=database.reading, bell=carrier.bell,
                among=carrier.among)  # fmt: skip
    async with asyncio.TaskGroup() as group:
        group.create_task(carrier.listen(made.hub, embedded))
        group.create_task(out.run())
        group.create_task(DeadLetters(database.begin, embedded, made.clock).run())
