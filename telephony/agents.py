"""What an agent is doing: the phone and the standing in the queues, and the state they make.

An agent is known by the interface that is the queues' member (`PJSIP/8003`). Two things decide the
state, and `STATES` is the whole rule; in words:

- **离线 offline**: in no queue (logged off), or the phone cannot be reached; whatever else is said.
- A phone that rings, talks or holds is **振铃 ringing**, **通话 talking**, **保持 holding**, also
  while the agent is paused: the call comes first, the pause is shown when it has ended.
- A phone at rest shows the agent's standing: **空闲 idle** without a pause in at least one queue;
  paused in all of them, **话后整理 after-call work** where every pause says so
  (`reasons.WRAP_UP`), else **小休 break** with its reason.

The queue tells what the phone does by the device's state. That does not say who put whom on hold,
so a hold is of the agent's own channels (Hold, Unhold). Times are µs since the epoch, the PBX's
where it gives them. Pure data: no clock, no I/O.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from telephony import queue_events as qe
from telephony import reasons


class Phone(StrEnum):
    """What an agent's phone does."""

    FREE = "free"
    RINGING = "ringing"
    BUSY = "busy"
    HOLDING = "holding"
    GONE = "gone"


class Standing(StrEnum):
    """How an agent stands in the queues."""

    OPEN = "open"
    WRAP_UP = "wrap-up"
    BREAK = "break"
    OUT = "out"


class State(StrEnum):
    """What the wallboard shows of an agent."""

    IDLE = "idle"
    RINGING = "ringing"
    TALKING = "talking"
    HOLDING = "holding"
    AFTER_CALL = "after_call"
    BREAK = "break"
    OFFLINE = "offline"


STATES: Final[Mapping[tuple[Phone, Standing], State]] = {
    (Phone.FREE, Standing.OPEN): State.IDLE,
    (Phone.FREE, Standing.WRAP_UP): State.AFTER_CALL,
    (Phone.FREE, Standing.BREAK): State.BREAK,
    (Phone.FREE, Standing.OUT): State.OFFLINE,
    (Phone.RINGING, Standing.OPEN): State.RINGING,
    (Phone.RINGING, Standing.WRAP_UP): State.RINGING,
    (Phone.RINGING, Standing.BREAK): State.RINGING,
    (Phone.RINGING, Standing.OUT): State.OFFLINE,
    (Phone.BUSY, Standing.OPEN): State.TALKING,
    (Phone.BUSY, Standing.WRAP_UP): State.TALKING,
    (Phone.BUSY, Standing.BREAK): State.TALKING,
    (Phone.BUSY, Standing.OUT): State.OFFLINE,
    (Phone.HOLDING, Standing.OPEN): State.HOLDING,
    (Phone.HOLDING, Standing.WRAP_UP): State.HOLDING,
    (Phone.HOLDING, Standing.BREAK): State.HOLDING,
    (Phone.HOLDING, Standing.OUT): State.OFFLINE,
    (Phone.GONE, Standing.OPEN): State.OFFLINE,
    (Phone.GONE, Standing.WRAP_UP): State.OFFLINE,
    (Phone.GONE, Standing.BREAK): State.OFFLINE,
    (Phone.GONE, Standing.OUT): State.OFFLINE,
}

PHONES: Final[Mapping[int, Phone]] = {
    0: Phone.FREE,  # unknown: a device that reports nothing; app_queue rings it
    1: Phone.FREE,
    2: Phone.BUSY,
    3: Phone.BUSY,
    4: Phone.GONE,  # invalid
    5: Phone.GONE,  # unavailable: not registered
    6: Phone.RINGING,
    7: Phone.BUSY,  # in use, and rings once more
    8: Phone.BUSY,  # on hold: the other side has put this phone on hold
}
"""AST_DEVICE_* of Asterisk's devicestate.h."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause in one queue; `since` 0 where unknown."""

    reason: str
    since: int


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent. `reason`: a break's, as a code of `reasons.BREAKS` or the PBX's own text."""

    interface: str
    member: str
    state: State = State.OFFLINE
    reason: str = ""
    since: int = 0
    device: Phone = Phone.GONE
    queues: Mapping[str, Pause | None] = field(default_factory=dict)
    """The queues the agent is in, each with its pause."""
    held: frozenset[str] = frozenset()
    """Own channels that have put the other side on hold."""

    @property
    def phone(self) -> Phone:
        """What the phone does, hold included."""
        return Phone.HOLDING if self.held and self.device is Phone.BUSY else self.device

    @property
    def standing(self) -> tuple[Standing, str]:
        """How the agent stands, and the reason of a break."""
        if not self.queues:
            return Standing.OUT, ""
        pauses = [pause for _, pause in sorted(self.queues.items())]
        given = [pause.reason for pause in pauses if pause is not None]
        if len(given) < len(pauses):
            return Standing.OPEN, ""
        breaks = [reason for reason in given if reason != reasons.WRAP_UP]
        return (Standing.BREAK, breaks[0]) if breaks else (Standing.WRAP_UP, "")

    def heard(self, told: qe.MemberTold) -> "Agent":
        """The agent as one queue tells of it; the state is not judged anew."""
        device = PHONES.get(told.status, Phone.FREE)
        pause = Pause(told.reason, told.paused_at) if told.paused else None
        return replace(
            self,
            member=told.member or self.member,
            device=device,
            queues={**self.queues, told.queue: pause},
            held=self.held if device is Phone.BUSY else frozenset(),
        )

    def judged(self, at: int) -> "Agent":
        """The agent with state and reason drawn from the rest; `since` moves when either does, for
        a pause to when it began."""
        standing, reason = self.standing
        state = STATES[self.phone, standing]
        reason = reason if state is State.BREAK else ""
        if (state, reason) == (self.state, self.reason):
            return self
        since = at
        if state in {State.BREAK, State.AFTER_CALL} and self.state is not State.TALKING:
            began = max((pause.since for pause in self.queues.values() if pause), default=0)
            since = min(at, began) if began else at
        return replace(self, state=state, reason=reason, since=since)
