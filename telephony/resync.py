"""After a gap: what a snapshot of the PBX's channels says about calls. Pure.

The PBX answers CoreShowChannels with one event a channel. From them come the same events the link
would have brought: a caller's channel we never heard of begins a call, one whose application is
Queue waits, one bridged with an agent's talks; an agent's channel that is gone has let go; and a
call that was live before the gap, of which nothing was heard since and which the snapshot does not
hold, has vanished.

What a snapshot cannot tell (when exactly, who rang meanwhile) is left to the PBX's own log (`cel`).
"""

from collections.abc import Mapping, Sequence
from typing import Final

from telephony import events as ev
from telephony.call import Call, State
from telephony.conferences import CONFERENCE
from telephony.outgoing import is_outgoing

_TALKS: Final = {"Queue", "Dial", CONFERENCE}
"""Where a caller is bridged with others: waiting ended well, sent on to a phone or a conference."""


def catch_up(
    calls: Mapping[str, Call], stale: frozenset[str], seen: Sequence[ev.ChannelSeen], at: int
) -> list[ev.Event]:
    """The events that bring `calls` to what the snapshot shows.

    `stale`: linkedids live before the gap and not heard of since it ended; `at`: when the snapshot
    was complete (µs).
    """
    found: list[ev.Event] = []
    for channel in seen:
        if channel.party.leads:
            shown = _agents_own if is_outgoing(channel.party.uniqueid) else _caller
            found.extend(shown(calls.get(channel.party.linkedid), channel, seen))
    present = {channel.party.uniqueid for channel in seen}
    for linkedid in sorted(stale):
        call = calls.get(linkedid)
        if (call.channel if call else linkedid) not in present:
            found.append(ev.ChannelVanished(at, ev.Party(linkedid, linkedid)))
        elif call is not None:
            found.extend(_left(call, present, at))
    return found


def _left(call: Call, present: set[str], at: int) -> list[ev.Event]:
    """Agents who rang or talked before the gap and are gone now."""
    return [
        ev.ChannelEnded(at, ev.Party(leg.leg, call.linkedid), 0)
        for leg in call.legs
        if leg.ended_at is None and leg.leg not in present
    ]


def _caller(
    call: Call | None, channel: ev.ChannelSeen, seen: Sequence[ev.ChannelSeen]
) -> list[ev.Event]:
    """What one caller's channel shows beyond what is known of its call."""
    found: list[ev.Event] = []
    at, party = channel.at, channel.party
    if call is None:
        found.append(ev.ChannelBegan(at - channel.lasted_us, party))
    if channel.application not in _TALKS:
        return found
    if channel.application == "Queue" and _waits_anew(call, channel):
        queue = channel.data.partition(",")[0] or "?"
        found.append(ev.CallerQueued(at, party, queue))
    for agent in _agents(channel, seen):
        if call is None or call.leg(agent.uniqueid) is None or call.ringing:
            interface = ev.interface_of(agent.channel)
            found.append(ev.AgentAnswered(at, party, agent.uniqueid, interface, ""))
    return found


def _agents_own(
    call: Call | None, channel: ev.ChannelSeen, seen: Sequence[ev.ChannelSeen]
) -> list[ev.Event]:
    """What the agent's channel shows of a call we placed, beyond what is known."""
    at, party = channel.at, channel.party
    found: list[ev.Event] = []
    if call is None:
        found.append(ev.ChannelBegan(at - channel.lasted_us, party))
    if channel.application != "Dial" or (call is not None and not call.placing):
        return found
    found.append(ev.PhonePickedUp(at, party))
    for person in _agents(channel, seen):
        interface = ev.interface_of(person.channel)
        found.append(ev.PhoneRang(at, party, person.uniqueid, interface, ""))
        found.append(ev.PhoneAnswered(at, party, person.uniqueid, interface, ""))
    return found


def _waits_anew(call: Call | None, channel: ev.ChannelSeen) -> bool:
    """Whether the caller is in a queue that the call does not know of: the first, or one they were
    sent to while nobody listened, in which they are with nobody yet."""
    if call is None or call.state is State.ARRIVED:
        return True
    return not channel.bridge and call.state not in {State.QUEUED, State.OFFERED}


def _agents(channel: ev.ChannelSeen, seen: Sequence[ev.ChannelSeen]) -> list[ev.Party]:
    """The other end of the caller's bridge; of a conference, all others."""
    others = [
        other.party
        for other in seen
        # Two callers joined meet through a Local channel of the PBX's own: that is no agent.
        if other.bridge == channel.bridge
        and other.party.uniqueid != channel.party.uniqueid
        and not other.party.channel.startswith("Local/_attended@")
    ]
    if not channel.bridge:
        return []
    return others if channel.application == CONFERENCE else others[:1]
