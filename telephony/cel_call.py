"""A line of the PBX's own log (CEL), and a call as its lines tell it. Pure data.

How lines are written is `cel`'s to know, what they mean `cel_story`'s.
"""

import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from telephony import events as ev
from telephony.outgoing import is_outgoing

_SMALL: Final = re.compile("[0-9]{1,4}")


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
    """One call, as CEL holds it. Times in µs; `ended_at` None: not in the file. Of one we placed,
    `answered_at` is when the person took it, and `agent_leg` the person's channel."""

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
    picked_up_at: int | None = None
    """Placed by us: when the agent took their own phone up."""
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
    def outgoing(self) -> bool:
        """Whether we placed it."""
        return is_outgoing(self.linkedid)

    @property
    def queued(self) -> bool:
        """Whether it entered a queue."""
        return self.queued_at is not None

    @property
    def answered(self) -> bool:
        """Whether an agent took it, or the person we called answered."""
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
    """Whether this is the first event of a call from outside, or of one that we placed."""
    leads = event.uniqueid == event.linkedid
    wanted = event.context in inbound or is_outgoing(event.uniqueid)
    return leads and event.type == "CHAN_START" and wanted


def cause(event: CelEvent) -> int:
    """The Q.850 number that a HANGUP carries; 0 when it cannot be read."""
    said = extra(event).get("hangupcause", "")
    return int(said) if _SMALL.fullmatch(said) else 0


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


def named(said: dict[str, str], which: str) -> ev.Party | None:
    """A channel that a transfer names; None for the one it has not."""
    uniqueid = ev.storable(said.get(f"{which}_uniqueid", ""), ev.ID_WIDTH)
    name = ev.storable(said.get(f"{which}_name", ""), ev.NUMBER_WIDTH)
    if not uniqueid or uniqueid == "N/A":
        return None
    return ev.Party(uniqueid, uniqueid, name)
