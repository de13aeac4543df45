"""Looks into the spool again and again, for as long as the gateway runs.

`ready/` several times a second, the rest of the spool every few seconds, what crashes left behind
at the start and every hour.  The work is done on a thread: the event loop never waits for a disk.
A round that fails as a whole (the database away, the spool not mounted) is logged and repeated;
nothing a round does not reach is lost by that, the WAVs are where they were.
"""

import asyncio
import logging
from collections.abc import Callable

from recordings import orphans
from recordings.capture import Begin, Capture
from recordings.place import Store

log = logging.getLogger(__name__)

POLL_S = 0.3
_SWEEP_EVERY = 16
"""Rounds between two sweeps of the whole spool: about five seconds."""

_TIDY_EVERY = 12_000
"""Rounds between two looks for orphans: about an hour."""


async def run(
    capture: Capture, store: Store, begin: Begin, pbx: str, clock: Callable[[], int]
) -> None:
    """Capture until cancelled; a WAV under way is finished before the cancellation is seen."""
    turn = 0
    while True:
        try:
            await _uninterrupted(capture, sweep=turn % _SWEEP_EVERY == 0)
            if turn % _TIDY_EVERY == 0:
                await asyncio.to_thread(orphans.tidy, store, begin, pbx, clock())
        except Exception as error:  # noqa: BLE001  whatever it is, the next round is due
            log.warning("capture round failed: %s", type(error).__name__)
        turn += 1
        await asyncio.sleep(POLL_S)


async def _uninterrupted(capture: Capture, *, sweep: bool) -> None:
    """One round on a thread; a cancellation meanwhile is passed on once the thread is done, so
    that nobody closes the database under it."""
    work = asyncio.ensure_future(asyncio.to_thread(capture.once, sweep=sweep))
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise
