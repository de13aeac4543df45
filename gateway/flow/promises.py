"""What begins or ends by itself at one PBX, without anybody asking: a recording's silence ends, a
wrap-up begins and ends.

Looked at every `LOOK_S`. None waits for another: a silence that the PBX does not end, however often
it is asked, leaves no agent paused, and the other way round. What failed is tried again at the next
look, for ever, and said each time. When each is due is `silence`'s, `wrapup`'s, `breaks`'s to know.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import NoReturn

from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import ControlFailed
from gateway.exchange import Exchange
from gateway.flow import breaks, silence, wrapup
from gateway.parts import Parts
from telephony.errors import TelephonyError

log = logging.getLogger(__name__)

LOOK_S = 2.0


async def keep(parts: Parts, exchange: Exchange) -> NoReturn:
    """Until cancelled. A gateway that starts resumes what it finds silent, too: whoever was to end
    that is gone."""
    pbx = exchange.name
    restarted_at: int | None = parts.clock()
    rested: dict[str, int] = {}  # the phones' parts in calls that a wrap-up was thought of for
    while True:
        resumed = partial(silence.keep, parts, pbx, restarted_at=restarted_at)
        if await asyncio.to_thread(_kept, "a recording is silent still", resumed):
            restarted_at = None
        begun = partial(wrapup.keep, parts, exchange, rested)
        await asyncio.to_thread(_kept, "a wrap-up is not begun", begun)
        await asyncio.to_thread(_kept, "a wrap-up goes on", partial(breaks.keep, parts, pbx))
        await asyncio.sleep(LOOK_S)


def _kept(otherwise: str, act: Callable[[], None]) -> bool:
    """Whether all that was due is done."""
    try:
        act()
    except (TelephonyError, ControlFailed, SQLAlchemyError) as error:
        log.warning("%s: %s", otherwise, type(error).__name__)
        return False
    return True
