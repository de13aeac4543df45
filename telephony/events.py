"""Messages to typed events: what of the PBX's talk concerns calls, and nothing about their state.

`understand` reads the handful of event types a call is made of and answers None for all others. An
event of ours that lacks what it needs (no Uniqueid, say) is None as well: it can change nothing.
Texts are made storable here: invalid bytes, control characters and line separators become U+FFFD,
and each text is cut at the width of its column. The event's own text stays whole in the journal.

Times are µs since the epoch, by the PBX's clock (`timestampevents = yes`); where the PBX gives
none (list answers) the time of receipt stands in. Pure: no clock, no I/O.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from telephony.wire import Message

NUMBER_WIDTH: Final = 80
NAME_WIDTH: Final = 160
ID_WIDTH: Final = 150

_TIMESTAMP: Final = re.compile(r"([0-9]{1,11})\.([0-9]{1,6})")
_UNSTORABLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


@dataclass(frozen=True, slots=True)
class Party:
    """The channel an event speaks of: the caller's own where `uniqueid == linkedid`."""

    uniqueid: str
    linkedid: str
    channel: str = ""
    context: str = ""
    exten: str = ""
    number: str = field(default="", repr=False)
    name: str = field(default="", repr=False)

    @property
    def leads(self) -> bool:
        """Whether this channel is the one the call is named after."""
        return self.uniqueid == self.linkedid


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a channel at a time (µs since the epoch, PBX's clock)."""

    at: int
    party: Party


@dataclass(frozen=True, slots=True)
class ChannelBegan(Event):
    """Newchannel: a channel stands."""


@dataclass(frozen=True, slots=True)
class CallerQueued(Event):
    """QueueCallerJoin: the caller waits in a queue."""

    queue: str


@dataclass(frozen=True, slots=True)
class QueueLeft(Event):
    """QueueCallerLeave: the caller waits no more — answered, gone or timed out."""

    queue: str


@dataclass(frozen=True, slots=True)
class CallerAbandoned(Event):
    """QueueCallerAbandon: the caller hung up while waiting."""


@dataclass(frozen=True, slots=True)
class _AgentEvent(Event):
    """`leg` is the unique id of the agent's channel; `interface` like PJSIP/8003."""

    leg: str
    interface: str
    member: str


@dataclass(frozen=True, slots=True)
class AgentOffered(_AgentEvent):
    """AgentCalled: an agent's phone is being rung."""


@dataclass(frozen=True, slots=True)
class AgentDeclined(_AgentEvent):
    """AgentRingNoAnswer: that phone rang out, or was refused."""


@dataclass(frozen=True, slots=True)
class AgentAnswered(_AgentEvent):
    """AgentConnect: caller and agent can talk."""


@dataclass(frozen=True, slots=True)
class AgentReleased(_AgentEvent):
    """AgentComplete: that talk ended; `reason` is caller, agent or transfer."""

    reason: str


@dataclass(frozen=True, slots=True)
class RecordingBegan(Event):
    """MixMonitorStart: the channel is recorded, into a file named after its unique id."""


@dataclass(frozen=True, slots=True)
class HangupAsked(Event):
    """HangupRequest: this channel's own end hung up. Comes before Hangup, on the same topic;
    AgentComplete, which says the same, may come after it."""


@dataclass(frozen=True, slots=True)
class ChannelEnded(Event):
    """Hangup: the channel is gone; `cause` is the Q.850 number, 0 when not given."""

    cause: int


@dataclass(frozen=True, slots=True)
class ChannelVanished(Event):
    """The channel is in no snapshot taken after a gap. Made by `resync`, never by the PBX."""


@dataclass(frozen=True, slots=True)
class ChannelSeen(Event):
    """One line of a CoreShowChannels answer; `lasted_us` is the channel's age."""

    application: str
    data: str
    bridge: str
    lasted_us: int


@dataclass(frozen=True, slots=True)
class SnapshotDone(Event):
    """The end of a CoreShowChannels answer. `party` is empty."""


def understand(message: Message, received_at: int = 0) -> Event | None:
    """The event a message is, or None when it is none of ours."""
    if message.kind != "event":
        return None
    reader = READERS.get(message.name)
    return reader(message, _when(message, received_at)) if reader else None


def storable(text: str, width: int) -> str:
    """`text` as both databases and every page can hold it, at most `width` characters."""
    if len(text) <= width and text.isascii() and text.isprintable():
        return text  # nearly all of them
    return _UNSTORABLE.sub("\ufffd", text[:width])


def interface_of(channel: str) -> str:
    """The device a channel belongs to: PJSIP/8003 of PJSIP/8003-0000000a."""
    return channel.rpartition("-")[0] or channel


def _when(message: Message, received_at: int) -> int:
    match = _TIMESTAMP.fullmatch(message.get("Timestamp"))
    if not match:
        return received_at
    return int(match[1]) * 1_000_000 + int(match[2].ljust(6, "0"))


def _known(text: str, width: int) -> str:
    """Asterisk writes `<unknown>` where it knows nothing."""
    return "" if text == "<unknown>" else storable(text, width)


def _party(message: Message) -> Party | None:
    uniqueid = storable(message.get("Uniqueid"), ID_WIDTH)
    linkedid = storable(message.get("Linkedid"), ID_WIDTH)
    if not uniqueid or not linkedid:
        return None
    return Party(
        uniqueid=uniqueid,
        linkedid=linkedid,
        channel=storable(message.get("Channel"), NUMBER_WIDTH),
        context=storable(message.get("Context"), NUMBER_WIDTH),
        exten=storable(message.get("Exten"), NUMBER_WIDTH),
        number=_known(message.get("CallerIDNum"), NUMBER_WIDTH),
        name=_known(message.get("CallerIDName"), NAME_WIDTH),
    )


def _plain(
    kind: type[ChannelBegan] | type[CallerAbandoned] | type[RecordingBegan] | type[HangupAsked],
) -> Callable[[Message, int], Event | None]:
    def read(message: Message, at: int) -> Event | None:
        party = _party(message)
        return kind(at, party) if party else None

    return read


def _queue(
    kind: type[CallerQueued] | type[QueueLeft],
) -> Callable[[Message, int], Event | None]:
    def read(message: Message, at: int) -> Event | None:
        party = _party(message)
        queue = storable(message.get("Queue"), NUMBER_WIDTH)
        return kind(at, party, queue) if party and queue else None

    return read


def _agent(
    kind: type[AgentOffered] | type[AgentDeclined] | type[AgentAnswered],
) -> Callable[[Message, int], Event | None]:
    def read(message: Message, at: int) -> Event | None:
        party = _party(message)
        who = _agent_of(message)
        return kind(at, party, *who) if party and who else None

    return read


def _agent_of(message: Message) -> tuple[str, str, str] | None:
    interface = storable(message.get("Interface"), NUMBER_WIDTH)
    leg = storable(message.get("DestUniqueid"), ID_WIDTH) or interface
    if not interface:
        return None
    return leg, interface, storable(message.get("MemberName"), NAME_WIDTH)


def _released(message: Message, at: int) -> Event | None:
    party = _party(message)
    who = _agent_of(message)
    reason = storable(message.get("Reason"), 16)
    return AgentReleased(at, party, *who, reason) if party and who else None


def _ended(message: Message, at: int) -> Event | None:
    party = _party(message)
    return ChannelEnded(at, party, _number(message.get("Cause"))) if party else None


def _seen(message: Message, at: int) -> Event | None:
    party = _party(message)
    if not party:
        return None
    return ChannelSeen(
        at,
        party,
        application=storable(message.get("Application"), NUMBER_WIDTH),
        data=storable(message.get("ApplicationData"), NAME_WIDTH),
        bridge=storable(message.get("BridgeId"), NUMBER_WIDTH),
        lasted_us=_lasted(message.get("Duration")),
    )


def _lasted(text: str) -> int:
    """`HH:MM:SS` in µs; 0 when it reads otherwise."""
    match = re.fullmatch(r"([0-9]{1,5}):([0-9]{2}):([0-9]{2})", text)
    if not match:
        return 0
    return (int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3])) * 1_000_000


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,4}", text) else 0


READERS: Final[Mapping[str, Callable[[Message, int], Event | None]]] = {
    "Newchannel": _plain(ChannelBegan),
    "QueueCallerJoin": _queue(CallerQueued),
    "QueueCallerLeave": _queue(QueueLeft),
    "QueueCallerAbandon": _plain(CallerAbandoned),
    "AgentCalled": _agent(AgentOffered),
    "AgentRingNoAnswer": _agent(AgentDeclined),
    "AgentConnect": _agent(AgentAnswered),
    "AgentComplete": _released,
    "MixMonitorStart": _plain(RecordingBegan),
    "HangupRequest": _plain(HangupAsked),
    "Hangup": _ended,
    "CoreShowChannel": _seen,
    "CoreShowChannelsComplete": lambda _message, at: SnapshotDone(at, Party("", "")),
}
