"""What is known of a call: the caller's side of it, and each agent's part. Pure data.

A `Call` is frozen; whatever happens makes a new one. A leg is one ring of one phone and the talk it
led to; an outside number the caller was sent to is a leg of the trunk.
"""

from dataclasses import dataclass, field

from telephony.facts import Outcome
from telephony.frozen import replace
from telephony.states import State


@dataclass(frozen=True)
class Leg:
    """One ring of one agent's phone, and the talk it led to. Times in µs since the epoch."""

    leg: str
    interface: str
    member: str
    offered_at: int | None = None
    answered_at: int | None = None
    ended_at: int | None = None
    result: str | None = None
    """answered · no_answer (rang out) · withdrawn (caller gone, another agent quicker, no phone)"""
    held_at: int | None = None
    """Since when this agent has the caller on hold; None: not now."""
    held_us: int = 0
    """How long that was altogether, the present hold left out."""
    passed_to: str | None = field(default=None, repr=False)
    """Whom this agent gave the caller to: an extension or number, a device, an application."""

    @property
    def has_caller(self) -> bool:
        """Whether this agent has the caller, talking or on hold."""
        return self.result == "answered" and self.ended_at is None

    def resumed(self, at: int) -> "Leg":
        """The same leg with no hold lasting."""
        if self.held_at is None:
            return self
        return replace(self, held_at=None, held_us=self.held_us + max(0, at - self.held_at))


@dataclass(frozen=True)
class Call:
    """What is known of a call. Times in µs since the epoch, by the PBX's clock."""

    pbx: str
    linkedid: str
    arrived_at: int
    direction: str = "inbound"
    """outbound: we placed it; the leading channel is the agent's, the first of the legs."""
    far: str = ""
    """Outbound: the unique id of the called person's channel; '' before their phone rang."""
    state: State = State.ARRIVED
    caller_number: str = field(default="", repr=False)
    caller_name: str = field(default="", repr=False)
    dialled: str = ""
    queue: str | None = None
    queued_at: int | None = None
    left_queue_at: int | None = None
    answered_at: int | None = None
    recording_started_at: int | None = None
    legs: tuple[Leg, ...] = ()
    """In the order first heard of. Times would not do: after a gap they are of our clock."""
    ended_at: int | None = None
    outcome: Outcome | None = None
    cause: str | None = None
    """Known as soon as somebody lets go, final when the call has ended."""
    hangup_cause: int | None = None

    def leg(self, name: str) -> Leg | None:
        """The leg of that agent's channel."""
        return next((leg for leg in self.legs if leg.leg == name), None)

    @property
    def placing(self) -> bool:
        """Whether we placed it and the person has not answered."""
        return self.direction == "outbound" and self.answered_at is None

    @property
    def channel(self) -> str:
        """The channel it stands and falls with: the caller's, or the person's whom we called."""
        return self.far if self.direction == "outbound" and not self.placing else self.linkedid

    @property
    def ringing(self) -> tuple[Leg, ...]:
        """Legs that neither answered nor ended."""
        return tuple(leg for leg in self.legs if leg.result is None)

    @property
    def with_agents(self) -> tuple[Leg, ...]:
        """Legs of the agents who have the caller; several in a conference."""
        return tuple(leg for leg in self.legs if leg.has_caller)

    @property
    def lost_in_transfer(self) -> bool:
        """Whether the agent who had the caller last gave them to somebody who never took them."""
        answered = [leg for leg in self.legs if leg.answered_at is not None]
        if not answered or answered[-1].passed_to is None:
            return False
        return self.state in {State.QUEUED, State.OFFERED, State.TRANSFERRING, State.PARKED}

    def having(self, leg: Leg) -> "Call":
        """The call with that leg put in, in its place when it has one."""
        if self.leg(leg.leg) is None:
            return replace(self, legs=(*self.legs, leg))
        return replace(self, legs=tuple(leg if old.leg == leg.leg else old for old in self.legs))
