"""What happens to calls, as typed events: whose channel, when, and what of it matters.

`readers` makes them from the PBX's messages, `resync` from a snapshot, `backfill` from the PBX's
own log; what they mean for a call is not known here. Texts in them are storable: invalid bytes,
control characters and line separators are U+FFFD, and none is wider than its column.

Times are µs since the epoch, by the PBX's clock. Pure data.
"""

import re
from dataclasses import dataclass, field
from typing import Final

NUMBER_WIDTH: Final = 80
NAME_WIDTH: Final = 160
LOCAL: Final = "Local/"
"""What a channel is called that is no phone but the dialplan's own way to one. It comes in halves,
`…;1` and `…;2`, and is taken out of the way (optimised) once both ends talk."""
ID_WIDTH: Final = 150

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
    """QueueCallerLeave: the caller waits no more — answered, gone or timed out. (Asterisk sends
    QueueCallerAbandon for the latter two alike: it says nothing more, and is not read.)"""

    queue: str


@dataclass(frozen=True, slots=True)
class _AgentEvent(Event):
    """`leg` is the unique id of the agent's channel; `interface` like PJSIP/8003."""

    leg: str
    interface: str
    member: str

    @property
    def indirect(self) -> bool:
        """Whether it is told of a Local channel: the phone behind it tells the same of itself."""
        return self.interface.startswith(LOCAL)


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
class PhoneRang(_AgentEvent):
    """DialBegin: a phone is rung by the dialplan, where a caller was sent. Queues say it as well,
    beside AgentCalled."""


@dataclass(frozen=True, slots=True)
class PhoneRefused(_AgentEvent):
    """DialEnd: that phone rang out or was refused."""


@dataclass(frozen=True, slots=True)
class PhoneAnswered(_AgentEvent):
    """DialEnd with ANSWER: whoever is there can talk to the caller."""


@dataclass(frozen=True, slots=True)
class PhonePickedUp(Event):
    """DialEnd with ANSWER and nobody who dialled: a phone that the PBX rang by itself, for a call
    we placed, was taken up."""


@dataclass(frozen=True, slots=True)
class NotPlaced(Event):
    """OriginateResponse, Failure: what we asked for did not come to a call, or its agent's phone
    was not taken up; the latter has a Hangup as well."""


@dataclass(frozen=True, slots=True)
class Fetched(_AgentEvent):
    """UnParkedCall: an agent took the caller from a parking place."""


@dataclass(frozen=True, slots=True)
class Held(Event):
    """Hold: the phone of this channel put the other side on hold; they hear music."""


@dataclass(frozen=True, slots=True)
class Resumed(Event):
    """Unhold: back. Asterisk says it before each transfer too, held or not."""


@dataclass(frozen=True, slots=True)
class Parked(Event):
    """ParkedCall: the caller was put in a parking place and hears music."""


@dataclass(frozen=True, slots=True)
class ConferenceJoined(Event):
    """ConfbridgeJoin: this channel is in a conference; `bridge` is its bridge's id. Said again when
    a prompt is over."""

    bridge: str


@dataclass(frozen=True, slots=True)
class ConferenceLeft(Event):
    """ConfbridgeLeave: it is so no more."""

    bridge: str


@dataclass(frozen=True, slots=True)
class PassedOn(Event):
    """An agent let go of the caller and gave them to somebody. `leg`: that agent's channel."""

    leg: str
    to: str = field(repr=False)
    """The extension or number (blind), the device or the application (attended)."""
    joined: str = ""
    """The channel of who has the caller now; '' while nobody has."""
    interface: str = ""
    """Its device; '' when it is another caller's."""


@dataclass(frozen=True, slots=True)
class HandedOver(Event):
    """AttendedTransfer: an agent joined the other ends of two calls. Of each end, and of the
    agent's channel that had it; `other` is None when nobody has answered there yet."""

    leg: str
    other: Party | None
    other_leg: str
    application: str

    def sides(self) -> tuple[PassedOn, ...]:
        """The same as each of the two ends saw it; either may be a caller of ours."""
        if self.other is None:
            return (PassedOn(self.at, self.party, self.leg, self.application),)
        return tuple(
            PassedOn(self.at, end, leg, device, far.uniqueid, device)
            for end, leg, far in (
                (self.party, self.leg, self.other),
                (self.other, self.other_leg, self.party),
            )
            for device in (interface_of(far.channel),)
        )


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


def storable(text: str, width: int) -> str:
    """`text` as both databases and every page can hold it, at most `width` characters."""
    if len(text) <= width and text.isascii() and text.isprintable():
        return text  # nearly all of them
    return _UNSTORABLE.sub("\ufffd", text[:width])


def interface_of(channel: str) -> str:
    """The device a channel belongs to: PJSIP/8003 of PJSIP/8003-0000000a."""
    return channel.rpartition("-")[0] or channel
