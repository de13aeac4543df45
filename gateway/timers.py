"""What is due by the clock: a list of chores, done every ten minutes, one gateway at a time.

What always holds: each chore is tried by itself, so that one that fails keeps no other from being
done; what failed is told, and tried again the next time. Comparing recordings and bringing the
second copy up to date take as long as they take and run beside the list. When something is due, and
what is done then, each chore knows; nothing is decided here.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from sqlalchemy.exc import SQLAlchemyError

from gateway import compose
from gateway.errors import HotlineError
from gateway.flow import copies, custody, exporting, glass, keeping, scrubbing, witnessing
from gateway.flow.custody import Trouble
from gateway.parts import Parts
from recordings.errors import RecordingsError

log = logging.getLogger(__name__)

EVERY_S = 600.0

Chore = Callable[[Parts], object]


def chores() -> dict[str, Chore]:
    """What is done each time, in this order."""
    told: list[Trouble] = []

    def look_at_keys(parts: Parts) -> None:
        told[:] = look_after_keys(parts, told)

    return {
        "keys": look_at_keys,
        "links": compose.relink,
        "checkpoints": witnessing.tend,
        "exports": exporting.tidy,
        "break-glass": glass.remind,
        "retention": _retain,
    }


async def run(parts: Parts) -> None:
    """Until cancelled."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_by_the_clock(parts))
        group.create_task(scrubbing.run(parts))
        group.create_task(copies.run(parts))


async def _by_the_clock(parts: Parts) -> None:
    listed = chores()
    while True:
        await asyncio.to_thread(each, parts, listed)
        await asyncio.sleep(EVERY_S)


def each(parts: Parts, listed: dict[str, Chore]) -> None:
    """Every chore once."""
    for name, chore in listed.items():
        try:
            chore(parts)
        except (RecordingsError, HotlineError) as error:  # their words are for people
            log.warning("timers, %s: %s", name, error)
        except (SQLAlchemyError, OSError) as error:
            log.warning("timers, %s: %s", name, type(error).__name__)


def look_after_keys(parts: Parts, told: Sequence[Trouble]) -> list[Trouble]:
    """Make what is missing, and tell what is wrong and was not `told` yet; what is wrong now."""
    for key_id in custody.keep_ahead(parts):
        log.info("made the keys of %s", key_id)
    with parts.database.reading() as session:
        found = custody.troubles(parts, session)
    fresh = [one for one in found if one not in told]
    custody.tell(parts, fresh)
    for one in fresh:
        log.error("keys: %s", one.text)
    return found


def _retain(parts: Parts) -> None:
    for word in keeping.look(parts, keeping.seen(parts.clock())):
        log.warning("retention: %s", word)
