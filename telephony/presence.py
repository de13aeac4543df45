"""Who of the agents does what, and who waits in the queues of one PBX: a fold over its events.

The answer to QueueStatus replaces everything at its last line: agents it does not list are offline,
queues it does not list are gone. Events that came between its lines are taken once more after it,
so the order in which both arrive does not matter. No list says who is on hold: a hold known before
stands while that phone is busy, and ends with its channel, told or missing in CoreShowChannels, or
where the PBX, asked after a gap (`holds`), says so.

`Presence.after` never changes the presence it is called on. What an agent's state is made of, and
the rule, is `agents`. Pure: no clock, no I/O.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from telephony import events as ev
from telephony import queue_events as qe
from telephony.agents import Agent

Waiting = Mapping[str, int]
"""Callers in one queue: since when each waits, by unique id."""


@dataclass(frozen=True, slots=True)
class Presence:
    """All agents by interface, and all queues. Never changed in place."""

    agents: Mapping[str, Agent] = field(default_factory=dict)
    queues: Mapping[str, Waiting] = field(default_factory=dict)
    listing: tuple[ev.Event, ...] = ()
    """The lines of an answer that is not whole yet, and the events that came among them."""
    channels: tuple[str, ...] = ()
    """The same of the channels that are up: unique ids."""

    def after(self, events: Iterable[ev.Event]) -> "Presence":
        """The presence once `events` have happened; itself when none of them concerns it."""
        fold: _Fold | None = None
        for event in events:
            step = _STEPS.get(type(event))
            if step is not None:
                fold = fold or _Fold(self)
                fold.take(event, step)
        return fold.presence() if fold else self

    def connected(self) -> "Presence":
        """On a new connection: an answer begun on the last one never ends."""
        return replace(self, listing=(), channels=())


class _Fold:
    """A copy that may be changed, for one batch of events."""

    def __init__(self, known: Presence) -> None:
        self.agents = dict(known.agents)
        self.queues = {queue: dict(waiting) for queue, waiting in known.queues.items()}
        self.listing = list(known.listing)
        self.channels = list(known.channels)

    def presence(self) -> Presence:
        return Presence(self.agents, self.queues, tuple(self.listing), tuple(self.channels))

    def take(self, event: ev.Event, step: Callable[..., None]) -> None:
        if self.listing and type(event) not in _LINES:
            self.listing.append(event)
        step(self, event)

    def told(self, event: qe.MemberTold) -> None:
        """A member of a queue, whatever is said of it."""
        agent = self.agents.get(event.interface) or Agent(event.interface, event.member)
        self.agents[event.interface] = agent.heard(event).judged(event.at)

    def left(self, event: qe.MemberLeft) -> None:
        """Logged off one queue."""
        agent = self.agents.get(event.interface)
        if agent is not None:
            rest = {name: pause for name, pause in agent.queues.items() if name != event.queue}
            self.agents[event.interface] = replace(agent, queues=rest).judged(event.at)

    def held(self, event: ev.Held) -> None:
        """An agent's phone put the other side on hold."""
        agent = self.agents.get(ev.interface_of(event.party.channel))
        if agent is not None:
            self._holds(agent, agent.held | {event.party.uniqueid}, event.at)

    def resumed(self, event: ev.Event) -> None:
        """Back, or the channel is gone."""
        agent = self.agents.get(ev.interface_of(event.party.channel))
        if agent is not None and agent.held:
            self._holds(agent, agent.held - {event.party.uniqueid}, event.at)

    def _holds(self, agent: Agent, held: frozenset[str], at: int) -> None:
        self.agents[agent.interface] = replace(agent, held=held).judged(at)

    def seen(self, event: ev.ChannelSeen) -> None:
        """One of the channels that are up."""
        self.channels.append(event.party.uniqueid)

    def all_seen(self, event: ev.SnapshotDone) -> None:
        """All channels are known: a hold whose channel is not among them is over."""
        up, self.channels = frozenset(self.channels), []
        for agent in list(self.agents.values()):
            if agent.held - up:
                self._holds(agent, agent.held & up, event.at)

    def joined(self, event: ev.CallerQueued) -> None:
        """A caller waits."""
        self.queues.setdefault(event.queue, {}).setdefault(event.party.uniqueid, event.at)

    def went(self, event: ev.QueueLeft) -> None:
        """A caller waits no more."""
        self.queues.get(event.queue, {}).pop(event.party.uniqueid, None)

    def line(self, event: ev.Event) -> None:
        """One line of an answer: kept until it is whole."""
        self.listing.append(event)

    def whole(self, event: qe.QueuesListed) -> None:
        """The answer is whole: it is what there is; what came among its lines came after it."""
        heard, self.listing = self.listing, []
        known, self.queues = self.queues, {}
        agents = {name: replace(agent, queues={}) for name, agent in self.agents.items()}
        for line in heard:
            match line:
                case qe.QueueListed(queue=queue):
                    self.queues.setdefault(queue, {})
                case qe.WaitingListed(at=at, party=party, queue=queue, waited_us=waited_us):
                    since = known.get(queue, {}).get(party.uniqueid, at - waited_us)
                    self.queues.setdefault(queue, {})[party.uniqueid] = since
                case qe.MemberListed(interface=interface, member=member):
                    agent = agents.get(interface) or Agent(interface, member)
                    agents[interface] = agent.heard(line)
                case _:
                    pass
        self.agents = {name: agent.judged(event.at) for name, agent in agents.items()}
        for missed in heard:
            if type(missed) not in _LINES:
                _STEPS[type(missed)](self, missed)


_LINES: Final = frozenset({qe.MemberListed, qe.QueueListed, qe.WaitingListed, qe.QueuesListed})
_STEPS: Final[Mapping[type[ev.Event], Callable[..., None]]] = {
    qe.MemberTold: _Fold.told,
    qe.MemberLeft: _Fold.left,
    ev.Held: _Fold.held,
    ev.Resumed: _Fold.resumed,
    ev.ChannelEnded: _Fold.resumed,
    ev.ChannelSeen: _Fold.seen,
    ev.SnapshotDone: _Fold.all_seen,
    ev.CallerQueued: _Fold.joined,
    ev.QueueLeft: _Fold.went,
    qe.MemberListed: _Fold.line,
    qe.QueueListed: _Fold.line,
    qe.WaitingListed: _Fold.line,
    qe.QueuesListed: _Fold.whole,
}
