"""What the lines of the PBX's own log (CEL) mean: the calls in it, and the events AMI would have
told of each. Pure.

The log knows channels, bridges, applications and transfers; `CelStory` turns its lines, as they
come, into the same events `readers` makes of AMI, so that one table (`states`) understands both:

- a channel that begins under a waiting or passed-on caller's linkedid is a phone that rings;
- whoever meets the caller in a bridge, out of a queue, a dialled number or a parking place, has the
  caller (in a conference nobody has); Local channels are the PBX's own and nobody;
- transfers, parking and who hung up are told by name. Of a hold the log says nothing, nor how a
  ring ended that was not refused.

Two queues in a row are one application to the PBX: the second shows first where a later line names
it, and counts as entered when its first phone rang.

A PBX that dies writes no ends. Its channels are counted from 0 again when it is back: a channel
that begins later, with a lower count, shows the restart, and the calls before are `cut`.
"""

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from telephony import events as ev

_TALKS: Final = {"Queue", "Dial", "Park", "ParkedCall"}
"""Applications of a caller in which the other end of a bridge is who has them."""
_OUR_OWN: Final = ("Local/", "CBAnn/", "CBRec/", "Announcer/", "Message/", "Recorder/")
"""Channels that are the PBX's own means, and nobody's phone."""
_SMALL: Final = re.compile("[0-9]{1,4}")
_UNIQUEID: Final = re.compile(r"(?:.*-)?([0-9]{1,11})\.([0-9]{1,10})")


@dataclass(frozen=True, slots=True)
class CelEvent:
    """One line. `at`: µs since the epoch, to the millisecond; `extra` is JSON, '' for most."""

    type: str
    at: int
    name: str = field(repr=False)
    number: str = field(repr=False)
    exten: str
    context: str
    channel: str
    application: str
    data: str
    uniqueid: str
    linkedid: str
    peer: str
    extra: str = field(default="", repr=False)


@dataclass(slots=True)
class CelCall:
    """One call from outside, as CEL holds it. Times in µs; `ended_at` None: not in the file."""

    linkedid: str
    started_at: int
    caller_number: str = field(default="", repr=False)
    caller_name: str = field(default="", repr=False)
    dialled: str = ""
    queue: str | None = None
    queued_at: int | None = None
    answered_at: int | None = None
    agent: str | None = None
    """Who took it first, and below the unique id of that channel, as AMI calls the leg."""
    agent_leg: str | None = None
    recorded_at: int | None = None
    ended_at: int | None = None
    cut_at: int | None = None
    """The PBX's last word before it died under the call."""
    hangup_cause: int = 0
    """The Q.850 number; 0: not given."""
    last_at: int = 0
    """The last line of the call."""
    events: list[ev.Event] = field(default_factory=list, repr=False)
    """All of it as AMI would have told it, first to last; nothing after the end."""

    @property
    def queued(self) -> bool:
        """Whether it entered a queue."""
        return self.queued_at is not None

    @property
    def answered(self) -> bool:
        """Whether an agent took it."""
        return self.answered_at is not None

    @property
    def recorded(self) -> bool:
        """Whether MixMonitor was started on it."""
        return self.recorded_at is not None

    @property
    def over_at(self) -> int | None:
        """When it ended, or the PBX died under it; None while it may go on."""
        return self.cut_at if self.ended_at is None else self.ended_at


def begins(event: CelEvent, inbound: Collection[str]) -> bool:
    """Whether this is the first event of a call from outside."""
    leads = event.uniqueid == event.linkedid
    return leads and event.type == "CHAN_START" and event.context in inbound


def calls(
    events: Iterable[CelEvent], inbound: Collection[str] = frozenset({"from-pstn"})
) -> list[CelCall]:
    """The calls whose leading channel began in an inbound context, in the order they began."""
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
        elif (call := self.calls.get(event.uniqueid)) is not None:
            self._caller(call, event)
        else:
            self._phone(event)
        if event.type == "CHAN_END":
            self._uniqueids.pop(event.channel, None)

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
            self._uniqueids.clear()
        if anew or count >= highest:
            self._latest = (began_s, count)

    def _begin(self, event: CelEvent) -> None:
        call = CelCall(
            linkedid=event.linkedid,
            started_at=event.at,
            caller_number=event.number,
            caller_name=event.name,
            dialled=event.exten,
            last_at=event.at,
        )
        self.calls[event.linkedid] = call
        call.events.append(ev.ChannelBegan(event.at, _lead(call)))

    def _caller(self, call: CelCall, event: CelEvent) -> None:
        """What one line about the caller's own channel adds."""
        if call.ended_at is not None:
            return
        at, lead, call.last_at = event.at, _lead(call), event.at
        if event.application == "Queue":
            self._queue(call, event)
        match event.type:
            case "APP_START" if event.application == "MixMonitor" and not call.recorded:
                call.recorded_at = at
                call.events.append(ev.RecordingBegan(at, lead))
            case "BRIDGE_ENTER" if event.application in _TALKS:
                for name in event.peer.split(","):
                    self._met(call, event, name, self._uniqueids.get(name, name))
            case "PARK_START":
                call.events.append(ev.Parked(at, lead))
            case "HANGUP":
                said = _extra(event)
                call.hangup_cause = _number(said.get("hangupcause", ""))
                if said.get("hangupsource") == event.channel:
                    call.events.append(ev.HangupAsked(at, lead))
            case "CHAN_END":
                call.ended_at = at
                call.events.append(ev.ChannelEnded(at, lead, call.hangup_cause))

    def _queue(self, call: CelCall, event: CelEvent) -> None:
        """A queue is entered, or has been by now; and at last left."""
        queue = ev.storable(event.data.partition(",")[0], ev.NUMBER_WIDTH)
        if queue and (event.type == "APP_START" or queue != call.queue):
            place = _first_ring(call)
            at = call.events[place].at if place < len(call.events) else event.at
            call.queue = queue
            call.queued_at = at if call.queued_at is None else call.queued_at
            call.events.insert(place, ev.CallerQueued(at, _lead(call), queue))
        if event.type in {"APP_END", "BRIDGE_ENTER"}:
            call.events.append(ev.QueueLeft(event.at, _lead(call), call.queue or "?"))

    def _met(self, call: CelCall, event: CelEvent, channel: str, uniqueid: str) -> None:
        """The caller shares a bridge with that channel."""
        nobody = not channel or uniqueid in self.calls
        if nobody or channel.startswith(_OUR_OWN) or call.ended_at is not None:
            return
        device = ev.interface_of(ev.storable(channel, ev.NUMBER_WIDTH))
        if call.answered_at is None:
            call.answered_at, call.agent, call.agent_leg = event.at, device, uniqueid
        call.last_at = event.at
        call.events.append(ev.AgentAnswered(event.at, _lead(call), uniqueid, device, ""))

    def _phone(self, event: CelEvent) -> None:
        """The same for a line about any other channel."""
        at = event.at
        match event.type:
            case "BLINDTRANSFER":
                self._passed(event)
                return
            case "ATTENDEDTRANSFER":
                self._handed(event)
                return
            case "BRIDGE_ENTER":
                for name in event.peer.split(","):
                    met = self.calls.get(self._uniqueids.get(name, ""))
                    if met is not None and event.application not in {"ConfBridge", "Local"}:
                        self._met(met, event, event.channel, event.uniqueid)
        call = self.calls.get(event.linkedid)
        if call is None or call.ended_at is not None or event.channel.startswith(_OUR_OWN):
            return
        call.last_at = at
        party = ev.Party(event.uniqueid, event.linkedid)
        device = ev.interface_of(ev.storable(event.channel, ev.NUMBER_WIDTH))
        match event.type:
            case "CHAN_START":
                lead = _lead(call)
                call.events.append(ev.AgentOffered(at, lead, event.uniqueid, device, ""))
            case "HANGUP" if _extra(event).get("hangupsource") == event.channel:
                call.events.append(ev.HangupAsked(at, party))
                refused = ev.AgentDeclined(at, _lead(call), event.uniqueid, device, "")
                call.events.append(refused)
            case "CHAN_END":
                call.events.append(ev.ChannelEnded(at, party, 0))

    def _passed(self, event: CelEvent) -> None:
        """A blind transfer: the line is the agent's, the caller is in what it adds."""
        said = _extra(event)
        call = self.calls.get(said.get("transferee_channel_uniqueid", ""))
        if call is not None and call.ended_at is None:
            to = ev.storable(said.get("extension", ""), ev.NUMBER_WIDTH)
            call.events.append(ev.PassedOn(event.at, _lead(call), event.uniqueid, to))

    def _handed(self, event: CelEvent) -> None:
        """An attended transfer, as each of the two ends saw it."""
        said = _extra(event)
        ends = [_named(said, "transferee_channel"), _named(said, "transfer_target_channel")]
        if ends[0] is None:
            return
        second = said.get("channel2_uniqueid", "")
        application = ev.storable(said.get("app", ""), ev.NUMBER_WIDTH)
        joined = ev.HandedOver(event.at, ends[0], event.uniqueid, ends[1], second, application)
        for side in joined.sides():
            call = self.calls.get(side.party.uniqueid)
            if call is not None and call.ended_at is None:
                device = "" if side.joined in self.calls else side.interface
                told = ev.PassedOn(side.at, _lead(call), side.leg, side.to, side.joined, device)
                call.events.append(told)


def _lead(call: CelCall) -> ev.Party:
    """The caller's own channel, as AMI would name it."""
    return ev.Party(
        uniqueid=call.linkedid,
        linkedid=call.linkedid,
        exten=ev.storable(call.dialled, ev.NUMBER_WIDTH),
        number=ev.storable(call.caller_number, ev.NUMBER_WIDTH),
        name=ev.storable(call.caller_name, ev.NAME_WIDTH),
    )


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


def _named(said: dict[str, str], which: str) -> ev.Party | None:
    """A channel that a transfer names; None for the one it has not."""
    uniqueid = ev.storable(said.get(f"{which}_uniqueid", ""), ev.ID_WIDTH)
    name = ev.storable(said.get(f"{which}_name", ""), ev.NUMBER_WIDTH)
    if not uniqueid or uniqueid == "N/A":
        return None
    return ev.Party(uniqueid, uniqueid, name)


def _extra(event: CelEvent) -> dict[str, str]:
    """What the line adds, as text; nothing where it is no JSON object."""
    try:
        said = json.loads(event.extra) if event.extra else {}
    except (ValueError, RecursionError):
        return {}
    if not isinstance(said, dict):
        return {}
    return {
        key: str(value)
        for key, value in said.items()
        if isinstance(value, str) or key == "hangupcause"
    }


def _number(text: str) -> int:
    return int(text) if _SMALL.fullmatch(text) else 0
