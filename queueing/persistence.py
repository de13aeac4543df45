"""Doing one database step until it is done: what a consumer does with the message in its hands.

A database that is away is waited for, however long: the message stays unsettled meanwhile, and
those behind it keep their order. Which it is, an outage or this message, the kind of an error does
not tell: a message's own statement may be broken off, or find a column missing, with the errors of
a server that is gone. So after each failure the database is asked to do some other work (`well`),
a commit: only where it does that was it the message, and after some such failures in a row the step
is given up to `give_up`, so that one message a handler stumbles over does not stop all the others.
Always holds: while the database does no other work either, nothing is given up; a lost connection
or a deadlock passes, so errors that an outage could raise get more tries than a handler's own; no
text of an exception is logged, because a database error quotes the row.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from itertools import chain, repeat
from typing import Final

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from queueing.waiting import finish

logger = logging.getLogger(__name__)

TRIES: Final = 5
OUTAGE_TRIES: Final = 10
WAITS_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0)
AWAY: Final = (InterfaceError, OperationalError, PoolTimeout)
"""What an outage raises, and sometimes a message too."""


async def until_done(
    step: Callable[[], object],
    give_up: Callable[[Exception], None],
    well: Callable[[], object],
) -> None:
    """Run `step` in a thread until it returns; `give_up` takes its place after `TRIES` failures in
    a row that were the step's own, `OUTAGE_TRIES` where an outage might have raised them.

    `well` does some other work of the database, and raises where that cannot be done.
    """
    failures, given_up = 0, False
    for wait_s in chain(WAITS_S, repeat(WAITS_S[-1])):
        problem = await _attempt(step)
        if problem is None:
            return
        logger.warning("a message could not be handled yet: %s", type(problem).__name__)
        if not given_up:
            failures = failures + 1 if await _attempt(well) is None else 0
            if failures >= (OUTAGE_TRIES if isinstance(problem, AWAY) else TRIES):
                step, given_up = partial(give_up, problem), True
                continue
        await asyncio.sleep(wait_s)


async def _attempt(step: Callable[[], object]) -> Exception | None:
    try:
        await finish(asyncio.to_thread(step))
    except Exception as problem:  # noqa: BLE001 - one message must not stop all the others
        return problem
    return None
