"""Where a caller can be, what can happen to them there, and where that takes them: one table.

- **arrived**: the call stands; the caller hears the greeting, no queue yet.
- **queued**: the caller waits in a queue; no agent's phone rings.
- **offered**: the caller waits; at least one agent's phone rings.
- **talking**: an agent has the caller; in a conference, several may. Stays so when the last agent
  lets go and nothing else happens.
- **held**: an agent has the caller, who hears music.
- **transferring**: an agent sent the caller on, to a phone, an outside number or a conference, and
  nobody has taken it yet. Sent on to a queue, the caller is *queued* again.
- **parked**: an agent put the caller in a parking place; whoever fetches the call has it.
- **summoning**: a call we placed: the agent's own phone rings, so that the agent may call.
- **dialling**: the agent has taken it up, and the called person's phone rings. Answered, the call
  is *talking* like any other.
- **ended**: over, for ever. Nothing leaves this state.

What the table does not list changes nothing. It is the whole of the machine: `signals` says which
signal an event is for a call, `call` what an accepted one changes beside the state.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where the caller is."""

    ARRIVED = "arrived"
    QUEUED = "queued"
    OFFERED = "offered"
    TALKING = "talking"
    HELD = "held"
    TRANSFERRING = "transferring"
    PARKED = "parked"
    SUMMONING = "summoning"
    DIALLING = "dialling"
    ENDED = "ended"


class Signal(StrEnum):
    """What an event means for the call it concerns."""

    JOINED_QUEUE = "joined queue"
    LEFT_QUEUE = "left queue"
    CALLER_HUNG_UP = "caller hung up"
    AGENT_HUNG_UP = "agent hung up"
    RANG_AGENT = "rang agent"
    PHONE_STOPPED = "phone stopped"
    LAST_PHONE_STOPPED = "last phone stopped"
    AGENT_TOOK_IT = "agent took it"
    AGENT_LET_GO = "agent let go"
    PUT_ON_HOLD = "put on hold"
    TAKEN_OFF_HOLD = "taken off hold"
    PASSED_ON = "passed on"
    HANDED_OVER = "handed over"
    PUT_IN_PLACE = "put in place"
    PICKED_UP = "picked up"
    RANG_CALLED = "rang the called"
    CALLED_ANSWERED = "called answered"
    RECORDED = "recorded"
    GONE = "gone"
    VANISHED = "vanished"


TRANSITIONS: Final[Mapping[tuple[State, Signal], State]] = {
    (State.ARRIVED, Signal.RECORDED): State.ARRIVED,
    (State.ARRIVED, Signal.JOINED_QUEUE): State.QUEUED,
    (State.ARRIVED, Signal.CALLER_HUNG_UP): State.ARRIVED,
    (State.ARRIVED, Signal.GONE): State.ENDED,
    (State.ARRIVED, Signal.VANISHED): State.ENDED,
    (State.QUEUED, Signal.RECORDED): State.QUEUED,
    (State.QUEUED, Signal.JOINED_QUEUE): State.QUEUED,  # overflow into another queue
    (State.QUEUED, Signal.LEFT_QUEUE): State.QUEUED,  # answered, gone or timed out: not told here
    (State.QUEUED, Signal.CALLER_HUNG_UP): State.QUEUED,
    (State.QUEUED, Signal.RANG_AGENT): State.OFFERED,
    (State.QUEUED, Signal.AGENT_TOOK_IT): State.TALKING,  # picked up elsewhere, or rang in a gap
    (State.QUEUED, Signal.AGENT_LET_GO): State.QUEUED,  # the last word on who sent them here
    (State.QUEUED, Signal.GONE): State.ENDED,
    (State.QUEUED, Signal.VANISHED): State.ENDED,
    (State.OFFERED, Signal.RECORDED): State.OFFERED,
    (State.OFFERED, Signal.RANG_AGENT): State.OFFERED,  # a second phone beside the first
    (State.OFFERED, Signal.PHONE_STOPPED): State.OFFERED,
    (State.OFFERED, Signal.LAST_PHONE_STOPPED): State.QUEUED,
    (State.OFFERED, Signal.LEFT_QUEUE): State.OFFERED,
    (State.OFFERED, Signal.CALLER_HUNG_UP): State.OFFERED,
    (State.OFFERED, Signal.AGENT_TOOK_IT): State.TALKING,
    (State.OFFERED, Signal.AGENT_LET_GO): State.OFFERED,
    (State.OFFERED, Signal.GONE): State.ENDED,
    (State.OFFERED, Signal.VANISHED): State.ENDED,
    (State.TALKING, Signal.RECORDED): State.TALKING,
    (State.TALKING, Signal.LEFT_QUEUE): State.TALKING,  # behind a Local channel the phone is first
    (State.TALKING, Signal.CALLER_HUNG_UP): State.TALKING,
    (State.TALKING, Signal.AGENT_HUNG_UP): State.TALKING,
    (State.TALKING, Signal.AGENT_LET_GO): State.TALKING,
    (State.TALKING, Signal.AGENT_TOOK_IT): State.TALKING,  # somebody else's, found after a gap
    (State.TALKING, Signal.PUT_ON_HOLD): State.HELD,
    (State.TALKING, Signal.PASSED_ON): State.TRANSFERRING,
    (State.TALKING, Signal.HANDED_OVER): State.TALKING,
    (State.TALKING, Signal.PUT_IN_PLACE): State.PARKED,
    (State.TALKING, Signal.JOINED_QUEUE): State.QUEUED,
    (State.TALKING, Signal.GONE): State.ENDED,
    (State.TALKING, Signal.VANISHED): State.ENDED,
    (State.HELD, Signal.RECORDED): State.HELD,
    (State.HELD, Signal.CALLER_HUNG_UP): State.HELD,
    (State.HELD, Signal.AGENT_HUNG_UP): State.HELD,
    (State.HELD, Signal.AGENT_LET_GO): State.TALKING,
    (State.HELD, Signal.AGENT_TOOK_IT): State.TALKING,
    (State.HELD, Signal.TAKEN_OFF_HOLD): State.TALKING,
    (State.HELD, Signal.PASSED_ON): State.TRANSFERRING,
    (State.HELD, Signal.HANDED_OVER): State.TALKING,
    (State.HELD, Signal.PUT_IN_PLACE): State.PARKED,
    (State.HELD, Signal.JOINED_QUEUE): State.QUEUED,
    (State.HELD, Signal.GONE): State.ENDED,
    (State.HELD, Signal.VANISHED): State.ENDED,
    (State.TRANSFERRING, Signal.RECORDED): State.TRANSFERRING,
    (State.TRANSFERRING, Signal.CALLER_HUNG_UP): State.TRANSFERRING,
    (State.TRANSFERRING, Signal.RANG_AGENT): State.TRANSFERRING,
    (State.TRANSFERRING, Signal.PHONE_STOPPED): State.TRANSFERRING,
    (State.TRANSFERRING, Signal.LAST_PHONE_STOPPED): State.TRANSFERRING,
    (State.TRANSFERRING, Signal.AGENT_TOOK_IT): State.TALKING,
    (State.TRANSFERRING, Signal.AGENT_LET_GO): State.TRANSFERRING,
    (State.TRANSFERRING, Signal.PUT_IN_PLACE): State.PARKED,
    (State.TRANSFERRING, Signal.JOINED_QUEUE): State.QUEUED,
    (State.TRANSFERRING, Signal.GONE): State.ENDED,
    (State.TRANSFERRING, Signal.VANISHED): State.ENDED,
    (State.PARKED, Signal.RECORDED): State.PARKED,
    (State.PARKED, Signal.CALLER_HUNG_UP): State.PARKED,
    (State.PARKED, Signal.PASSED_ON): State.PARKED,  # told after the parking it brought about
    (State.PARKED, Signal.RANG_AGENT): State.TRANSFERRING,  # parked too long: back to who parked it
    (State.PARKED, Signal.AGENT_TOOK_IT): State.TALKING,
    (State.PARKED, Signal.AGENT_LET_GO): State.PARKED,
    (State.PARKED, Signal.JOINED_QUEUE): State.QUEUED,
    (State.PARKED, Signal.GONE): State.ENDED,
    (State.PARKED, Signal.VANISHED): State.ENDED,
    (State.SUMMONING, Signal.RECORDED): State.SUMMONING,
    (State.SUMMONING, Signal.AGENT_HUNG_UP): State.SUMMONING,  # refused
    (State.SUMMONING, Signal.PICKED_UP): State.DIALLING,
    (State.SUMMONING, Signal.RANG_CALLED): State.DIALLING,
    (State.SUMMONING, Signal.CALLED_ANSWERED): State.TALKING,  # rang in a gap
    (State.SUMMONING, Signal.GONE): State.ENDED,
    (State.SUMMONING, Signal.VANISHED): State.ENDED,
    (State.DIALLING, Signal.RECORDED): State.DIALLING,
    (State.DIALLING, Signal.AGENT_HUNG_UP): State.DIALLING,
    (State.DIALLING, Signal.CALLER_HUNG_UP): State.DIALLING,  # busy, or refused
    (State.DIALLING, Signal.RANG_CALLED): State.DIALLING,
    (State.DIALLING, Signal.CALLED_ANSWERED): State.TALKING,
    (State.DIALLING, Signal.GONE): State.ENDED,
    (State.DIALLING, Signal.VANISHED): State.ENDED,
}
