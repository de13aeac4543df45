"""Call → ticket: what the PBX's facts mean for tickets, in the batch's own transaction.

A ticket stands from the moment the call enters the queue; the agent who answers first is its
first-responder (首问负责) and stays so when the call is passed on; a caller who gives up, or is
lost in a transfer that nobody took (decision 0013), leaves a ticket that asks to be called back.
A call has one ticket however often its facts come. Who shall see it is noted for the hub and told
after the commit. Nothing here talks to the PBX, and what people have changed is never undone.
"""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from gateway import notices
from gateway.flow import breaks, calling, linking, silence
from gateway.flow.bundle import Bundle, Matter
from gateway.tickets.lifecycle import OPEN_STATES
from telephony.facts import (
    Answered,
    Ended,
    Fact,
    NotPlaced,
    Offered,
    PassedOn,
    PickedUp,
    Placed,
    Queued,
    Reached,
    Withdrawn,
)
from telephony.outgoing import is_outgoing

PBX = "pbx"  # the actor of what no person did


def take(session: Session, facts: Sequence[Fact]) -> None:
    """Let `facts`, in their order, change tickets; commits nothing."""
    for fact in facts:
        if isinstance(fact, Placed | NotPlaced | PickedUp | Reached):
            calling.heard(session, fact)  # a call we placed has its ticket before all else
    facts = [fact for fact in facts if fact.call_id]
    if not facts:
        return
    bundle = Bundle(session, facts)
    bundle.open([fact for fact in facts if isinstance(fact, Queued)])
    for fact in facts:
        matter = bundle.matter(fact)
        if matter is not None:
            _take(bundle, fact, matter)
    bundle.write()
    linking.calls_known(session, bundle.newly_known(facts))
    _over(session, bundle, [fact for fact in facts if isinstance(fact, Ended)])


def _take(bundle: Bundle, fact: Fact, matter: Matter) -> None:
    match fact:
        case Queued() if matter.fresh:
            matter.fresh = False  # a second queue, or a fact told again, opens none
            bundle.story(matter, PBX, "open", fact.at, before="")
        case Offered():
            _told(bundle, matter, fact.interface, "ringing")
        case Withdrawn():
            _told(bundle, matter, fact.interface, "withdrawn")
        case Answered():
            _answered(bundle, fact, matter)
        case PassedOn():
            _passed_on(bundle, fact, matter)
        case Ended():
            _ended(bundle, fact, matter)
        case _:
            pass  # arrived, recording started: the call's own row says all there is


def _answered(bundle: Bundle, fact: Answered, matter: Matter) -> None:
    agent = bundle.login(fact.interface)
    if agent and not matter.owner:
        matter.owner = agent
    if matter.call_back == "due":
        matter.call_back = "none"  # taken for abandoned while the link was down
    bundle.story(matter, agent or fact.interface, "answer-call", fact.at)
    _told(bundle, matter, fact.interface, "answered")


def _passed_on(bundle: Bundle, fact: PassedOn, matter: Matter) -> None:
    """Not whom to: an outside number would stand in the story for everybody who reads it."""
    agent = bundle.login(fact.interface)
    bundle.story(matter, agent or fact.interface, "pass-on", fact.at)
    _told(bundle, matter, fact.interface, "passed-on")


def _ended(bundle: Bundle, fact: Ended, matter: Matter) -> None:
    waits_in_vain = fact.outcome == "abandoned" or fact.lost
    if waits_in_vain and matter.state in OPEN_STATES:
        matter.call_back = "due"
        bundle.story(matter, PBX, "lose" if fact.lost else "abandon", fact.at)
        notices.tell(bundle.session, "desks", "call-back", matter.ticket_id)
    if matter.last_agent:
        _told(bundle, matter, matter.last_agent, "ended")


def _over(session: Session, bundle: Bundle, ended: Sequence[Ended]) -> None:
    """What an agent asked for during a call ends with it."""
    silence.calls_ended(session, {fact.call_id: fact.at for fact in ended})
    breaks.calls_ended(session, [(bundle.last_agent(fact), fact) for fact in ended])
    for fact in ended:
        if is_outgoing(fact.linkedid):
            calling.heard(session, fact)


def _told(bundle: Bundle, matter: Matter, interface: str, kind: str) -> None:
    notices.tell(bundle.session, notices.agent(matter.pbx, interface), kind, matter.ticket_id)
