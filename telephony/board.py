"""The live calls of one PBX in memory, and the one way a batch changes them.

`take` writes a batch whole into the caller's session — journal, link, calls, legs, agents — and
answers the facts it brought; `confirm` makes the memory follow once the caller has committed. What
always holds:

- Memory never runs ahead of the database: without `confirm` the next `take` starts from what was
  confirmed last, so a batch whose transaction failed is simply taken again.
- A batch that was committed though nobody heard of it is known by its name in the journal: it
  brings no second facts, and the memory is read anew.
- Finished calls are dropped from memory and never touched again; their late events are counted
  (`link_state.unknown_events`), as is everything the table of `call` refuses.
- After each connection the snapshot the line asked for ends the calls that are gone.
- What agents do and who waits (`presence`) goes the same way: in the batch's transaction, confirmed
  with it.

One board a PBX, one `take` at a time. It knows neither tickets nor clocks; what a batch does to the
calls is `turn`.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy.orm import Session

from telephony import conferences, frozen, journal, links, records, roster
from telephony import events as ev
from telephony import queue_events as qe
from telephony.batch import Batch, Connected
from telephony.events import Event
from telephony.facts import Fact
from telephony.outgoing import is_outgoing
from telephony.presence import Presence
from telephony.readers import events_of
from telephony.records import Entry
from telephony.roster import Moved
from telephony.turn import Memory, Turn

_BEGINNINGS: Final = (
    *(ev.ChannelBegan, ev.CallerQueued, ev.AgentOffered, ev.AgentAnswered),
    *(ev.RecordingBegan, ev.ChannelSeen, ev.NotPlaced),
)
"""What a call may first be heard of by. Not by its end: a transfer can leave an agent's own channel
with the caller's context, to be hung up under it."""


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
        self.moved = Moved()
        """What the last `take` changed of agents' states and queues."""

    @classmethod
    def load(
        cls, session: Session, pbx: str, inbound: Collection[str] = frozenset({"from-pstn"})
    ) -> "Board":
        """The board as the database knows it; what lives there is stale until it is heard of."""
        memory = _known(session, pbx, roster.load(session, pbx))
        return cls(pbx, inbound, replace(memory, stale=frozenset(memory.live)))

    @property
    def live(self) -> dict[str, int]:
        """Row ids of the confirmed live calls, by linkedid."""
        return {linkedid: entry.call_id for linkedid, entry in self._memory.live.items()}

    def take(self, session: Session, batch: Batch) -> list[Fact]:
        """Writes the batch and answers its facts, each with its call's row id.

        Raises what the database raises; then nothing has changed, and the batch may be taken again.
        """
        self._next, self.moved = None, Moved()
        follows, self._last = self._last == (batch.link_session, batch.seq - 1), None
        known = bool(batch.messages) and not follows and journal.known(session, self.pbx, batch)
        events = batch.events
        if events is None:
            events = events_of(batch.messages, batch.received_at)
        if known:
            self._follow(session, batch, events)
            return []
        if batch.messages:
            journal.append(session, self.pbx, batch)
        return self._taken(session, batch, events)

    def _taken(self, session: Session, batch: Batch, events: Sequence[Event]) -> list[Fact]:
        before = self._memory
        unknown = self._unknown((*before.seen, *events))
        finished = records.known_ids(session, self.pbx, unknown) if unknown else set()
        turn = Turn(self.pbx, before, unknown - finished, finished)
        presence = before.presence.after(events)
        if isinstance(batch.change, Connected):
            turn.connected()
            presence = presence.connected()
        for event in events:
            if not isinstance(event, qe.OfQueues):
                turn.take(event)
        noted_at = links.note(
            session, self.pbx, batch, refused=turn.refused, noted_at=before.noted_at
        )
        written = records.write(session, [*turn.touched.values()]) if turn.touched else []
        if turn.seats is not before.seats:
            conferences.keep(session, self.pbx, before.seats, turn.seats)
        self.moved = roster.write(session, self.pbx, before.presence, presence)
        self._next = turn.memory(presence, noted_at), written, batch
        ids = {entry.call.linkedid: entry.call_id for entry in written}
        return [frozen.replace(fact, call_id=ids.get(fact.linkedid, 0)) for fact in turn.facts]

    def _follow(self, session: Session, batch: Batch, events: Sequence[Event]) -> None:
        """The batch is committed already: the memory is what the database knows."""
        before = self._memory
        memory = _known(session, self.pbx, before.presence.after(events))
        stale = before.stale & memory.live.keys()
        known = roster.load(session, self.pbx)
        self.moved = roster.write(session, self.pbx, known, memory.presence)
        self._next = replace(memory, stale=stale, seen=before.seen), (), batch

    def confirm(self) -> None:
        """The transaction of the last `take` is committed: remember what it did."""
        if self._next is None:
            return
        self._memory, written, batch = self._next
        self._next, self._last = None, (batch.link_session, batch.seq)
        for entry in written:
            self._memory.keep(entry)

    def _unknown(self, events: Sequence[Event]) -> set[str]:
        """Calls of ours that these events speak of and that are not live: new, or over. They come
        from outside, or bear a name that we gave."""
        return {
            event.party.linkedid
            for event in events
            if isinstance(event, _BEGINNINGS)
            and event.party.leads
            and (event.party.context in self._inbound or is_outgoing(event.party.uniqueid))
            and event.party.linkedid not in self._memory.live
        }


def _known(session: Session, pbx: str, presence: Presence) -> Memory:
    """The calls and conferences of that PBX as the database knows them."""
    memory = Memory(seats=conferences.load(session, pbx), presence=presence)
    for entry in records.load_live(session, pbx).values():
        memory.keep(entry)
    return memory
