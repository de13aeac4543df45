"""One batch's turn at the live calls: what its events do to them, beside the memory.

A turn costs what the batch touches, not what is live: the memory is read and never changed here.
What is to be remembered follows once the batch is committed (`board`). Of events it decides one
thing only: whose they are. What they mean is `call`, after a gap `resync`, in a conference
`conferences`. No database, no clock.
"""

from collections import ChainMap
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from telephony import conferences
from telephony import events as ev
from telephony.call import Call, State, begin, step
from telephony.conferences import Seats
from telephony.events import Event
from telephony.facts import Fact, NotPlaced
from telephony.outgoing import is_outgoing
from telephony.presence import Presence
from telephony.records import Entry
from telephony.resync import catch_up
from telephony.signals import OF_AGENTS

_EVERYDAY: Final = (
    *(ev.HangupAsked, ev.AgentReleased, ev.Resumed),
    *(ev.PhoneRang, ev.PhoneRefused, ev.PhoneAnswered, ev.PhonePickedUp, ev.NotPlaced),
)


@dataclass(frozen=True, slots=True)
class Memory:
    """What a board remembers between two batches."""

    live: dict[str, Entry] = field(default_factory=dict)
    stale: frozenset[str] = frozenset()
    """Live before the last connection, and not heard of since."""
    seen: tuple[ev.ChannelSeen, ...] = ()
    """The snapshot so far."""
    seats: Seats = field(default_factory=dict)
    """Who is in a conference."""
    presence: Presence = field(default_factory=Presence)
    far: dict[str, str] = field(default_factory=dict)
    """The channels of people whom we called, each with its call."""
    noted_at: int = 0
    """When it was last written down that the PBX is heard."""

    def keep(self, entry: Entry) -> None:
        """A call as it is committed: live, or forgotten."""
        call = entry.call
        if call.state is State.ENDED:
            self.live.pop(call.linkedid, None)
            self.far.pop(call.far, None)
            return
        self.live[call.linkedid] = entry
        if call.far:
            self.far[call.far] = call.linkedid


class Turn:
    """See the module. `startable`: calls that may begin here; `finished`: calls that are over."""

    def __init__(self, pbx: str, memory: Memory, startable: set[str], finished: set[str]) -> None:
        self._pbx = pbx
        self._memory = memory
        self._live = memory.live
        self._stale = memory.stale
        self._heard: set[str] = set()
        self._seen = memory.seen
        self._far: dict[str, str] = {}
        self.seats = memory.seats
        self._startable = startable
        self._finished = finished
        self.touched: dict[str, Entry] = {}
        """The calls that changed, as they are now, in the order first touched."""
        self.facts: list[Fact] = []
        self.refused = 0

    def connected(self) -> None:
        """A new connection: whatever is live has to show itself."""
        self._stale = frozenset(self._live) | self.touched.keys()
        self._seen = ()

    def take(self, event: Event) -> None:
        """One event: part of a snapshot, or a step of a call."""
        match event:
            case ev.ChannelSeen():
                self._seen += (event,)
            case ev.SnapshotDone(at=at):
                self._catch_up(at)
            case ev.ConferenceJoined() | ev.ConferenceLeft():
                calls = ChainMap(self.touched, self._live)
                self.seats, met = conferences.take(self.seats, event, calls)
                for each in met:
                    self._heard.add(self._key(each))
                    self._step(each)
            case ev.NotPlaced(at=at, party=party) if party.uniqueid in self._startable:
                self._startable.discard(party.uniqueid)
                self.facts.append(NotPlaced(pbx=self._pbx, linkedid=party.uniqueid, at=at))
            case ev.HandedOver():
                for side in event.sides():
                    self._step(replace(side, interface=self._device(side)))
            case _:
                if self._stale:
                    self._heard.add(self._key(event))
                if isinstance(event, ev.ChannelEnded) and self._seen:
                    gone = event.party.uniqueid  # listed, then hung up before the list was whole
                    self._seen = tuple(c for c in self._seen if c.party.uniqueid != gone)
                self._step(event)

    def _catch_up(self, at: int) -> None:
        """The snapshot is whole: what it shows is so."""
        entries = self._live | self.touched
        calls = {linkedid: entry.call for linkedid, entry in entries.items()}
        ours = calls.keys() | self._startable
        self.seats = conferences.seen(self._seen)
        shared = {seat.bridge for name, seat in self.seats.items() if name in ours}
        seen = [
            channel
            for channel in self._seen
            if channel.party.linkedid in ours or channel.bridge in shared
        ]
        for missed in catch_up(calls, self._stale - self._heard, seen, at):
            self._step(missed)
        self._stale, self._seen = frozenset(), ()

    def _key(self, event: Event) -> str:
        """Which call an event is of. Joined to an older call, a caller's channel bears that one's
        linkedid; it is still its own call's. So is the channel of somebody whom we called."""
        party = event.party
        name = party.uniqueid
        if self._far or self._memory.far:
            called = self._far.get(name) or self._memory.far.get(name)
            if called is not None:
                return called
        return name if self._entry(name) is not None else party.linkedid

    def _entry(self, linkedid: str) -> Entry | None:
        """The call as this batch has left it so far."""
        return self.touched.get(linkedid) or self._live.get(linkedid)

    def _device(self, side: ev.PassedOn) -> str:
        """Who has the caller now, unless that is another caller: no agent's leg begins then."""
        return "" if self._entry(side.joined) is not None else side.interface

    def _step(self, event: Event) -> None:
        entry = self._entry(self._key(event))
        if entry is None:
            entry = self._begin(event)
            if entry is None or isinstance(event, ev.ChannelBegan):
                return
        taken = step(entry.call, event)
        if taken is not None:
            call, facts = taken
            self._keep(Entry(call, entry.call_id, entry.legs), facts)
        elif not _unread(event) and not _told_already(entry.call, event):
            self.refused += 1

    def _begin(self, event: Event) -> Entry | None:
        """The call this event begins; None when it begins none."""
        linkedid = event.party.linkedid
        if linkedid in self._finished:
            self.refused += not _unread(event)
        if linkedid not in self._startable or not event.party.leads:
            return None
        self._startable.discard(linkedid)
        if isinstance(event, ev.ChannelEnded):
            return None  # all of it was missed; the PBX's own log has it
        call, facts = begin(self._pbx, event)
        return self._keep(Entry(call), facts)

    def _keep(self, entry: Entry, facts: Sequence[Fact]) -> Entry:
        call = entry.call
        self.touched[call.linkedid] = entry
        if call.far:
            self._far[call.far] = call.linkedid
        self.facts.extend(facts)
        return entry

    def memory(self, presence: Presence, noted_at: int) -> Memory:
        """What to remember once it is committed, but for the calls that changed."""
        before = self._memory
        stale = self._stale - self._heard
        return Memory(before.live, stale, self._seen, self.seats, presence, before.far, noted_at)


def _unread(event: Event) -> bool:
    """Whose refusal is everyday: an agent's own channel, a second word on who hung up, a queue's
    rings told twice or of a Local channel, and the end of no hold."""
    if isinstance(event, _EVERYDAY):
        return True
    if isinstance(event, OF_AGENTS) and event.indirect:
        return True
    if is_outgoing(event.party.uniqueid):  # the agent's phone, which rests after the call is over
        return isinstance(event, ev.ChannelEnded | ev.RecordingBegan)
    return not event.party.leads and isinstance(
        event, ev.ChannelBegan | ev.ChannelEnded | ev.RecordingBegan
    )


def _told_already(call: Call, event: Event) -> bool:
    """Of a queue's own words, those the phone itself, or the queue before, has said already: a
    caller left in a queue by an agent who was asking it gets them so. And a hold known before the
    gap after which it was asked for."""
    match event:
        case ev.AgentAnswered():
            leg = call.leg(event.leg)
            return leg is not None and leg.has_caller
        case ev.Held():
            leg = call.leg(event.party.uniqueid)
            return leg is not None and leg.held_at is not None
        case _:
            return isinstance(event, ev.QueueLeft) and call.left_queue_at is not None
