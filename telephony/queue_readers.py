"""Messages about queues and their members to typed events: no channel of a call is in them.

A list's lines (QueueStatus) and the events that tell of a change bear different headers for the
same things. What lacks its queue or its device is no event. Pure.
"""

from collections.abc import Callable, Mapping
from typing import Final

from telephony import events as ev
from telephony import queue_events as qe
from telephony.fields import number, seconds
from telephony.message import Message

Reader = Callable[[Message, int], ev.Event | None]


def _member(kind: type[qe.MemberTold], interface: str, member: str) -> Reader:
    """The headers bear other names in a list's line than in an event."""

    def read(message: Message, at: int) -> ev.Event | None:
        queue = ev.storable(message.get("Queue"), ev.NUMBER_WIDTH)
        device = ev.storable(message.get(interface), ev.NUMBER_WIDTH)
        if not queue or not device:
            return None
        return kind(
            at,
            qe.NOBODY,
            queue,
            device,
            ev.storable(message.get(member), ev.NAME_WIDTH),
            number(message.get("Status")),
            message.get("Paused") == "1",
            ev.storable(message.get("PausedReason"), ev.NUMBER_WIDTH),
            seconds(message.get("LastPause")),
        )

    return read


def _member_left(message: Message, at: int) -> ev.Event | None:
    queue = ev.storable(message.get("Queue"), ev.NUMBER_WIDTH)
    interface = ev.storable(message.get("Interface"), ev.NUMBER_WIDTH)
    return qe.MemberLeft(at, qe.NOBODY, queue, interface) if queue and interface else None


def _queue_listed(message: Message, at: int) -> ev.Event | None:
    queue = ev.storable(message.get("Queue"), ev.NUMBER_WIDTH)
    return qe.QueueListed(at, qe.NOBODY, queue) if queue else None


def _waiting_listed(message: Message, at: int) -> ev.Event | None:
    """A line of the list has no Linkedid: whose call it is, is not asked of it."""
    queue = ev.storable(message.get("Queue"), ev.NUMBER_WIDTH)
    uniqueid = ev.storable(message.get("Uniqueid"), ev.ID_WIDTH)
    if not queue or not uniqueid:
        return None
    return qe.WaitingListed(at, ev.Party(uniqueid, ""), queue, seconds(message.get("Wait")))


READERS: Final[Mapping[str, Reader]] = {
    "QueueMemberStatus": _member(qe.MemberTold, "Interface", "MemberName"),
    "QueueMemberAdded": _member(qe.MemberTold, "Interface", "MemberName"),
    "QueueMemberPause": _member(qe.MemberTold, "Interface", "MemberName"),
    "QueueMemberRemoved": _member_left,
    "QueueParams": _queue_listed,
    "QueueMember": _member(qe.MemberListed, "Location", "Name"),
    "QueueEntry": _waiting_listed,
    "QueueStatusComplete": lambda _message, at: qe.QueuesListed(at, qe.NOBODY),
}
