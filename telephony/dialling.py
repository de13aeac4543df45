"""A call we placed, from the ring of the agent's own phone until the called person answers.

The call's leading channel is the agent's: *summoning* while it rings, *dialling* once the agent
has it at the ear and the person's phone is called. From the answer on the person's channel is what
the call stands and falls with, the agent's is a leg, and `signals` and `call` see no difference to
a caller who came by a queue: hold, transfer and parking are the same.

The number called stands in the first event of the dialplan's own dialling: before that the PBX has
told nobody. Pure.
"""

from dataclasses import replace

from telephony import events as ev
from telephony import facts as fa
from telephony.legs import Call
from telephony.states import Signal

Told = tuple[Call, tuple[fa.Fact, ...]]

BUSY = 17
"""Q.850: user busy."""
NOBODY_ANSWERED = frozenset({0, 16, 18, 19, 127})
"""Q.850: the agent gave up (0, 16), no user responding, no answer, no cause known."""


def signal(call: Call, event: ev.Event) -> Signal | None:
    """What the event means for a call whose person has not answered yet."""
    lead = event.party.uniqueid == call.linkedid
    match event:
        case ev.PhonePickedUp() if lead:
            return Signal.PICKED_UP
        case ev.PhoneRang(leg=leg) if lead:
            return Signal.RANG_CALLED if leg != call.far else None
        case ev.PhoneAnswered() if lead:
            return Signal.CALLED_ANSWERED
        case ev.RecordingBegan():  # of the person's channel, which has not been heard of yet
            return Signal.RECORDED if call.recording_started_at is None else None
        case ev.HangupAsked() if call.cause is None and lead:
            return Signal.AGENT_HUNG_UP
        case ev.HangupAsked() if call.cause is None and event.party.uniqueid == call.far:
            return Signal.CALLER_HUNG_UP
        case ev.ChannelEnded() if lead:
            return Signal.GONE
        case ev.ChannelVanished():
            return Signal.VANISHED
        case _:
            return None


def apply(call: Call, event: ev.Event) -> Told | None:
    """What an accepted event changes; None where it is as for any other call."""
    at = event.at
    match event:
        case ev.PhonePickedUp():
            return _picked_up(call, at)
        case ev.PhoneRang(leg=leg):
            call, told = _picked_up(call, at)
            number = event.party.exten
            return replace(call, far=leg, caller_number=number, dialled=number), told
        case ev.PhoneAnswered(leg=leg):
            call, told = _picked_up(call, at)
            reached = fa.Reached(
                pbx=call.pbx, linkedid=call.linkedid, at=at, interface=call.legs[0].interface
            )
            return replace(call, far=leg, answered_at=at, cause=None), (*told, reached)
        case _:
            return None


def _picked_up(call: Call, at: int) -> Told:
    """The agent has the phone at the ear; said once, whatever shows it first."""
    leg = call.legs[0]
    if leg.result is not None:
        return call, ()
    picked = fa.PickedUp(pbx=call.pbx, linkedid=call.linkedid, at=at, interface=leg.interface)
    return call.having(replace(leg, answered_at=at, result="answered")), (picked,)


def outcome(call: Call, hangup_cause: int | None) -> fa.Outcome:
    """How a call that we placed has ended."""
    if call.answered_at is not None:
        return "answered"
    if call.legs[0].answered_at is None:
        return "no_agent"
    if hangup_cause == BUSY:
        return "busy"
    return "no_answer" if hangup_cause is None or hangup_cause in NOBODY_ANSWERED else "failed"
