"""Facts: what the rest of the house is told about a call, each at most once.

Every fact names its call by PBX and linkedid, says when (`at`, µs since the epoch, the PBX's
clock), and carries `call_id`, the row of that call, once the board has written it. The caller is in
no repr: facts may be logged. Pure data.
"""

from dataclasses import dataclass, field
from typing import TypedDict

Outcome = str
"""answered: an agent took the call · abandoned: queued, never answered · left: never queued.
Of a call we placed: answered: the person took it · no_answer · busy · failed: the number could not
be reached · no_agent: the agent's own phone was not taken up"""


class Of(TypedDict):
    """What every fact begins with."""

    pbx: str
    linkedid: str
    at: int


@dataclass(frozen=True, kw_only=True)
class Fact:
    """What happened, to which call, when."""

    pbx: str
    linkedid: str
    at: int
    call_id: int = 0


@dataclass(frozen=True, kw_only=True)
class Arrived(Fact):
    """A call came in from outside."""

    caller_number: str = field(repr=False)
    caller_name: str = field(repr=False)
    dialled: str


@dataclass(frozen=True, kw_only=True)
class Queued(Fact):
    """The caller waits in `queue`; once for each queue entered in turn."""

    queue: str


@dataclass(frozen=True, kw_only=True)
class Offered(Fact):
    """An agent's phone rings. `leg` is that ring's own channel."""

    leg: str
    interface: str
    member: str


@dataclass(frozen=True, kw_only=True)
class Withdrawn(Fact):
    """That phone rings no more, and its agent did not take the call: rang out, caller gone, another
    agent quicker."""

    leg: str
    interface: str


@dataclass(frozen=True, kw_only=True)
class Answered(Fact):
    """An agent speaks to the caller. `waited_ms`: since the caller entered the queue; for a later
    agent of the same call, since that agent's phone rang."""

    leg: str
    interface: str
    member: str
    waited_ms: int


@dataclass(frozen=True, kw_only=True)
class Held(Fact):
    """The agent put the caller on hold."""

    leg: str
    interface: str


@dataclass(frozen=True, kw_only=True)
class Resumed(Fact):
    """The agent came back to the caller."""

    leg: str
    interface: str


@dataclass(frozen=True, kw_only=True)
class PassedOn(Fact):
    """The agent gave the caller to somebody: `attended`, who has the caller already (an `Answered`
    follows, unless it is another caller), or blind, who has yet to take the call."""

    leg: str
    interface: str
    to: str = field(repr=False)
    attended: bool


@dataclass(frozen=True, kw_only=True)
class Placed(Fact):
    """A call that we asked for stands: the agent's own phone rings. It is known by `linkedid`."""

    interface: str


@dataclass(frozen=True, kw_only=True)
class NotPlaced(Fact):
    """The PBX could not even ring the agent's phone: there is no call (and `call_id` stays 0)."""


@dataclass(frozen=True, kw_only=True)
class PickedUp(Fact):
    """The agent took the phone up; now the person is called."""

    interface: str


@dataclass(frozen=True, kw_only=True)
class Reached(Fact):
    """The person we called has answered."""

    interface: str


@dataclass(frozen=True, kw_only=True)
class RecordingStarted(Fact):
    """The PBX records; the file's stem is `uniqueid`."""

    uniqueid: str


@dataclass(frozen=True, kw_only=True)
class Ended(Fact):
    """The call is over. `cause` is one of `tables.CAUSES`. `lost`: an agent had passed the caller
    on and nobody took them, whoever hung up then."""

    outcome: Outcome
    cause: str
    lost: bool = False
