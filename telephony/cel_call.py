"""A line of the PBX's own log (CEL), and a call as its lines tell it. Pure data.

How lines are written is `cel`'s to know, what they mean `cel_story`'s.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass, field

from telephony import events as ev


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
    def lead(self) -> ev.Party:
        """The caller's own channel, as AMI would name it."""
        return ev.Party(
            uniqueid=self.linkedid,
            linkedid=self.linkedid,
            exten=ev.storable(self.dialled, ev.NUMBER_WIDTH),
            number=ev.storable(self.caller_number, ev.NUMBER_WIDTH),
            name=ev.storable(self.caller_name, ev.NAME_WIDTH),
        )

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


def extra(event: CelEvent) -> dict[str, str]:
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
