"""The second copy, kept up to date under the timers' lease: each minute what is not there yet.

A recording that cannot be copied is put down as the store does not have it (flow.scrubbing names
it) and stops no other; a place that is away is tried again in a minute. What waits for over an hour
stands on the state page and in `hotline doctor`. Only what is sealed is copied, and nothing of it
is ever replaced.
"""

import asyncio
import logging

from sqlalchemy.exc import SQLAlchemyError

from gateway.flow import scrubbing
from gateway.parts import Parts
from recordings import scrub, second
from recordings.errors import EvidenceAltered, RecordingsError
from recordings.tables_store import COPY, STORE

logger = logging.getLogger(__name__)

EVERY_S = 60.0
_AT_ONCE = 8  # copied on one thread, before a shutdown or a lost lease is seen


async def run(parts: Parts) -> None:
    """Keep the second copy up to date while this gateway holds the timers; ends at once where none
    is set."""
    while COPY in parts.places:
        try:
            after: int | None = 0
            while after is not None:
                after = await asyncio.to_thread(some, parts, after)
        except (RecordingsError, SQLAlchemyError, OSError) as error:
            why = error if isinstance(error, RecordingsError) else type(error).__name__
            logger.warning("second copy: %s", why)
        await asyncio.sleep(EVERY_S)


def some(parts: Parts, after: int) -> int | None:
    """Copy a few recordings of greater ids; the last one's, None where none was left.

    Raises StoreError or OSError where a place is away.
    """
    first, copy = parts.places[STORE], parts.places[COPY]
    with parts.database.reading() as session:
        ids = second.due(session, after, _AT_ONCE)
        begun = scrub.any_in(session, COPY)
    if ids and begun:
        scrub.there(copy, COPY)
    for recording_id in ids:
        try:
            second.copy(
                parts.database.begin, first, copy, recording_id, parts.clock, scrubbing.noted(parts)
            )
        except EvidenceAltered:
            logger.warning("second copy: another object lies there, recording %d", recording_id)
    return ids[-1] if ids else None
