"""Work that goes on as long as the process does: by one gateway at a time, and begun again.

What fails in one of them is said, and ends neither the others nor the process. What is said is an
error's kind and no more: its text might hold what a caller said.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

from gateway.lease import Duty, Lease
from gateway.parts import Parts

log = logging.getLogger(__name__)

AGAIN_S: Final = 1.0


async def duty(made: Parts, name: str, work: Callable[[Lease], Awaitable[None]]) -> None:
    """Do `work` while this process, of all that share the database, holds the lease `name`."""
    await Duty(made.database, made.clock, made.settings.state / "seats", name, work).run()


async def for_ever(name: str, work: Callable[[], Awaitable[NoReturn]]) -> NoReturn:
    """Whatever goes wrong in one of them is said, and ends neither the others nor the process."""
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
            log.error("%s: %s; begun again", name, why(error))  # noqa: TRY400
        await asyncio.sleep(AGAIN_S)


def why(error: Exception) -> str:
    """Kind and place of an error, of a group the first: a text might hold what a caller said."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    number = f" (errno {error.errno})" if isinstance(error, OSError) else ""
    return type(error).__name__ + number
