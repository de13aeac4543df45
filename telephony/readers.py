"""Messages to typed events: what of the PBX's talk concerns calls, and nothing about their state.

`understand` reads the event types a call is made of and answers None for all others. An event of
ours that lacks what it needs (no Uniqueid, say) is None as well: it can change nothing. Texts are
made storable here; the event's own text stays whole in the journal.

Times are the PBX's (`timestampevents = yes`); where it gives none (list answers) the time of
receipt stands in. Pure: no clock, no I/O.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from telephony import events as ev
from telephony import holds, queue_readers
from telephony.fields import lasted, number, party_of, when
from telephony.message import EOL, Message
from telephony.outgoing import is_outgoing
from telephony.queue_readers import Reader

FIRST_LINES: Final = 256
"""Of events' names, of which a PBX has a hundred or two: a line read once is known again."""


def understand(message: Message, received_at: int = 0) -> ev.Event | None:
    """The event a message is, or None when it is none of ours."""
    reader = _reader(message.raw.partition(EOL)[0])
    return reader(message, when(message, received_at)) if reader else None


def events_of(messages: Iterable[Message], received_at: int) -> tuple[ev.Event, ...]:
    """The events among these messages, in their order."""
    found = (understand(message, received_at) for message in messages)
    return tuple(event for event in found if event is not None)


@lru_cache(maxsize=FIRST_LINES)
def _reader(first_line: bytes) -> Reader | None:
    message = Message(first_line)
    if message.kind == "response":
        return _answered
    return READERS.get(message.name) if message.kind == "event" else None


def _answered(message: Message, at: int) -> ev.Event | None:
    """Of all that we ask, one answer is understood here."""
    return holds.understood(message, at) if holds.asked(message) else None


def _plain(kind: type[ev.Event], of: str = "") -> Reader:
    def read(message: Message, at: int) -> ev.Event | None:
        party = party_of(message, of)
        return kind(at, party) if party else None

    return read


def _queue(kind: type[ev.CallerQueued] | type[ev.QueueLeft]) -> Reader:
    def read(message: Message, at: int) -> ev.Event | None:
        party = party_of(message)
        queue = ev.storable(message.get("Queue"), ev.NUMBER_WIDTH)
        return kind(at, party, queue) if party and queue else None

    return read


def _conference(kind: type[ev.ConferenceJoined] | type[ev.ConferenceLeft]) -> Reader:
    def read(message: Message, at: int) -> ev.Event | None:
        party = party_of(message)
        bridge = ev.storable(message.get("BridgeUniqueid"), ev.NUMBER_WIDTH)
        return kind(at, party, bridge) if party and bridge else None

    return read


def _agent(
    kind: type[ev.AgentOffered] | type[ev.AgentDeclined] | type[ev.AgentAnswered],
) -> Reader:
    def read(message: Message, at: int) -> ev.Event | None:
        party = party_of(message)
        who = _agent_of(message)
        return kind(at, party, *who) if party and who else None

    return read


def _agent_of(message: Message) -> tuple[str, str, str] | None:
    """Channel, device and name of the member. A call picked up at another desk is told under the
    name of the phone that rang; the channel shows whose it is."""
    interface = ev.storable(message.get("Interface"), ev.NUMBER_WIDTH)
    leg = ev.storable(message.get("DestUniqueid"), ev.ID_WIDTH) or interface
    if not interface:
        return None
    device = ev.interface_of(ev.storable(message.get("DestChannel"), ev.NUMBER_WIDTH))
    technology = interface.partition("/")[0] + "/"
    if technology != ev.LOCAL and device.startswith(technology) and device != interface:
        return leg, device, ""
    return leg, interface, ev.storable(message.get("MemberName"), ev.NAME_WIDTH)


def _dialled(message: Message, at: int) -> ev.Event | None:
    """DialBegin and DialEnd; a ring that was cancelled ends with its channel."""
    party, phone = party_of(message), party_of(message, "Dest")
    if party is None and phone is not None and message.get("DialStatus") == "ANSWER":
        return ev.PhonePickedUp(at, phone)
    kind = _DIALLED.get(message.get("DialStatus"))
    if party is None or phone is None or kind is None:
        return None
    return kind(at, party, phone.uniqueid, ev.interface_of(phone.channel), "")


def _not_placed(message: Message, at: int) -> ev.Event | None:
    """Of a call that came to nothing there is no channel: the id we gave it is all there is."""
    uniqueid = message.get("Uniqueid")
    failed = message.get("Response") == "Failure" and is_outgoing(uniqueid)
    return ev.NotPlaced(at, ev.Party(uniqueid, uniqueid)) if failed else None


def _fetched(message: Message, at: int) -> ev.Event | None:
    party, phone = party_of(message, "Parkee"), party_of(message, "Retriever")
    if party is None or phone is None:
        return None
    return ev.Fetched(at, party, phone.uniqueid, ev.interface_of(phone.channel), "")


def _passed_on(message: Message, at: int) -> ev.Event | None:
    party, agent = party_of(message, "Transferee"), party_of(message, "Transferer")
    if party is None or agent is None or message.get("Result") != "Success":
        return None
    to = ev.storable(message.get("Extension"), ev.NUMBER_WIDTH)
    return ev.PassedOn(at, party, agent.uniqueid, to)


def _handed_over(message: Message, at: int) -> ev.Event | None:
    party, agent = party_of(message, "Transferee"), party_of(message, "OrigTransferer")
    second = party_of(message, "SecondTransferer")
    if party is None or agent is None or second is None or message.get("Result") != "Success":
        return None
    application = ev.storable(message.get("DestApp"), ev.NUMBER_WIDTH)
    other = party_of(message, "TransferTarget")
    return ev.HandedOver(at, party, agent.uniqueid, other, second.uniqueid, application)


def _released(message: Message, at: int) -> ev.Event | None:
    party = party_of(message)
    who = _agent_of(message)
    reason = ev.storable(message.get("Reason"), 16)
    return ev.AgentReleased(at, party, *who, reason) if party and who else None


def _ended(message: Message, at: int) -> ev.Event | None:
    party = party_of(message)
    return ev.ChannelEnded(at, party, number(message.get("Cause"))) if party else None


def _seen(message: Message, at: int) -> ev.Event | None:
    party = party_of(message)
    if not party:
        return None
    return ev.ChannelSeen(
        at,
        party,
        application=ev.storable(message.get("Application"), ev.NUMBER_WIDTH),
        data=ev.storable(message.get("ApplicationData"), ev.NAME_WIDTH),
        bridge=ev.storable(message.get("BridgeId"), ev.NUMBER_WIDTH),
        lasted_us=lasted(message.get("Duration")),
    )


_DIALLED: Final[Mapping[str, type[ev.PhoneRang | ev.PhoneAnswered | ev.PhoneRefused]]] = {
    "": ev.PhoneRang,
    "ANSWER": ev.PhoneAnswered,
    "NOANSWER": ev.PhoneRefused,
    "BUSY": ev.PhoneRefused,
    "CONGESTION": ev.PhoneRefused,
    "CHANUNAVAIL": ev.PhoneRefused,
}

READERS: Final[Mapping[str, Reader]] = {
    "Newchannel": _plain(ev.ChannelBegan),
    "QueueCallerJoin": _queue(ev.CallerQueued),
    "QueueCallerLeave": _queue(ev.QueueLeft),
    "AgentCalled": _agent(ev.AgentOffered),
    "AgentRingNoAnswer": _agent(ev.AgentDeclined),
    "AgentConnect": _agent(ev.AgentAnswered),
    "AgentComplete": _released,
    "DialBegin": _dialled,
    "DialEnd": _dialled,
    "OriginateResponse": _not_placed,
    "Hold": _plain(ev.Held),
    "Unhold": _plain(ev.Resumed),
    "BlindTransfer": _passed_on,
    "AttendedTransfer": _handed_over,
    "ConfbridgeJoin": _conference(ev.ConferenceJoined),
    "ConfbridgeLeave": _conference(ev.ConferenceLeft),
    "ParkedCall": _plain(ev.Parked, "Parkee"),
    "UnParkedCall": _fetched,
    "MixMonitorStart": _plain(ev.RecordingBegan),
    "HangupRequest": _plain(ev.HangupAsked),
    "Hangup": _ended,
    "CoreShowChannel": _seen,
    "CoreShowChannelsComplete": lambda _message, at: ev.SnapshotDone(at, ev.Party("", "")),
    **queue_readers.READERS,
}
