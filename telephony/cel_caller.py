"""What the lines of the PBX's own log (CEL) about a caller's own channel add to the call.

Two queues in a row are one application to the PBX: the second shows first where a later line names
it, and counts as entered when its first phone rang. Pure.
"""

from telephony import events as ev
from telephony.cel_call import CelCall, CelEvent, cause, extra


def take(call: CelCall, event: CelEvent) -> None:
    """What one line about the caller's own channel adds."""
    if call.ended_at is not None:
        return
    at, lead, call.last_at = event.at, call.lead, event.at
    if event.application == "Queue":
        _queue(call, event)
    match event.type:
        case "APP_START" if event.application == "MixMonitor" and not call.recorded:
            call.recorded_at = at
            call.events.append(ev.RecordingBegan(at, lead))
        case "PARK_START":
            call.events.append(ev.Parked(at, lead))
        case "HANGUP":
            call.hangup_cause = cause(event)
            if extra(event).get("hangupsource") == event.channel:
                call.events.append(ev.HangupAsked(at, lead))
        case "CHAN_END":
            call.ended_at = at
            call.events.append(ev.ChannelEnded(at, lead, call.hangup_cause))


def _queue(call: CelCall, event: CelEvent) -> None:
    """A queue is entered, or has been by now; and at last left."""
    queue = ev.storable(event.data.partition(",")[0], ev.NUMBER_WIDTH)
    if queue and (event.type == "APP_START" or queue != call.queue):
        place = _first_ring(call)
        at = call.events[place].at if place < len(call.events) else event.at
        call.queue = queue
        call.queued_at = at if call.queued_at is None else call.queued_at
        call.events.insert(place, ev.CallerQueued(at, call.lead, queue))
    if event.type in {"APP_END", "BRIDGE_ENTER"}:
        call.events.append(ev.QueueLeft(event.at, call.lead, call.queue or "?"))


def _first_ring(call: CelCall) -> int:
    """Where among its events the caller entered the queue whose phones ring: before they began."""
    over = {e.party.uniqueid for e in call.events if isinstance(e, ev.ChannelEnded)}
    over |= {e.leg for e in call.events if isinstance(e, ev.AgentAnswered)}
    rings = (
        place
        for place, event in enumerate(call.events)
        if isinstance(event, ev.AgentOffered) and event.leg not in over
    )
    return next(rings, len(call.events))
