"""One call as the caller lives it, however many channels the PBX uses for it.

A call is named by PBX and linkedid. It begins with its leading channel (uniqueid == linkedid) in an
inbound context, or under a name that we gave it, and ends when the caller's channel is gone;
whatever linkedid it bears by then, the call keeps the name it came with. Events become signals
(`signals`), signals move the state by the one table (`states`), and what an accepted event changes
beside the state is here. What the table does not list, and what repeats what is already known, is
refused: `step` answers None and nothing has changed; whoever calls counts it.

Outcome, from the caller's side: *answered* if any agent took the call; else *abandoned* if the
caller ever waited in a queue (hanging up and being timed out are both a wait without an answer, and
both ask for a call back); else *left*. Of a call we placed, `dialling` says it.

Pure: no clock, no I/O; a `Call` is frozen, and a step gives a new one.
"""

from telephony import dialling
from telephony import events as ev
from telephony import facts as fa
from telephony.frozen import replace
from telephony.legs import Call, Leg
from telephony.outgoing import is_outgoing
from telephony.signals import OF_AGENTS, AgentEvent, signal
from telephony.states import TRANSITIONS, Signal, State

__all__ = ["TRANSITIONS", "Call", "Leg", "Signal", "State", "Step", "begin", "step"]

Step = tuple[Call, tuple[fa.Fact, ...]]


def begin(pbx: str, event: ev.Event) -> Step:
    """The call that the leading channel of `event` stands for, and that it arrived."""
    party = event.party
    if is_outgoing(party.uniqueid):
        return _placed(pbx, event)
    call = Call(
        pbx=pbx,
        linkedid=party.uniqueid,
        arrived_at=event.at,
        caller_number=party.number,
        caller_name=party.name,
        dialled=party.exten,
    )
    arrived = fa.Arrived(
        pbx=pbx,
        linkedid=party.uniqueid,
        at=event.at,
        caller_number=party.number,
        caller_name=party.name,
        dialled=party.exten,
    )
    return call, (arrived,)


def _placed(pbx: str, event: ev.Event) -> Step:
    """A call that we asked for: the agent's own phone rings."""
    lead, at = event.party, event.at
    leg = Leg(lead.uniqueid, ev.interface_of(lead.channel), "", offered_at=at)
    call = Call(pbx, lead.uniqueid, at, "outbound", state=State.SUMMONING, legs=(leg,))
    return call, (fa.Placed(**_of(call, at), interface=leg.interface),)


def step(call: Call, event: ev.Event) -> Step | None:
    """The call after `event` and what there is to tell; None when the event is refused."""
    meant = signal(call, event)
    state = TRANSITIONS.get((call.state, meant)) if meant is not None else None
    if state is None:
        return None
    after, told = _apply(call, event)
    if call.state is State.HELD and state is not State.HELD:
        after = replace(after, legs=tuple(leg.resumed(event.at) for leg in after.legs))
    return after if after.state is state else replace(after, state=state), told


def _apply(call: Call, event: ev.Event) -> Step:
    """What an accepted event changes beside the state, which is still the one before it."""
    if call.placing:
        return dialling.apply(call, event) or _everyday(call, event)
    return _agent(call, event) if isinstance(event, OF_AGENTS) else _everyday(call, event)


def _everyday(call: Call, event: ev.Event) -> Step:
    """What is said of one channel alone."""
    leg = call.leg(event.party.uniqueid)
    match event:
        case ev.PassedOn():
            return _passed(call, event)
        case ev.CallerQueued():
            return _queued(call, event)
        case ev.QueueLeft(at=at):
            return replace(call, left_queue_at=at), ()
        case ev.HangupAsked():
            return replace(call, cause="caller" if leg is None else "agent"), ()
        case ev.RecordingBegan(at=at):
            call = replace(call, recording_started_at=at)
            return call, (fa.RecordingStarted(**_of(call, at), uniqueid=call.linkedid),)
        case ev.Held() | ev.Resumed() if leg is not None:
            return _held(call, event, leg)
        case ev.Parked():
            return replace(call, cause=None), ()
        case ev.ChannelEnded(at=at) if leg is not None and not call.placing:
            return _stopped(call, at, leg)
        case _:
            return _end(call, event)


def _queued(call: Call, event: ev.CallerQueued) -> Step:
    at, queue = event.at, event.queue
    first = at if call.queued_at is None else call.queued_at
    call = replace(call, queue=queue, queued_at=first, left_queue_at=None, cause=None)
    return call, (fa.Queued(**_of(call, at), queue=queue),)


def _held(call: Call, event: ev.Event, leg: Leg) -> Step:
    """Music for the caller, or no more of it."""
    who = _of(call, event.at)
    if isinstance(event, ev.Held):
        held = fa.Held(**who, leg=leg.leg, interface=leg.interface)
        return call.having(replace(leg, held_at=event.at)), (held,)
    resumed = fa.Resumed(**who, leg=leg.leg, interface=leg.interface)
    return call.having(leg.resumed(event.at)), (resumed,)


def _passed(call: Call, event: ev.PassedOn) -> Step:
    """That agent has the caller no more; somebody else may."""
    at = event.at
    leg = call.leg(event.leg) or Leg(event.leg, "", "")
    ended_at = at if leg.ended_at is None else leg.ended_at
    call = call.having(replace(leg, ended_at=ended_at, passed_to=event.to))
    passed = fa.PassedOn(
        **_of(call, at),
        leg=leg.leg,
        interface=leg.interface,
        to=event.to,
        attended=bool(event.joined),
    )
    call = replace(call, cause=None)
    if not event.interface or call.leg(event.joined) is not None:
        return call, (passed,)
    joined = Leg(event.joined, event.interface, "", answered_at=at, result="answered")
    return call.having(joined), (passed, _answered(call, joined, at))


def _agent(call: Call, event: AgentEvent) -> Step:
    """What an agent's phone did."""
    at = event.at
    leg = call.leg(event.leg) or Leg(event.leg, event.interface, event.member)
    match event:
        case ev.AgentOffered() | ev.PhoneRang():
            offered = fa.Offered(
                **_of(call, at), leg=leg.leg, interface=leg.interface, member=leg.member
            )
            return call.having(replace(leg, offered_at=at)), (offered,)
        case ev.AgentDeclined() | ev.PhoneRefused():
            return _withdraw(call, at, leg.leg, result="no_answer")
        case ev.AgentReleased(reason=reason):
            if reason in {"caller", "agent"}:
                call = replace(call, cause=call.cause or reason)
            return call.having(replace(leg.resumed(at), ended_at=at)), ()
        case _:
            told = _answered(call, leg, at)
            first = at if call.answered_at is None else call.answered_at
            call = call.having(replace(leg, answered_at=at, result="answered"))
            call, stopped = _withdraw(replace(call, answered_at=first, cause=None), at)
            return call, (*stopped, told)


def _answered(call: Call, leg: Leg, at: int) -> fa.Answered:
    """That this agent has the caller; `call` as it was before."""
    since = call.queued_at if call.answered_at is None else leg.offered_at
    return fa.Answered(
        **_of(call, at),
        leg=leg.leg,
        interface=leg.interface,
        member=leg.member,
        waited_ms=0 if since is None else max(0, at - since) // 1000,
    )


def _stopped(call: Call, at: int, leg: Leg) -> Step:
    """An agent's channel is gone: it rings no more, or they talk no more."""
    if leg.result is None:
        return _withdraw(call, at, leg.leg)
    return call.having(replace(leg.resumed(at), ended_at=at)), ()


def _end(call: Call, event: ev.Event) -> Step:
    """The call is over: outcome, cause, and no leg left open."""
    at = event.at
    hangup_cause = event.cause if isinstance(event, ev.ChannelEnded) else None
    if call.direction == "outbound":
        outcome = dialling.outcome(call, hangup_cause)
    elif call.answered_at is not None:
        outcome = "answered"
    else:
        outcome = "abandoned" if call.queued_at is not None else "left"
    cause, lost = _cause(call, event), call.lost_in_transfer
    call, stopped = _withdraw(call, at)
    legs = tuple(
        replace(leg.resumed(at), ended_at=at) if leg.ended_at is None else leg for leg in call.legs
    )
    call = replace(
        call,
        legs=legs,
        ended_at=at,
        outcome=outcome,
        cause=cause,
        hangup_cause=hangup_cause,
    )
    ended = fa.Ended(**_of(call, at), outcome=outcome, cause=cause, lost=lost)
    return call, (*stopped, ended)


def _cause(call: Call, event: ev.Event) -> str:
    """Who or what ended it, as `tables.CAUSES` lists it."""
    if isinstance(event, ev.ChannelVanished):
        return "gap"
    if call.cause is not None:
        return call.cause
    if call.lost_in_transfer:
        return "transfer"
    timed_out = call.answered_at is None and call.left_queue_at is not None
    return "timeout" if timed_out or call.placing else "hangup"


def _of(call: Call, at: int) -> fa.Of:
    """Which call, and when: what every fact begins with."""
    return {"pbx": call.pbx, "linkedid": call.linkedid, "at": at}


def _withdraw(call: Call, at: int, name: str = "", *, result: str = "withdrawn") -> Step:
    """That phone rings no more, or none does; whoever watches it is told."""
    told: list[fa.Fact] = []
    for leg in call.ringing:
        if name in {"", leg.leg}:
            call = call.having(replace(leg, ended_at=at, result=result))
            told.append(fa.Withdrawn(**_of(call, at), leg=leg.leg, interface=leg.interface))
    return call, tuple(told)
