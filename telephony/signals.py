"""What an event means for a call: the signal that the table of `states` is asked about.

An event that says nothing new of this call (a repetition, a second word on who hung up, an agent's
channel that is no leg) means nothing: None. Dialled phones count only where the caller was sent to
one: a queue tells of its own rings better, in events of its own. A queue's member may be a Local
channel, though: then the phone dialled behind it is the agent's, and what is said of the Local
channel itself counts only where no phone was heard of. Pure.
"""

from typing import Final

from telephony import dialling
from telephony import events as ev
from telephony.legs import Call, Leg
from telephony.states import Signal, State

AgentEvent = (
    ev.AgentOffered | ev.AgentDeclined | ev.AgentAnswered | ev.AgentReleased
    | ev.PhoneRang | ev.PhoneRefused | ev.PhoneAnswered | ev.Fetched
)  # fmt: skip
OF_AGENTS: Final = (
    *(ev.AgentOffered, ev.AgentDeclined, ev.AgentAnswered, ev.AgentReleased),
    *(ev.PhoneRang, ev.PhoneRefused, ev.PhoneAnswered, ev.Fetched),
)
_DIALLED: Final = (ev.PhoneRang, ev.PhoneRefused, ev.PhoneAnswered, ev.Fetched)
_SENT_ON: Final = {State.TRANSFERRING, State.PARKED}


def signal(call: Call, event: ev.Event) -> Signal | None:
    """What the event means here; None when it says nothing new of this call."""
    if call.placing:
        return dialling.signal(call, event)
    if isinstance(event, OF_AGENTS):
        return _agent(call, event)
    if isinstance(event, ev.PassedOn):
        return _passed(call, event)
    own = event.party.uniqueid == call.channel
    return _caller(call, event) if own else _phone(call, event)


def _caller(call: Call, event: ev.Event) -> Signal | None:
    """What is said of the caller's own channel (or that of the person whom we called)."""
    match event:
        case ev.CallerQueued(queue=queue):
            waits = call.state in {State.QUEUED, State.OFFERED} and call.left_queue_at is None
            return None if waits and call.queue == queue else Signal.JOINED_QUEUE
        case ev.QueueLeft():
            return Signal.LEFT_QUEUE if call.left_queue_at is None else None
        case ev.HangupAsked():
            return None if call.cause else Signal.CALLER_HUNG_UP
        case ev.RecordingBegan():
            return Signal.RECORDED if call.recording_started_at is None else None
        case ev.Parked():
            return Signal.PUT_IN_PLACE
        case ev.ChannelEnded():
            return Signal.GONE
        case ev.ChannelVanished():
            return Signal.VANISHED
        case _:
            return None


def _phone(call: Call, event: ev.Event) -> Signal | None:
    """The same for an agent's own channel."""
    leg = call.leg(event.party.uniqueid)
    if isinstance(event, ev.ChannelEnded) and leg in call.ringing:
        return _stopped(call, leg)
    if leg is None or not leg.has_caller:
        return None
    match event:
        case ev.ChannelEnded():
            return Signal.AGENT_LET_GO
        case ev.HangupAsked():
            return None if call.cause else Signal.AGENT_HUNG_UP
        case ev.Held():
            return Signal.PUT_ON_HOLD if leg.held_at is None else None
        case ev.Resumed():
            return Signal.TAKEN_OFF_HOLD if leg.held_at is not None else None
        case _:
            return None


def _agent(call: Call, event: AgentEvent) -> Signal | None:
    """The same for what is said of an agent's phone and the caller together."""
    behind_local = event.party.channel.startswith(ev.LOCAL)
    if isinstance(event, _DIALLED) and not behind_local and call.state not in _SENT_ON:
        return None
    leg = call.leg(event.leg)
    if event.indirect and leg is None:
        took = isinstance(event, ev.AgentAnswered | ev.PhoneAnswered)
        return Signal.AGENT_TOOK_IT if took and not call.with_agents else None
    match event:
        case ev.AgentOffered() | ev.PhoneRang():
            return Signal.RANG_AGENT if leg is None else None
        case ev.AgentDeclined() | ev.PhoneRefused():
            return _stopped(call, leg)
        case ev.AgentReleased():
            return Signal.AGENT_LET_GO if leg is not None and leg.has_caller else None
        case _:
            return Signal.AGENT_TOOK_IT if leg is None or leg.result is None else None


def _passed(call: Call, event: ev.PassedOn) -> Signal | None:
    """An agent who has, or just had, the caller gives them on; each leg does so once. In a
    conference somebody may have the caller already."""
    leg = call.leg(event.leg)
    if leg is None or leg.result != "answered" or leg.passed_to is not None:
        return None
    taken = event.joined or any(other is not leg for other in call.with_agents)
    return Signal.HANDED_OVER if taken else Signal.PASSED_ON


def _stopped(call: Call, leg: Leg | None) -> Signal | None:
    if leg not in call.ringing:
        return None
    return Signal.LAST_PHONE_STOPPED if len(call.ringing) == 1 else Signal.PHONE_STOPPED
