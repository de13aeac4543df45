"""A recorded AMI stream of one call, to be told again as another call. Pure.

A trace is what a real Asterisk 22 sent with the manager.conf we ship. Told anew, each id, channel,
bridge, number and agent of the recording is replaced; what happened, in which order and how far
apart stays. Two pauses are the teller's to set: how long the phone rings (or the caller waits), and
how long they talk.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from telephony.errors import TraceUnreadable
from telephony.wire import Message, Wire

Headers = tuple[tuple[str, str], ...]

_IDS: Final = ("Uniqueid", "Linkedid", "DestUniqueid", "DestLinkedid")
_CALLER: Final = ("CallerIDNum", "CallerIDName", "ConnectedLineNum", "ConnectedLineName")
_OF_CALLER: Final = frozenset([*_CALLER, *(f"Dest{name}" for name in _CALLER)])


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and which agent is to answer: what a retelling replaces."""

    number: str = field(repr=False)
    name: str = field(repr=False)
    agent: str


@dataclass(frozen=True, slots=True)
class Beat:
    """One message of a trace and the pause before it, in seconds."""

    pause_s: float
    headers: Headers


@dataclass(frozen=True, slots=True)
class Trace:
    """One call's messages. `caller`, `agent`: as the recording has them; `agent` '' when none."""

    beats: tuple[Beat, ...]
    linkedid: str
    caller: str
    agent: str

    @classmethod
    def read(cls, data: bytes) -> "Trace":
        """Takes a recorded stream apart. Raises `TraceUnreadable` when there is no call in it."""
        messages = [m for m in Wire(greeted=True).feed(data) if m.kind == "event"]
        first = next((m for m in messages if m.name == "Newchannel"), None)
        if first is None or first.get("Uniqueid") != first.get("Linkedid"):
            raise TraceUnreadable(
                "录制中没有来电。 The trace does not begin with a call from outside."
            )
        agent = next((m.get("Interface") for m in messages if m.name == "AgentCalled"), "")
        return cls(
            beats=tuple(_beats(messages)),
            linkedid=first.get("Linkedid"),
            caller=first.get("CallerIDNum"),
            agent=agent.rpartition("/")[2],
        )

    def told(self, ids: Mapping[str, str], caller: Caller) -> Iterator[Beat]:
        """The call again, with other ids and people. `ids`: what `names` gave, and its stead."""
        swaps = sorted(ids, key=len, reverse=True)
        pattern = re.compile("|".join(map(re.escape, swaps)))
        for beat in self.beats:
            headers = tuple(
                (key, self._value(key, value, ids, pattern, caller)) for key, value in beat.headers
            )
            yield Beat(beat.pause_s, headers)

    def names(self) -> tuple[str, ...]:
        """Every unique id, channel and bridge of the recording, in the order first named."""
        found: dict[str, None] = {}
        for beat in self.beats:
            for key, value in beat.headers:
                named = key in _IDS or key in {"Channel", "DestChannel", "BridgeUniqueid"}
                if named and value:
                    found[value] = None
        return tuple(found)

    def _value(
        self, key: str, value: str, ids: Mapping[str, str], ours: re.Pattern[str], caller: Caller
    ) -> str:
        if key in _OF_CALLER and value == self.caller:
            return caller.name if key.endswith("Name") and caller.name else caller.number
        value = ours.sub(lambda match: ids[match[0]], value)
        if self.agent and self.agent in value and key not in _IDS:
            value = re.sub(rf"\b{re.escape(self.agent)}\b", caller.agent, value)
        return value


def event_of(headers: Headers) -> str:
    """The event's name."""
    return next((value for key, value in headers if key == "Event"), "")


def _beats(messages: Sequence[Message]) -> Iterator[Beat]:
    last: float | None = None
    for message in messages:
        try:
            at = float(message.get("Timestamp"))
        except ValueError:
            raise TraceUnreadable(
                "录制缺少时间戳，请设置 timestampevents = yes。"
                " The trace has no timestamps: record it with timestampevents = yes."
            ) from None
        yield Beat(0.0 if last is None else max(0.0, at - last), message.headers)
        last = at
