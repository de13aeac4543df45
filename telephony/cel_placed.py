"""A call we placed, as the lines of the PBX's own log (CEL) tell it.

The agent's own phone is the leading channel; then the person's is dialled, which is recorded and
with which the call ends once they have answered. Whom it is for stands in the first line of the
dialling. Kept are the few times that matter, and the events are made of them: to whom the agent
passed the person on is not read here. Pure.
"""

from dataclasses import replace

from telephony import events as ev
from telephony.cel_call import CelCall, CelEvent, cause


def begun(event: CelEvent) -> CelCall:
    """The call that the first line of the agent's own phone stands for."""
    call = CelCall(event.linkedid, event.at, last_at=event.at)
    call.agent = ev.interface_of(ev.storable(event.channel, ev.NUMBER_WIDTH))
    call.events = _events(call)
    return call


def take(call: CelCall, event: CelEvent, peer: str | None) -> None:
    """What one line adds, of the agent's channel or of the person's; `peer`: the unique id of the
    channel it names beside its own."""
    if call.ended_at is not None:
        return
    call.last_at = event.at
    agents = event.uniqueid == call.linkedid
    over = call.agent_leg if call.answered_at is not None else call.linkedid
    match event.type, event.application:
        case "CHAN_START", _ if not agents and call.agent_leg is None:
            call.agent_leg = event.uniqueid
        case "APP_START", "MixMonitor" if call.recorded_at is None:
            call.recorded_at = event.at
        case "ANSWER", _ if agents and call.picked_up_at is None:
            call.picked_up_at = event.at
        case "APP_START", "Dial" if agents and not call.dialled:
            call.caller_number = call.dialled = event.exten
        case "BRIDGE_ENTER", "Dial" if agents and call.answered_at is None:
            call.answered_at = event.at
            call.agent_leg = peer or call.agent_leg
        case "HANGUP", _ if agents:
            call.hangup_cause = cause(event)
        case "CHAN_END", _ if event.uniqueid == over:
            call.ended_at = event.at
    call.events = _events(call)


def _events(call: CelCall) -> list[ev.Event]:
    """All of it as AMI would have told it."""
    far = call.agent_leg or "?"
    exten = ev.storable(call.dialled, ev.NUMBER_WIDTH)
    party = ev.Party(call.linkedid, call.linkedid, f"{call.agent}-", exten=exten)
    found: list[ev.Event] = [ev.ChannelBegan(call.started_at, party)]
    if call.picked_up_at is not None:
        found.append(ev.PhonePickedUp(call.picked_up_at, party))
    if call.recorded_at is not None:
        found.append(ev.RecordingBegan(call.recorded_at, party))
    if call.dialled and call.picked_up_at is not None:
        found.append(ev.PhoneRang(call.picked_up_at, party, far, "", ""))
    if call.answered_at is not None:
        found.append(ev.PhoneAnswered(call.answered_at, party, far, "", ""))
    if call.ended_at is not None:
        over = replace(party, uniqueid=far) if call.answered_at is not None else party
        found.append(ev.ChannelEnded(call.ended_at, over, call.hangup_cause))
    return found
