"""Messages to typed events: what of the PBX's talk concerns calls, and nothing about their state.

`understand` reads the event types a call is made of and answers None for all others. An event of
ours that lacks what it needs (no Uniqueid, say) is None as well: it can change nothing. Texts are
made storable here; the event's own text stays whole in the journal.

Times are the PBX's (`timestampevents = yes`); where it gives none (list answers) the time of
receipt stands in. Pure: no clock, no I/O.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Final

from telephony import events as ev
from telephony.message import EOL, Message
from telephony.outgoing import is_outgoing

Reader = Callable[[Message, int], ev.Event | None]

PARTIES: Final = 1_024
"""A channel is spoken of many times in a row, mostly in the same words: made once, it is known
again. So many are remembered."""
FIRST_LINES: Final = 256
"""The same of events' names, of which a PBX has a hundred or two."""


def understand(message: Message, received_at: int = 0) -> ev.Event | None:
    """The event a message is, or None when it is none of ours."""
    reader = _reader(message.raw.partition(EOL)[0])
    return reader(message, _when(message, received_at)) if reader else None


@lru_cache(maxsize=FIRST_LINES)
def _reader(first_line: bytes) -> Reader | None:
    message = Message(first_line)
    return READERS.get(message.name) if message.kind == "event" else None


def _when(message: Message, received_at: int) -> int:
    """The PBX's own time: seconds and a fraction, which is no padded one on every version."""
    seconds, _, fraction = message.values.get("Timestamp", "").partition(".")
    digits = seconds + fraction.ljust(6, "0")
    known = seconds and fraction and len(fraction) <= 6 and len(seconds) <= 11
    return int(digits) if known and digits.isascii() and digits.isdecimal() else received_at


def _known(text: str, width: int) -> str:
    """Asterisk writes `<unknown>` where it knows nothing."""
    return "" if text == "<unknown>" else ev.storable(text, width)


def _party(message: Message, of: str = "") -> ev.Party | None:
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
        number=_known(number, ev.NUMBER_WIDTH),
        name=_known(name, ev.NAME_WIDTH),
    )


def _plain(kind: type[ev.Event], of: str = "") -> Reader:
    def read(message: Message, at: int) -> ev.Event | None:
        party = _party(message, of)
        return kind(at, party) if party else None

    return read


def _queue(kind: type[ev.CallerQueued] | type[ev.QueueLeft]) -> Reader:
    def read(message: Message, at: int) -> ev.Event | None:
        party = _party(message)
        queue = ev.storable(message.get("Queue"), ev.NUMBER_WIDTH)
        return kind(at, party, queue) if party and queue else None

    return read


def _conference(kind: type[ev.ConferenceJoined] | type[ev.ConferenceLeft]) -> Reader:
    def read(message: Message, at: int) -> ev.Event | None:
        party = _party(message)
        bridge = ev.storable(message.get("BridgeUniqueid"), ev.NUMBER_WIDTH)
        return kind(at, party, bridge) if party and bridge else None

    return read


def _agent(
    kind: type[ev.AgentOffered] | type[ev.AgentDeclined] | type[ev.AgentAnswered],
) -> Reader:
    def read(message: Message, at: int) -> ev.Event | None:
        party = _party(message)
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
    party, phone = _party(message), _party(message, "Dest")
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
    party, phone = _party(message, "Parkee"), _party(message, "Retriever")
    if party is None or phone is None:
        return None
    return ev.Fetched(at, party, phone.uniqueid, ev.interface_of(phone.channel), "")


def _passed_on(message: Message, at: int) -> ev.Event | None:
    party, agent = _party(message, "Transferee"), _party(message, "Transferer")
    if party is None or agent is None or message.get("Result") != "Success":
        return None
    to = ev.storable(message.get("Extension"), ev.NUMBER_WIDTH)
    return ev.PassedOn(at, party, agent.uniqueid, to)


def _handed_over(message: Message, at: int) -> ev.Event | None:
    party, agent = _party(message, "Transferee"), _party(message, "OrigTransferer")
    second = _party(message, "SecondTransferer")
    if party is None or agent is None or second is None or message.get("Result") != "Success":
        return None
    application = ev.storable(message.get("DestApp"), ev.NUMBER_WIDTH)
    other = _party(message, "TransferTarget")
    return ev.HandedOver(at, party, agent.uniqueid, other, second.uniqueid, application)


def _released(message: Message, at: int) -> ev.Event | None:
    party = _party(message)
    who = _agent_of(message)
    reason = ev.storable(message.get("Reason"), 16)
    return ev.AgentReleased(at, party, *who, reason) if party and who else None


def _ended(message: Message, at: int) -> ev.Event | None:
    party = _party(message)
    return ev.ChannelEnded(at, party, _number(message.get("Cause"))) if party else None


def _seen(message: Message, at: int) -> ev.Event | None:
    party = _party(message)
    if not party:
        return None
    return ev.ChannelSeen(
        at,
        party,
        application=ev.storable(message.get("Application"), ev.NUMBER_WIDTH),
        data=ev.storable(message.get("ApplicationData"), ev.NAME_WIDTH),
        bridge=ev.storable(message.get("BridgeId"), ev.NUMBER_WIDTH),
        lasted_us=_lasted(message.get("Duration")),
    )


def _member(kind: type[ev.MemberTold], interface: str, member: str) -> Reader:
    """The headers bear other names in a list's line than in an event."""

    def read(message: Message, at: int) -> ev.Event | None:
        queue = ev.storable(message.get("Queue"), ev.NUMBER_WIDTH)
        device = ev.storable(message.get(interface), ev.NUMBER_WIDTH)
        if not queue or not device:
            return None
        return kind(
            at,
            ev.NOBODY,
            queue,
            device,
            ev.storable(message.get(member), ev.NAME_WIDTH),
            _number(message.get("Status")),
            message.get("Paused") == "1",
            ev.storable(message.get("PausedReason"), ev.NUMBER_WIDTH),
            _seconds(message.get("LastPause")),
        )

    return read


def _member_left(message: Message, at: int) -> ev.Event | None:
    queue = ev.storable(message.get("Queue"), ev.NUMBER_WIDTH)
    interface = ev.storable(message.get("Interface"), ev.NUMBER_WIDTH)
    return ev.MemberLeft(at, ev.NOBODY, queue, interface) if queue and interface else None


def _queue_listed(message: Message, at: int) -> ev.Event | None:
    queue = ev.storable(message.get("Queue"), ev.NUMBER_WIDTH)
    return ev.QueueListed(at, ev.NOBODY, queue) if queue else None


def _waiting_listed(message: Message, at: int) -> ev.Event | None:
    """A line of the list has no Linkedid: whose call it is, is not asked of it."""
    queue = ev.storable(message.get("Queue"), ev.NUMBER_WIDTH)
    uniqueid = ev.storable(message.get("Uniqueid"), ev.ID_WIDTH)
    if not queue or not uniqueid:
        return None
    return ev.WaitingListed(at, ev.Party(uniqueid, ""), queue, _seconds(message.get("Wait")))


def _seconds(text: str) -> int:
    """Whole seconds in µs; 0 when it reads otherwise."""
    return int(text) * 1_000_000 if re.fullmatch(r"[0-9]{1,11}", text) else 0


def _lasted(text: str) -> int:
    """`HH:MM:SS` in µs; 0 when it reads otherwise."""
    match = re.fullmatch(r"([0-9]{1,5}):([0-9]{2}):([0-9]{2})", text)
    if not match:
        return 0
    return (int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3])) * 1_000_000


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,4}", text) else 0


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
    "QueueMemberStatus": _member(ev.MemberTold, "Interface", "MemberName"),
    "QueueMemberAdded": _member(ev.MemberTold, "Interface", "MemberName"),
    "QueueMemberPause": _member(ev.MemberTold, "Interface", "MemberName"),
    "QueueMemberRemoved": _member_left,
    "QueueParams": _queue_listed,
    "QueueMember": _member(ev.MemberListed, "Location", "Name"),
    "QueueEntry": _waiting_listed,
    "QueueStatusComplete": lambda _message, at: ev.QueuesListed(at, ev.NOBODY),
}
