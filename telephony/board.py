"""The live calls of one PBX in memory, and the one way a batch changes them.

`take` writes a batch whole into the caller's session — journal, link, calls, legs — and answers
the facts it brought; `confirm` makes the memory follow once the caller has committed. What always
holds:

- Memory never runs ahead of the database: without `confirm` the next `take` starts from what was
  confirmed last, so a batch whose transaction failed is simply taken again.
- A batch that was committed though nobody heard of it is known by its name in the journal: it
  brings no second facts, and the memory is read anew.
- Finished calls are dropped from memory and never touched again; their late events are counted
  (`link_state.unknown_events`), as is everything the table of `call` refuses.
- After each connection the snapshot the line asked for ends the calls that are gone.

One board a PBX, one `take` at a time. It knows neither tickets nor clocks.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy.orm import Session

from telephony import conferences, journal, links, records
from telephony import events as ev
from telephony.batch import Batch, Connected
from telephony.call import Call, State, begin, step
from telephony.conferences import Seats
from telephony.events import Event
from telephony.facts import Fact
from telephony.readers import understand
from telephony.records import Entry
from telephony.resync import catch_up
from telephony.signals import OF_AGENTS

_BEGINNINGS: Final = (
    *(ev.ChannelBegan, ev.CallerQueued, ev.AgentOffered, ev.AgentAnswered),
    *(ev.RecordingBegan, ev.ChannelSeen),
)
"""What a call may first be heard of by. Not by its end: a transfer can leave an agent's own channel
with the caller's context, to be hung up under it."""
_EVERYDAY: Final = (
    *(ev.HangupAsked, ev.AgentReleased, ev.Resumed),
    *(ev.PhoneRang, ev.PhoneRefused, ev.PhoneAnswered),
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


class Board:
    """See the module. `inbound`: the dialplan contexts calls from outside come in by."""

    def __init__(self, pbx: str, inbound: Collection[str], memory: Memory | None = None) -> None:
        self.pbx = pbx
        self._inbound = frozenset(inbound)
        self._memory = memory or Memory()
        self._next: Memory | None = None

    @classmethod
    def load(
        cls, session: Session, pbx: str, inbound: Collection[str] = frozenset({"from-pstn"})
    ) -> "Board":
        """The board as the database knows it; what lives there is stale until it is heard of."""
        live = records.load_live(session, pbx)
        seats = conferences.load(session, pbx)
        return cls(pbx, inbound, Memory(live, frozenset(live), seats=seats))

    @property
    def live(self) -> dict[str, int]:
        """Row ids of the confirmed live calls, by linkedid."""
        return {linkedid: entry.call_id for linkedid, entry in self._memory.live.items()}

    def take(self, session: Session, batch: Batch) -> list[Fact]:
        """Writes the batch and answers its facts, each with its call's row id.

        Raises what the database raises; then nothing has changed, and the batch may be taken again.
        """
        self._next = None
        if batch.messages:
            if journal.known(session, self.pbx, batch):
                live = records.load_live(session, self.pbx)
                stale = self._memory.stale & live.keys()
                seats = conferences.load(session, self.pbx)
                self._next = Memory(live, stale, self._memory.seen, seats)
                return []
            journal.append(session, self.pbx, batch)
        understood = [
            event
            for message in batch.messages
            if (event := understand(message, batch.received_at)) is not None
        ]
        unknown = self._unknown((*self._memory.seen, *understood))
        finished = records.known_ids(session, self.pbx, unknown) if unknown else set()
        turn = _Turn(self.pbx, self._memory, unknown - finished, finished)
        if isinstance(batch.change, Connected):
            turn.connected()
        for event in understood:
            turn.take(event)
        links.note(session, self.pbx, batch, refused=turn.refused)
        written = records.write(session, turn.changed()) if turn.touched else []
        if turn.seats is not self._memory.seats:
            conferences.keep(session, self.pbx, self._memory.seats, turn.seats)
        self._next = turn.memory(written)
        ids = {entry.call.linkedid: entry.call_id for entry in written}
        return [replace(fact, call_id=ids[fact.linkedid]) for fact in turn.facts]

    def confirm(self) -> None:
        """The transaction of the last `take` is committed: remember what it did."""
        if self._next is not None:
            self._memory, self._next = self._next, None

    def _unknown(self, events: Sequence[Event]) -> set[str]:
        """Calls from outside that these events speak of and that are not live: new, or over."""
        return {
            event.party.linkedid
            for event in events
            if isinstance(event, _BEGINNINGS)
            and event.party.leads
            and event.party.context in self._inbound
            and event.party.linkedid not in self._memory.live
        }


class _Turn:
    """One batch's work on a copy of the memory."""

    def __init__(self, pbx: str, memory: Memory, startable: set[str], finished: set[str]) -> None:
        self._pbx = pbx
        self._live = dict(memory.live)
        self._stale = memory.stale
        self._seen = memory.seen
        self.seats = memory.seats
        self._startable = startable
        self._finished = finished
        self.touched: dict[str, None] = {}
        self.facts: list[Fact] = []
        self.refused = 0

    def connected(self) -> None:
        """A new connection: whatever is live has to show itself."""
        self._stale = frozenset(self._live)
        self._seen = ()

    def take(self, event: Event) -> None:
        """One event: part of a snapshot, or a step of a call."""
        match event:
            case ev.ChannelSeen():
                self._seen += (event,)
            case ev.SnapshotDone(at=at):
                self._catch_up(at)
            case ev.ConferenceJoined() | ev.ConferenceLeft():
                self.seats, met = conferences.take(self.seats, event, self._live)
                for each in met:
                    self._stale -= {self._key(each)}
                    self._step(each)
            case ev.HandedOver():
                for side in event.sides():
                    self._step(replace(side, interface=self._device(side)))
            case _:
                self._stale -= {self._key(event)}
                if isinstance(event, ev.ChannelEnded) and self._seen:
                    gone = event.party.uniqueid  # listed, then hung up before the list was whole
                    self._seen = tuple(c for c in self._seen if c.party.uniqueid != gone)
                self._step(event)

    def _catch_up(self, at: int) -> None:
        """The snapshot is whole: what it shows is so."""
        calls = {linkedid: entry.call for linkedid, entry in self._live.items()}
        ours = calls.keys() | self._startable
        self.seats = conferences.seen(self._seen)
        shared = {seat.bridge for name, seat in self.seats.items() if name in ours}
        seen = [
            channel
            for channel in self._seen
            if channel.party.linkedid in ours or channel.bridge in shared
        ]
        for missed in catch_up(calls, self._stale, seen, at):
            self._step(missed)
        self._stale, self._seen = frozenset(), ()

    def _key(self, event: Event) -> str:
        """Which call an event is of. Joined to an older call, a caller's channel bears that one's
        linkedid; it is still its own call's."""
        party = event.party
        return party.uniqueid if party.uniqueid in self._live else party.linkedid

    def _device(self, side: ev.PassedOn) -> str:
        """Who has the caller now, unless that is another caller: no agent's leg begins then."""
        return "" if side.joined in self._live else side.interface

    def _step(self, event: Event) -> None:
        entry = self._live.get(self._key(event))
        if entry is None:
            entry = self._begin(event)
            if entry is None or isinstance(event, ev.ChannelBegan):
                return
        taken = step(entry.call, event)
        if taken is not None:
            call, facts = taken
            self._keep(replace(entry, call=call), facts)
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
        self._keep(Entry(call), facts)
        return self._live[linkedid]

    def _keep(self, entry: Entry, facts: Sequence[Fact]) -> None:
        linkedid = entry.call.linkedid
        self._live[linkedid] = entry
        self.touched[linkedid] = None
        self.facts.extend(facts)

    def changed(self) -> list[Entry]:
        """The entries to write, in the order first touched."""
        return [self._live[linkedid] for linkedid in self.touched]

    def memory(self, written: Sequence[Entry]) -> Memory:
        """What to remember once it is committed: the written rows' ids, nothing that ended."""
        live = self._live | {entry.call.linkedid: entry for entry in written}
        return Memory(
            {key: entry for key, entry in live.items() if entry.call.state is not State.ENDED},
            self._stale,
            self._seen,
            self.seats,
        )


def _unread(event: Event) -> bool:
    """Whose refusal is everyday: an agent's own channel, a second word on who hung up, a queue's
    rings told twice or of a Local channel, and the end of no hold."""
    if isinstance(event, _EVERYDAY):
        return True
    if isinstance(event, OF_AGENTS) and event.indirect:
        return True
    return not event.party.leads and isinstance(
        event, ev.ChannelBegan | ev.ChannelEnded | ev.RecordingBegan
    )


def _told_already(call: Call, event: Event) -> bool:
    """Of a queue's own words, those the phone itself, or the queue before, has said already: a
    caller left in a queue by an agent who was asking it gets them so."""
    if isinstance(event, ev.AgentAnswered):
        leg = call.leg(event.leg)
        return leg is not None and leg.has_caller
    return isinstance(event, ev.QueueLeft) and call.left_queue_at is not None
