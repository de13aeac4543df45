"""A recorded AMI stream of one call or several, to be told again as others. Pure.

A trace is what a real Asterisk 22 sent with the manager.conf we ship. Told anew, each id, channel,
bridge, number and agent of the recording is replaced; what happened, in which order and how far
apart stays. Two pauses are the teller's to set: how long the phone rings (or the caller waits), and
how long they talk.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Final

from telephony.errors import TraceUnreadable, WireError
from telephony.message import Message
from telephony.wire import Wire

Headers = tuple[tuple[str, str], ...]

_IDS: Final = ("Uniqueid", "Linkedid", "DestUniqueid", "DestLinkedid")
_ID: Final = re.compile(
    r"[0-9]{6,}\.[0-9]+"
    r"|[A-Za-z0-9]+/\S+?-[0-9a-f]{8}(?:;[12])?"
    r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)
"""A unique id, a channel, a bridge: also in the middle of a file's name or a list."""
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
    """What was said. `linkedid`, `caller`, `agent`: the first call's; `agent` '' when none."""

    beats: tuple[Beat, ...]
    linkedid: str
    caller: str
    agent: str

    @classmethod
    def read(cls, data: bytes) -> "Trace":
        """Takes a recorded stream apart; answers that only their asker wanted are left out.

        Raises `TraceUnreadable` when it is no AMI stream, or there is no call's beginning in it.
        """
        try:
            said = Wire(greeted=True).feed(data)
        except WireError as error:
            raise _no_trace() from error
        messages = [m for m in said if m.kind == "event" and not m.get("ActionID")]
        begun = (m for m in messages if m.name == "Newchannel")
        first = next((m for m in begun if m.get("Uniqueid") == m.get("Linkedid")), None)
        if first is None:
            raise _no_trace()
        agent = next((m.get("Interface") for m in messages if m.name == "AgentCalled"), "")
        return cls(
            beats=tuple(_beats(messages)),
            linkedid=first.get("Linkedid"),
            caller=first.get("CallerIDNum"),
            agent=agent.rpartition("/")[2],
        )

    def told(self, ids: Mapping[str, str], caller: Caller) -> Iterator[Beat]:
        """The call again, with other ids and people. `ids`: what `names` gave, and its stead."""
        for beat in self.beats:
            headers = tuple(
                (key, self._value(key, value, ids, caller)) for key, value in beat.headers
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

    def _value(self, key: str, value: str, ids: Mapping[str, str], caller: Caller) -> str:
        if key in _OF_CALLER and value == self.caller:
            return caller.name if key.endswith("Name") and caller.name else caller.number
        value = _ID.sub(lambda match: ids.get(match[0], match[0]), value)
        if self.agent not in {"", caller.agent} and self.agent in value and key not in _IDS:
            value = re.sub(rf"\b{re.escape(self.agent)}\b", caller.agent, value)
        return value


def event_of(headers: Headers) -> str:
    """The event's name."""
    return next((value for key, value in headers if key == "Event"), "")


def _no_trace() -> TraceUnreadable:
    return TraceUnreadable(
        "文件不是 AMI 录制，或其中没有来电的开头。请用 AMI 连接收到的原始内容。 "
        "No recorded AMI stream, or no call begins in it: give what an AMI session received, byte "
        "for byte."
    )


def _beats(messages: Sequence[Message]) -> Iterator[Beat]:
    """Each message with the pause before it; one without a timestamp comes with the one before."""
    stamps = [_stamp(message) for message in messages]
    last = next((stamp for stamp in stamps if stamp is not None), None)
    if last is None:
        raise TraceUnreadable(
            "录制缺少时间戳，请设置 timestampevents = yes。"
            " The trace has no timestamps: record it with timestampevents = yes."
        )
    for message, stamp in zip(messages, stamps, strict=True):
        at = last if stamp is None else stamp
        yield Beat(max(0.0, at - last), message.headers)
        last = at


def _stamp(message: Message) -> float | None:
    try:
        at = float(message.get("Timestamp"))
    except ValueError:
        return None
    return at if isfinite(at) else None
