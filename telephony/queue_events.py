"""What happens to queues and their members, as typed events: no channel of a call is in them.

`queue_readers` makes them; `presence` is what they come to. Times are µs since the epoch. Pure.
"""

from dataclasses import dataclass
from typing import Final

from telephony.events import Event, Party

NOBODY: Final = Party("", "")
"""The party of what is told of queues and their members: no channel of a call."""


@dataclass(frozen=True, slots=True)
class MemberTold(Event):
    """QueueMemberStatus, -Added, -Pause: how an agent's phone stands in one queue. `status` is the
    device's (AST_DEVICE_*), `paused_at` 0 where the PBX does not say since when."""

    queue: str
    interface: str
    member: str
    status: int
    paused: bool
    reason: str
    paused_at: int


@dataclass(frozen=True, slots=True)
class MemberListed(MemberTold):
    """QueueMember: one line of a QueueStatus answer."""


@dataclass(frozen=True, slots=True)
class MemberLeft(Event):
    """QueueMemberRemoved: the agent logged off that queue."""

    queue: str
    interface: str


@dataclass(frozen=True, slots=True)
class QueueListed(Event):
    """QueueParams: there is such a queue. One line of a QueueStatus answer."""

    queue: str


@dataclass(frozen=True, slots=True)
class WaitingListed(Event):
    """QueueEntry: who waits in it, and how long already. One line of a QueueStatus answer."""

    queue: str
    waited_us: int


@dataclass(frozen=True, slots=True)
class QueuesListed(Event):
    """QueueStatusComplete: the answer is whole."""


OfQueues = MemberTold | MemberLeft | QueueListed | WaitingListed | QueuesListed
"""What concerns queues and their members alone, and no call."""
