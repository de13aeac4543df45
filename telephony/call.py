"""One call as the caller lives it, however many channels the PBX uses for it.

A call is named by PBX and linkedid. It begins with its leading channel (uniqueid == linkedid) in an
inbound context, and ends when that channel is gone:

- **arrived**: the call stands; the caller hears the greeting, no queue yet.
- **queued**: the caller waits; no agent's phone rings.
- **offered**: the caller waits; at least one agent's phone rings.
- **talking**: an agent took the call. Back to *queued* when the agent let go and the dialplan
  queues the caller again.
- **ended**: over, for ever. Nothing leaves this state.

Events become signals (what the event means, given the legs that ring), signals move the state by
the one table `TRANSITIONS`. What the table does not list, and what repeats what is already known,
is refused: `step` answers None and nothing has changed; whoever calls counts it.

Outcome, from the caller's side: *answered* if any agent took the call; else *abandoned* if the
caller ever waited in a queue (hanging up and being timed out are both a wait without an answer, and
both ask for a call back); else *left*.

Pure: no clock, no I/O; a `Call` is frozen, and a step gives a new one. Transfers and linkedid
merges are not read yet; they are further rows of the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from telephony import events as ev
from telephony import facts as fa


class State(StrEnum):
    """Where the caller is."""

    ARRIVED = "arrived"
    QUEUED = "queued"
    OFFERED = "offered"
    TALKING = "talking"
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
    (State.QUEUED, Signal.AGENT_TOOK_IT): State.TALKING,  # its ring fell into a gap
    (State.QUEUED, Signal.GONE): State.ENDED,
    (State.QUEUED, Signal.VANISHED): State.ENDED,
    (State.OFFERED, Signal.RECORDED): State.OFFERED,
    (State.OFFERED, Signal.RANG_AGENT): State.OFFERED,  # a second phone beside the first
    (State.OFFERED, Signal.PHONE_STOPPED): State.OFFERED,
    (State.OFFERED, Signal.LAST_PHONE_STOPPED): State.QUEUED,
    (State.OFFERED, Signal.LEFT_QUEUE): State.OFFERED,
    (State.OFFERED, Signal.CALLER_HUNG_UP): State.OFFERED,
    (State.OFFERED, Signal.AGENT_TOOK_IT): State.TALKING,
    (State.OFFERED, Signal.GONE): State.ENDED,
    (State.OFFERED, Signal.VANISHED): State.ENDED,
    (State.TALKING, Signal.RECORDED): State.TALKING,
    (State.TALKING, Signal.CALLER_HUNG_UP): State.TALKING,
    (State.TALKING, Signal.AGENT_HUNG_UP): State.TALKING,
    (State.TALKING, Signal.AGENT_LET_GO): State.TALKING,
    (State.TALKING, Signal.JOINED_QUEUE): State.QUEUED,
    (State.TALKING, Signal.GONE): State.ENDED,
    (State.TALKING, Signal.VANISHED): State.ENDED,
}


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Call:
    """What is known of a call. Times in µs since the epoch, by the PBX's clock."""

    pbx: str
    linkedid: str
    arrived_at: int
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
    ended_at: int | None = None
    outcome: fa.Outcome | None = None
    cause: str | None = None
    """Known as soon as somebody lets go, final when the call has ended."""
    hangup_cause: int | None = None

    def leg(self, name: str) -> Leg | None:
        """The leg of that agent's channel."""
        return next((leg for leg in self.legs if leg.leg == name), None)

    @property
    def ringing(self) -> tuple[Leg, ...]:
        """Legs that neither answered nor ended."""
        return tuple(leg for leg in self.legs if leg.result is None)


AgentEvent = ev.AgentOffered | ev.AgentDeclined | ev.AgentAnswered | ev.AgentReleased
_OF_AGENTS: Final = (ev.AgentOffered, ev.AgentDeclined, ev.AgentAnswered, ev.AgentReleased)

Step = tuple[Call, tuple[fa.Fact, ...]]


def begin(pbx: str, event: ev.Event) -> Step:
    """The call that the leading channel of `event` stands for, and that it arrived."""
    party = event.party
    call = Call(
        pbx=pbx,
        linkedid=party.linkedid,
        arrived_at=event.at,
        caller_number=party.number,
        caller_name=party.name,
        dialled=party.exten,
    )
    arrived = fa.Arrived(
        pbx=pbx,
        linkedid=party.linkedid,
        at=event.at,
        caller_number=party.number,
        caller_name=party.name,
        dialled=party.exten,
    )
    return call, (arrived,)


def step(call: Call, event: ev.Event) -> Step | None:
    """The call after `event` and what there is to tell; None when the event is refused."""
    signal = _signal(call, event)
    if signal is None:
        return None
    state = TRANSITIONS.get((call.state, signal))
    if state is None:
        return None
    return _apply(replace(call, state=state), event)


def _signal(call: Call, event: ev.Event) -> Signal | None:
    """What the event means here; None when it says nothing new of this call."""
    if isinstance(event, _OF_AGENTS):
        return _agent_signal(call, event)
    if event.party.uniqueid != call.linkedid:
        return _phone_signal(call, event)
    match event:
        case ev.CallerQueued(queue=queue):
            again = call.state in {State.QUEUED, State.OFFERED} and call.queue == queue
            return None if again else Signal.JOINED_QUEUE
        case ev.QueueLeft():
            return Signal.LEFT_QUEUE if call.left_queue_at is None else None
        case ev.CallerAbandoned() | ev.HangupAsked():
            return None if call.cause else Signal.CALLER_HUNG_UP
        case ev.RecordingBegan():
            return Signal.RECORDED if call.recording_started_at is None else None
        case ev.ChannelEnded():
            return Signal.GONE
        case ev.ChannelVanished():
            return Signal.VANISHED
        case _:
            return None


def _phone_signal(call: Call, event: ev.Event) -> Signal | None:
    """The same for an agent's own channel."""
    leg = call.leg(event.party.uniqueid)
    match event:
        case ev.ChannelEnded():
            return _stopped(call, leg)
        case ev.HangupAsked() if leg is not None and leg.result == "answered":
            return None if call.cause or leg.ended_at is not None else Signal.AGENT_HUNG_UP
        case _:
            return None


def _agent_signal(call: Call, event: AgentEvent) -> Signal | None:
    """The same for what the queue says of an agent."""
    leg = call.leg(event.leg)
    match event:
        case ev.AgentOffered():
            return Signal.RANG_AGENT if leg is None else None
        case ev.AgentDeclined():
            return _stopped(call, leg)
        case ev.AgentAnswered():
            return Signal.AGENT_TOOK_IT if leg is None or leg.result is None else None
        case ev.AgentReleased():
            return Signal.AGENT_LET_GO if leg is not None and leg.ended_at is None else None


def _stopped(call: Call, leg: Leg | None) -> Signal | None:
    if leg not in call.ringing:
        return None
    return Signal.LAST_PHONE_STOPPED if len(call.ringing) == 1 else Signal.PHONE_STOPPED


def _apply(call: Call, event: ev.Event) -> Step:
    """What an accepted event changes beside the state."""
    if isinstance(event, _OF_AGENTS):
        return _agent(call, event)
    pbx, linkedid = call.pbx, call.linkedid
    match event:
        case ev.CallerQueued(at=at, queue=queue):
            call = replace(call, queue=queue, left_queue_at=None, cause=None)
            call = replace(call, queued_at=at if call.queued_at is None else call.queued_at)
            return call, (fa.Queued(pbx=pbx, linkedid=linkedid, at=at, queue=queue),)
        case ev.QueueLeft(at=at):
            return replace(call, left_queue_at=at), ()
        case ev.CallerAbandoned() | ev.HangupAsked():
            who = "caller" if event.party.uniqueid == linkedid else "agent"
            return replace(call, cause=who), ()
        case ev.RecordingBegan(at=at, party=party):
            call = replace(call, recording_started_at=at)
            started = fa.RecordingStarted(
                pbx=pbx, linkedid=linkedid, at=at, uniqueid=party.uniqueid
            )
            return call, (started,)
        case ev.ChannelEnded(at=at, party=party) if party.uniqueid != linkedid:
            return _withdraw(call, at, party.uniqueid)
        case _:
            return _end(call, event)


def _agent(call: Call, event: AgentEvent) -> Step:
    """What an agent's phone did."""
    at = event.at
    leg = call.leg(event.leg) or Leg(event.leg, event.interface, event.member)
    match event:
        case ev.AgentOffered():
            return _with(call, replace(leg, offered_at=at)), (_offered(call, leg, at),)
        case ev.AgentDeclined():
            return _withdraw(call, at, leg.leg, result="no_answer")
        case ev.AgentReleased(reason=reason):
            if reason in {"caller", "agent"}:
                call = replace(call, cause=call.cause or reason)
            return _with(call, replace(leg, ended_at=at)), ()
        case _:
            first = at if call.answered_at is None else call.answered_at
            call = _with(call, replace(leg, answered_at=at, result="answered"))
            call, stopped = _withdraw(replace(call, answered_at=first, cause=None), at)
            return call, (*stopped, _answered(call, leg, at))


def _offered(call: Call, leg: Leg, at: int) -> fa.Offered:
    return fa.Offered(
        pbx=call.pbx,
        linkedid=call.linkedid,
        at=at,
        leg=leg.leg,
        interface=leg.interface,
        member=leg.member,
    )


def _answered(call: Call, leg: Leg, at: int) -> fa.Answered:
    since = at if call.queued_at is None else call.queued_at
    return fa.Answered(
        pbx=call.pbx,
        linkedid=call.linkedid,
        at=at,
        leg=leg.leg,
        interface=leg.interface,
        member=leg.member,
        waited_ms=max(0, at - since) // 1000,
    )


def _end(call: Call, event: ev.Event) -> Step:
    """The call is over: outcome, cause, and no leg left open."""
    at = event.at
    if call.answered_at is not None:
        outcome = "answered"
    else:
        outcome = "abandoned" if call.queued_at is not None else "left"
    call, stopped = _withdraw(call, at)
    legs = tuple(replace(leg, ended_at=at) if leg.ended_at is None else leg for leg in call.legs)
    call = replace(
        call,
        legs=legs,
        ended_at=at,
        outcome=outcome,
        cause=_cause(call, event),
        hangup_cause=event.cause if isinstance(event, ev.ChannelEnded) else None,
    )
    ended = fa.Ended(
        pbx=call.pbx, linkedid=call.linkedid, at=at, outcome=outcome, cause=call.cause or ""
    )
    return call, (*stopped, ended)


def _cause(call: Call, event: ev.Event) -> str:
    """Who or what ended it, as `tables.CAUSES` lists it."""
    if isinstance(event, ev.ChannelVanished):
        return "gap"
    if call.cause is not None:
        return call.cause
    timed_out = call.answered_at is None and call.left_queue_at is not None
    return "timeout" if timed_out else "hangup"


def _with(call: Call, leg: Leg) -> Call:
    """The call with that leg put in, in its place when it has one."""
    if call.leg(leg.leg) is None:
        return replace(call, legs=(*call.legs, leg))
    return replace(call, legs=tuple(leg if old.leg == leg.leg else old for old in call.legs))


def _withdraw(call: Call, at: int, name: str = "", *, result: str = "withdrawn") -> Step:
    """That phone rings no more, or none does; whoever watches it is told."""
    told: list[fa.Fact] = []
    for leg in call.ringing:
        if name in {"", leg.leg}:
            call = _with(call, replace(leg, ended_at=at, result=result))
            told.append(
                fa.Withdrawn(
                    pbx=call.pbx,
                    linkedid=call.linkedid,
                    at=at,
                    leg=leg.leg,
                    interface=leg.interface,
                )
            )
    return call, tuple(told)
