"""What the lines of the PBX's own log (CEL) mean: the calls in it, and the events AMI would have
told of each. Pure.

The log knows channels, bridges, applications and transfers; `CelStory` turns its lines, as they
come, into the same events `readers` makes of AMI, so that one table (`states`) understands both:

- a channel that begins under a waiting or passed-on caller's linkedid is a phone that rings;
- whoever meets the caller in a bridge, out of a queue, a dialled number, a parking place or in a
  conference, has the caller; behind a Local channel it is the phone that answered last there, and
  the channel by which an attended transfer joins two bridges is nobody;
- transfers, parking and who hung up are told by name. Of a hold the log says nothing, nor how a
  ring ended that was not refused.

A PBX that dies writes no ends. Its channels are counted from 0 again when it is back: a channel
that begins later, with a lower count, shows the restart, and the calls before are `cut`.
"""

import re
from collections.abc import Collection, Iterable
from typing import Final

from telephony import cel_caller, cel_placed
from telephony import events as ev
from telephony.cel_call import CelCall, CelEvent, begins, extra, named
from telephony.outgoing import is_outgoing

_CONFERENCE: Final = "ConfBridge"
_TALKS: Final = {"Queue", "Dial", "Park", "ParkedCall", _CONFERENCE}
"""Applications of a caller in which the other end of a bridge is who has them."""
_LOCAL: Final = "Local/"
_JOINT: Final = "Local/_attended@"
_OUR_OWN: Final = (_LOCAL, "CBAnn/", "CBRec/", "Announcer/", "Message/", "Recorder/")
"""Channels that are the PBX's own means, and nobody's phone."""
_UNIQUEID: Final = re.compile(r"(?:.*-)?([0-9]{1,11})\.([0-9]{1,10})")


def calls(
    events: Iterable[CelEvent], inbound: Collection[str] = frozenset({"from-pstn"})
) -> list[CelCall]:
    """The calls whose leading channel began in an inbound context or bears a name that we gave, in
    the order they began."""
    story = CelStory(inbound)
    for event in events:
        story.take(event)
    return list(story.calls.values())


class CelStory:
    """Lines in, calls out. `calls` by linkedid, in the order they began."""

    def __init__(self, inbound: Collection[str]) -> None:
        self.calls: dict[str, CelCall] = {}
        self._inbound = inbound
        self._uniqueids: dict[str, str] = {}  # of the channels that are up, by name
        self._legs: dict[str, CelCall] = {}  # whose caller those channels have
        self._called: dict[str, CelCall] = {}  # the channels of people we called
        self._picked_up: dict[str, str] = {}  # by linkedid, the phone that answered last
        self._latest = (0, 0)  # the newest channel: the second it began, its count
        self._last_at = 0

    def take(self, event: CelEvent) -> None:
        """One line."""
        if event.type == "CHAN_START":
            self._restarted(event)
        self._last_at = event.at
        self._uniqueids[event.channel] = event.uniqueid
        if begins(event, self._inbound):
            self._begin(event)
        elif (placed := self._placed(event)) is not None:
            cel_placed.take(placed, event, self._uniqueids.get(event.peer))
            if placed.agent_leg is not None:
                self._called[placed.agent_leg] = placed
        elif (call := self.calls.get(event.uniqueid)) is not None:
            cel_caller.take(call, event)
            self._bridged(event)
        else:
            self._bridged(event)
            self._phone(event)
        if event.type == "CHAN_END":
            self._uniqueids.pop(event.channel, None)
            self._legs.pop(event.uniqueid, None)
            self._called.pop(event.uniqueid, None)
            self._picked_up.pop(event.uniqueid, None)  # the caller's own, by which it is kept

    def _restarted(self, event: CelEvent) -> None:
        """Cuts what is up when the PBX counts its channels anew."""
        match = _UNIQUEID.fullmatch(event.uniqueid)
        if match is None:
            return
        began_s, count = int(match[1]), int(match[2])
        latest_s, highest = self._latest
        anew = count < highest and began_s > latest_s + 1
        if anew:
            for call in self.calls.values():
                if call.ended_at is None and call.cut_at is None:
                    call.cut_at = max(self._last_at, call.last_at)
            for known in (self._uniqueids, self._legs, self._called, self._picked_up):
                known.clear()
        if anew or count >= highest:
            self._latest = (began_s, count)

    def _placed(self, event: CelEvent) -> CelCall | None:
        """The call we placed that the line is about."""
        if is_outgoing(event.linkedid):
            return self.calls.get(event.linkedid)
        return self._called.get(event.uniqueid)

    def _begin(self, event: CelEvent) -> None:
        if is_outgoing(event.linkedid):
            self.calls[event.linkedid] = cel_placed.begun(event)
            return
        call = CelCall(
            linkedid=event.linkedid,
            started_at=event.at,
            caller_number=event.number,
            caller_name=event.name,
            dialled=event.exten,
            last_at=event.at,
        )
        self.calls[event.linkedid] = call
        call.events.append(ev.ChannelBegan(event.at, call.lead))

    def _bridged(self, event: CelEvent) -> None:
        """Who shares a bridge with a caller: who enters or leaves it, and who else is named there.
        A caller put into a bridge in an agent's place is told of in no line of their own."""
        if not event.type.startswith("BRIDGE_"):
            return
        there = [*event.peer.split(","), event.channel]
        for name in there:
            call = self.calls.get(self._uniqueids.get(name, ""))
            if (
                call is None
                or call.outgoing
                or (name == event.channel and event.application not in _TALKS)
            ):
                continue
            for other in there:
                if other != name:
                    self._met(call, event, other)

    def _met(self, call: CelCall, event: CelEvent, channel: str) -> None:
        """The caller shares a bridge with that channel."""
        if channel.startswith(_LOCAL) and not channel.startswith(_JOINT):
            channel = self._picked_up.get(call.linkedid, "")
        uniqueid = self._uniqueids.get(channel, ev.storable(channel, ev.ID_WIDTH))
        nobody = not channel or channel.startswith(_OUR_OWN) or uniqueid in self.calls
        if nobody or call.ended_at is not None or self._legs.get(uniqueid) is call:
            return
        device = ev.interface_of(ev.storable(channel, ev.NUMBER_WIDTH))
        if call.answered_at is None:
            call.answered_at, call.agent, call.agent_leg = event.at, device, uniqueid
        call.last_at = event.at
        self._legs[uniqueid] = call
        call.events.append(ev.AgentAnswered(event.at, call.lead, uniqueid, device, ""))

    def _phone(self, event: CelEvent) -> None:
        """The same for a line about any other channel."""
        match event.type:
            case "BLINDTRANSFER":
                self._passed(event)
            case "ATTENDEDTRANSFER":
                self._handed(event)
        call = self._legs.get(event.uniqueid) or self.calls.get(event.linkedid)
        if call is not None and call.ended_at is None and not event.channel.startswith(_OUR_OWN):
            self._agent(call, event)

    def _agent(self, call: CelCall, event: CelEvent) -> None:
        """What one line about an agent's phone adds to their caller's call."""
        at, lead, call.last_at = event.at, call.lead, event.at
        own = ev.Party(event.uniqueid, event.linkedid)
        device = ev.interface_of(ev.storable(event.channel, ev.NUMBER_WIDTH))
        match event.type:
            case "CHAN_START":
                call.events.append(ev.AgentOffered(at, lead, event.uniqueid, device, ""))
            case "ANSWER":
                self._picked_up[call.linkedid] = event.channel
            case "BRIDGE_EXIT" if event.application == _CONFERENCE:
                gone = ev.AgentReleased(at, lead, event.uniqueid, device, "", "")
                call.events.append(gone)
            case "HANGUP" if extra(event).get("hangupsource") == event.channel:
                call.events.append(ev.HangupAsked(at, own))
                call.events.append(ev.AgentDeclined(at, lead, event.uniqueid, device, ""))
            case "CHAN_END":
                call.events.append(ev.ChannelEnded(at, own, 0))

    def _passed(self, event: CelEvent) -> None:
        """A blind transfer: the line is the agent's, the caller is in what it adds, if anything."""
        said = extra(event)
        sent = self.calls.get(said.get("transferee_channel_uniqueid", ""))
        call = sent or self._legs.get(event.uniqueid)
        if call is not None and call.ended_at is None:
            to = ev.storable(said.get("extension", ""), ev.NUMBER_WIDTH)
            call.events.append(ev.PassedOn(event.at, call.lead, event.uniqueid, to))

    def _handed(self, event: CelEvent) -> None:
        """An attended transfer, as each of the two ends saw it."""
        said = extra(event)
        ends = [named(said, "transferee_channel"), named(said, "transfer_target_channel")]
        if ends[0] is None:
            return
        second = said.get("channel2_uniqueid", "")
        application = ev.storable(said.get("app", ""), ev.NUMBER_WIDTH)
        joined = ev.HandedOver(event.at, ends[0], event.uniqueid, ends[1], second, application)
        for side in joined.sides():
            call = self.calls.get(side.party.uniqueid)
            if call is not None and call.ended_at is None:
                device = "" if side.joined in self.calls else side.interface
                told = ev.PassedOn(side.at, call.lead, side.leg, side.to, side.joined, device)
                call.events.append(told)
