"""Doing one database step until it is done: what a consumer does with the message in its hands.

A database that is away is waited for, however long: the message stays unsettled meanwhile, and
those behind it keep their order. Any other failure is tried a few times and then given up to
`give_up`, so that one message a handler stumbles over does not stop all the others.
Always holds: no text of an exception is logged, because a database error quotes the row.
"""

import asyncio
import itertools
import logging
from collections.abc import Callable
from functools import partial
from typing import Final

from sqlalchemy.exc import InterfaceError, OperationalError

from queueing.waiting import finish

logger = logging.getLogger(__name__)

TRIES: Final = 5
WAITS_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0)
AWAY: Final = (InterfaceError, OperationalError)


async def until_done(step: Callable[[], object], give_up: Callable[[Exception], None]) -> None:
    """Run `step` in a thread until it returns; `give_up` takes its place after `TRIES` failures."""
    failures = 0
    for tried in itertools.count():
        problem = await _attempt(step)
        if problem is None:
            return
        if not isinstance(problem, AWAY):
            failures += 1
            if failures == TRIES:
                step = partial(give_up, problem)
                continue
        await asyncio.sleep(WAITS_S[min(tried, len(WAITS_S) - 1)])


async def _attempt(step: Callable[[], object]) -> Exception | None:
    try:
        await finish(asyncio.to_thread(step))
    except Exception as problem:  # noqa: BLE001 - one message must not stop all the others
        logger.warning("a message could not be handled yet: %s", type(problem).__name__)
        return problem
    return None
