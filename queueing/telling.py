"""What a relay and the inbox tell of themselves, kept where every process can read it.

Each counts in memory what it does (`told`); once a second what is new is added to the table, so
that the figures are those of all processes together and of whichever is asked. Always holds: an
idle house writes every `STILL_S` at most; what cannot be written now is added later, and only a
death loses the last few seconds. These are figures, not records: nothing is decided by them.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, NoReturn

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from queueing.outbox import Begin, Clock
from queueing.tables import CarrierRow, QueueDepthRow, TallyRow

logger = logging.getLogger(__name__)

Told = Counter[tuple[str, str]]
"""How often, by name and label: `("publish", "confirmed")`."""
Standing = tuple[bool, int, int]
"""Of a relay: whether the broker is up, how large the window is, how many fly."""

LOOK_S: Final = 1.0
STILL_S: Final = 30.0
GONE_US: Final = 90_000_000
"""A carrier, or a depth, that was not told of for so long is no news any more."""
FORGOTTEN_US: Final = 86_400_000_000


class Teller:
    """Writes what one process has counted, and how its relay stands."""

    def __init__(
        self,
        begin: Begin,
        clock: Clock,
        told: Told,
        standing: Callable[[], Standing] | None,
        name: str,
    ) -> None:
        self._begin, self._clock, self._name = begin, clock, name
        self._told, self._standing = told, standing
        self._written: Told = Counter()
        self._stood: Standing | None = None
        self._wrote_at = 0

    async def run(self) -> NoReturn:
        """Until cancelled; a database that is away is waited for."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self._turn()
            except SQLAlchemyError as error:
                logger.warning("figures: %s", type(error).__name__)

    async def _turn(self) -> None:
        now = self._clock()
        now_told = Counter(dict(self._told))  # another thread may count meanwhile
        fresh, stands = now_told - self._written, self._standing and self._standing()
        changed = bool(fresh) or (stands or ())[:2] != (self._stood or ())[:2]
        still = stands is not None and now - self._wrote_at >= STILL_S * 1e6
        if not (changed or still):
            return
        await asyncio.to_thread(self._write, fresh, stands, now)
        self._written += fresh
        self._stood, self._wrote_at = stands, now

    def _write(self, fresh: Told, stands: Standing | None, now: int) -> None:
        with self._begin() as session:
            for (name, label), more in sorted(fresh.items()):
                add(session, name, label, more)
            if stands is not None:
                up, window, flying = stands
                session.merge(
                    CarrierRow(name=self._name, up=up, window=window, flying=flying, told_at=now)
                )
                session.execute(delete(CarrierRow).where(CarrierRow.told_at < now - FORGOTTEN_US))


def carriers(session: Session, now: int) -> list[CarrierRow]:
    """The relays that told of themselves lately."""
    fresh = select(CarrierRow).where(CarrierRow.told_at >= now - GONE_US)
    return list(session.scalars(fresh.order_by(CarrierRow.name)))


def add(session: Session, name: str, label: str, more: int) -> None:
    """Count `more` of this; several processes may at once."""
    insert = (sqlite if session.get_bind().dialect.name == "sqlite" else postgresql).insert
    row: Any = insert(TallyRow).values(name=name, label=label, value=more)
    session.execute(
        row.on_conflict_do_update(
            index_elements=["name", "label"], set_={"value": TallyRow.value + row.excluded.value}
        )
    )


def depths(session: Session, found: dict[str, tuple[int, int]], now: int) -> None:
    """Keep what lies in these queues: ready messages and consumers."""
    for queue, (ready, consumers) in sorted(found.items()):
        session.merge(QueueDepthRow(queue=queue, ready=ready, consumers=consumers, asked_at=now))
