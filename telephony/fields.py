"""What one header of a message says: whose channel, when, how much; made storable.

A channel is spoken of many times in a row, mostly in the same words; a `Party` made once is known
again. What reads otherwise than Asterisk writes it is nothing (0, None), never an error. Pure.
"""

import re
from functools import cache, lru_cache
from typing import Final

from telephony import events as ev
from telephony.message import Message

PARTIES: Final = 1_024
"""So many are remembered."""


def when(message: Message, received_at: int) -> int:
    """The PBX's own time: seconds and a fraction, which is no padded one on every version."""
    whole, _, fraction = message.values.get("Timestamp", "").partition(".")
    digits = whole + fraction.ljust(6, "0")
    fits = whole and fraction and len(fraction) <= 6 and len(whole) <= 11
    return int(digits) if fits and digits.isascii() and digits.isdecimal() else received_at


def known(text: str, width: int) -> str:
    """Asterisk writes `<unknown>` where it knows nothing."""
    return "" if text == "<unknown>" else ev.storable(text, width)


def party_of(message: Message, of: str = "") -> ev.Party | None:
    """The channel an event speaks of; `of` is the part it plays where there are several."""
    get = message.values.get
    uniqueid, linkedid, *rest = _names(of)
    return _made(get(uniqueid, ""), get(linkedid, ""), *[get(name, "") for name in rest])


@cache
def _names(of: str) -> tuple[str, ...]:
    parts = ("Uniqueid", "Linkedid", "Channel", "Context", "Exten", "CallerIDNum", "CallerIDName")
    return tuple(of + part for part in parts)


@lru_cache(maxsize=PARTIES)
def _made(
    uniqueid: str, linkedid: str, channel: str, context: str, exten: str, number: str, name: str
) -> ev.Party | None:
    if not uniqueid or not linkedid:
        return None
    return ev.Party(
        uniqueid=ev.storable(uniqueid, ev.ID_WIDTH),
        linkedid=ev.storable(linkedid, ev.ID_WIDTH),
        channel=ev.storable(channel, ev.NUMBER_WIDTH),
        context=ev.storable(context, ev.NUMBER_WIDTH),
        exten=ev.storable(exten, ev.NUMBER_WIDTH),
        number=known(number, ev.NUMBER_WIDTH),
        name=known(name, ev.NAME_WIDTH),
    )


def seconds(text: str) -> int:
    """Whole seconds in µs; 0 when it reads otherwise."""
    return int(text) * 1_000_000 if re.fullmatch(r"[0-9]{1,11}", text) else 0


def lasted(text: str) -> int:
    """`HH:MM:SS` in µs; 0 when it reads otherwise."""
    match = re.fullmatch(r"([0-9]{1,5}):([0-9]{2}):([0-9]{2})", text)
    if not match:
        return 0
    return (int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3])) * 1_000_000


def number(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,4}", text) else 0
