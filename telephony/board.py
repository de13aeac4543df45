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

from telephony import events as ev
from telephony import frozen, journal, links, records
from telephony.batch import Batch, Connected
from telephony.call import State, begin, step
from telephony.events import Event
from telephony.facts import Fact
from telephony.readers import understand
from telephony.records import Entry
from telephony.resync import catch_up

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


class Board:
    """See the module. `inbound`: the dialplan contexts calls from outside come in by."""

    def __init__(self, pbx: str, inbound: Collection[str], memory: Memory | None = None) -> None:
        self.pbx = pbx
        self._inbound = frozenset(inbound)
        self._memory = memory or Memory()
        self._next: tuple[Memory, Sequence[Entry], Batch] | None = None
        """What to remember once the batch is committed, and the calls it changed."""
        self._last: tuple[str, int] | None = None
        """The batch confirmed last: its successor cannot have been committed before. None while
        one may have been without our hearing of it."""

    @classmethod
    def load(
        cls, session: Session, pbx: str, inbound: Collection[str] = frozenset({"from-pstn"})
    ) -> "Board":
        """The board as the database knows it; what lives there is stale until it is heard of."""
        live = records.load_live(session, pbx)
        return cls(pbx, inbound, Memory(live, frozenset(live)))

    @property
    def live(self) -> dict[str, int]:
        """Row ids of the confirmed live calls, by linkedid."""
        return {linkedid: entry.call_id for linkedid, entry in self._memory.live.items()}

    def take(self, session: Session, batch: Batch) -> list[Fact]:
        """Writes the batch and answers its facts, each with its call's row id.

        Raises what the database raises; then nothing has changed, and the batch may be taken again.
        """
        self._next = None
        follows, self._last = self._last == (batch.link_session, batch.seq - 1), None
        if batch.messages:
            if not follows and journal.known(session, self.pbx, batch):
                live = records.load_live(session, self.pbx)
                stale = self._memory.stale & live.keys()
                self._next = Memory(live, stale, self._memory.seen), (), batch
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
        written = records.write(session, [*turn.touched.values()]) if turn.touched else []
        self._next = turn.memory(), written, batch
        ids = {entry.call.linkedid: entry.call_id for entry in written}
        return [frozen.replace(fact, call_id=ids[fact.linkedid]) for fact in turn.facts]

    def confirm(self) -> None:
        """The transaction of the last `take` is committed: remember what it did."""
        if self._next is None:
            return
        self._memory, written, batch = self._next
        self._next, self._last = None, (batch.link_session, batch.seq)
        for entry in written:
            if entry.call.state is State.ENDED:
                self._memory.live.pop(entry.call.linkedid, None)
            else:
                self._memory.live[entry.call.linkedid] = entry

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
    """One batch's work beside the memory: it costs what the batch touches, not what is live."""

    def __init__(self, pbx: str, memory: Memory, startable: set[str], finished: set[str]) -> None:
        self._pbx = pbx
        self._live = memory.live
        self._stale = memory.stale
        self._heard: set[str] = set()
        self._seen = memory.seen
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
                entries = self._live | self.touched
                calls = {linkedid: entry.call for linkedid, entry in entries.items()}
                seen = [
                    channel
                    for channel in self._seen
                    if channel.party.linkedid in calls or channel.party.linkedid in self._startable
                ]
                for missed in catch_up(calls, self._stale - self._heard, seen, at):
                    self._step(missed)
                self._stale, self._seen = frozenset(), ()
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

    def _key(self, event: Event) -> str:
        """Which call an event is of. Joined to an older call, a caller's channel bears that one's
        linkedid; it is still its own call's."""
        party = event.party
        return party.uniqueid if self._entry(party.uniqueid) is not None else party.linkedid

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
        elif not _unread(event):
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
        self.touched[entry.call.linkedid] = entry
        self.facts.extend(facts)
        return entry

    def memory(self) -> Memory:
        """What to remember once it is committed, but for the calls that changed."""
        return Memory(self._live, self._stale - self._heard, self._seen)


def _unread(event: Event) -> bool:
    """Whose refusal is everyday: an agent's own channel, a second word on who hung up, a queue's
    rings told twice, and the end of no hold."""
    if isinstance(event, _EVERYDAY):
        return True
    return not event.party.leads and isinstance(
        event, ev.ChannelBegan | ev.ChannelEnded | ev.RecordingBegan
    )
