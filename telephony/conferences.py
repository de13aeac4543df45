"""Who is in which conference, as far as it concerns callers.

An agent in a conference has a channel of their own, with a linkedid of its own: nothing ties it to
the call but the bridge it shares with the caller. So seats are kept, of callers and all others
alike, and a shared bridge becomes what any agent's coming and going is: `AgentAnswered`,
`AgentReleased`. Two callers in one conference are no agents to each other.

Seats are rows while they last: an agent may be waiting in the conference when the gateway is
restarted, before the caller is sent there. What holds after a gap, the snapshot says.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from telephony import events as ev
from telephony.tables import ConferenceSeatRow

CONFERENCE = "ConfBridge"
"""The application a channel in a conference is in."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A channel in a conference: which bridge, whose device."""

    bridge: str
    interface: str


Seats = Mapping[str, Seat]
"""By the channel's unique id."""

Taken = tuple[Seats, list[ev.Event]]


def take(
    seats: Seats, event: ev.ConferenceJoined | ev.ConferenceLeft, callers: Collection[str]
) -> Taken:
    """The seats after `event`, and what it means for the calls of `callers` (their unique ids)."""
    if isinstance(event, ev.ConferenceJoined):
        return _joined(seats, event, callers)
    return _left(seats, event, callers)


def _joined(seats: Seats, event: ev.ConferenceJoined, callers: Collection[str]) -> Taken:
    """The seats with this one taken, and which callers have an agent more by it."""
    name = event.party.uniqueid
    seat = Seat(event.bridge, ev.interface_of(event.party.channel))
    if seats.get(name) == seat:
        return seats, []
    met: list[ev.Event] = [
        ev.AgentAnswered(event.at, ev.Party(caller, caller), agent, interface, "")
        for caller, agent, interface in _met(seats, name, seat, callers)
    ]
    return {**seats, name: seat}, met


def _left(seats: Seats, event: ev.ConferenceLeft, callers: Collection[str]) -> Taken:
    """The seats without this one, and which callers have an agent less by it."""
    name = event.party.uniqueid
    seat = seats.get(name)
    if seat is None:
        return seats, []
    rest = {key: other for key, other in seats.items() if key != name}
    parted: list[ev.Event] = [
        ev.AgentReleased(event.at, ev.Party(caller, caller), agent, interface, "", "")
        for caller, agent, interface in _met(rest, name, seat, callers)
    ]
    return rest, parted


def seen(channels: Sequence[ev.ChannelSeen]) -> Seats:
    """The seats a snapshot shows."""
    return {
        channel.party.uniqueid: Seat(channel.bridge, ev.interface_of(channel.party.channel))
        for channel in channels
        if channel.application == CONFERENCE and channel.bridge
    }


def _met(
    seats: Seats, name: str, seat: Seat, callers: Collection[str]
) -> list[tuple[str, str, str]]:
    """Each caller and agent who share the bridge of `seat`, and one of whom is `name`."""
    there = {key: other for key, other in seats.items() if other.bridge == seat.bridge}
    if name in callers:
        return [(name, key, o.interface) for key, o in there.items() if key not in callers]
    return [(key, name, seat.interface) for key in there if key in callers]


def load(session: Session, pbx: str) -> Seats:
    """The seats as the database knows them."""
    rows = session.scalars(select(ConferenceSeatRow).where(ConferenceSeatRow.pbx == pbx))
    return {row.uniqueid: Seat(row.bridge, row.interface) for row in rows}


def keep(session: Session, pbx: str, before: Seats, after: Seats) -> None:
    """Write what is different."""
    gone = [name for name in before if after.get(name) != before[name]]
    come = [name for name in after if after[name] != before.get(name)]
    for name in gone:
        session.execute(
            delete(ConferenceSeatRow).where(
                ConferenceSeatRow.pbx == pbx, ConferenceSeatRow.uniqueid == name
            )
        )
    if come:
        session.execute(
            insert(ConferenceSeatRow),
            [
                {"pbx": pbx, "uniqueid": name, "bridge": seat.bridge, "interface": seat.interface}
                for name, seat in ((name, after[name]) for name in come)
            ],
        )
