"""What a call can do, live on a real Asterisk 22: SIP phones at one end, our rows at the other."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import select

from telephony.facts import Ended, Fact
from telephony.tables import CallLegRow, CallRow, LinkStateRow
from tests.integration.telephony.conftest import Gateway
from tests.rig.asterisk import Pbx
from tests.rig.scenarios.play import play
from tests.unit.telephony.house import PBX

STORIES: dict[str, tuple[str, ...]] = {
    "refused": ("Offered a", "Withdrawn a", "Offered b", "Answered b"),
    "agent-first": ("Offered a", "Answered a"),
    "queue-timeout": ("Offered a", "Withdrawn a", "Queued", "Offered b", "Withdrawn b"),
    "overflow": ("Offered a", "Withdrawn a", "Queued", "Offered b", "Answered b"),
    "held": ("Offered a", "Answered a", *("Held a", "Resumed a") * 2),
    "blind-to-agent": ("Offered a", "Answered a", "PassedOn a", "Offered b", "Answered b"),
    "blind-to-queue": ("Offered a", "Answered a", "PassedOn a", "Queued", "Offered b",
                       "Answered b"),
    "blind-outside": ("Offered a", "Answered a", "PassedOn a", "Offered b", "Answered b"),
    "attended": ("Offered a", "Answered a", "Held a", "Resumed a", "PassedOn a", "Answered b"),
    "attended-abandoned": ("Offered a", "Answered a", "Held a", "Resumed a"),
    "attended-while-ringing": ("Offered a", "Answered a", "Held a", "Resumed a", "PassedOn a",
                               "Answered b"),
    "pickup": ("Offered a", "Withdrawn a", "Answered b"),
    "parked": ("Offered a", "Answered a", "PassedOn a", "Answered b"),
    "parking-not-taken": ("Offered a", "Answered a", "PassedOn a", "Offered b", "Withdrawn b",
                          "Queued", "Offered c", "Answered c"),
    "conference": ("Offered a", "Answered a", "PassedOn a", "Answered b", "Answered c"),
    "both-at-once": ("Offered a", "Answered a"),
    "blind-not-answered": ("Offered a", "Answered a", "PassedOn a", "Offered b", "Withdrawn b"),
    "consult-queue-abandoned": ("Offered a", "Answered a", "Held a", "Resumed a"),
    "blind-given-up": ("Offered a", "Answered a", "PassedOn a", "Offered b", "Withdrawn b"),
    "consult-queue": ("Offered a", "Answered a", "Held a", "Resumed a", "PassedOn a",
                      "Answered b"),
    "consult-queue-while-waiting": ("Offered a", "Answered a", "Held a", "Resumed a",
                                    "PassedOn a", "Answered b"),
    "local-member": ("Offered a", "Withdrawn a", "Offered b", "Answered b"),
    "private": ("Offered a", "Answered a"),
}  # fmt: skip
ABANDONED = {"queue-timeout"}
LOST = {"blind-given-up", "blind-not-answered"}


def told(facts: Sequence[Fact]) -> tuple[str, ...]:
    """Each fact, and of which leg: a is the first heard of. Whose phone it is the queue decides."""
    legs: dict[str, str] = {}
    lines = []
    for fact in facts:
        leg = getattr(fact, "leg", "")
        letter = legs.setdefault(leg, "abcd"[len(legs)]) if leg else ""
        lines.append(f"{type(fact).__name__} {letter}".strip())
    assert lines[:3] == ["Arrived", "RecordingStarted", "Queued"]
    assert lines[-1] == "Ended"
    return tuple(lines[3:-1])


@pytest.mark.parametrize("name", STORIES)
def test_a_story_live(pbx: Pbx, sqlite_url: str, name: str) -> None:
    """One record, every leg closed, one recording for the whole of it, nothing not understood."""
    gateway = Gateway(pbx, sqlite_url)
    pbx.phones(None)
    before = {path.stem for path in pbx.spool.rglob("*.wav")}

    async def scenario() -> None:
        await asyncio.to_thread(play, pbx, name)
        await gateway.settled()

    try:
        gateway.run(scenario)
    finally:
        pbx.cli("dialplan set global HOTLINE_PATIENCE 60")
        pbx.phones("answer")
    assert told(gateway.taker.facts) == STORIES[name]
    with gateway.store.begin() as session:
        call = session.scalars(select(CallRow)).one()
        assert call.outcome == ("abandoned" if name in ABANDONED else "answered")
        ended = gateway.taker.facts[-1]
        assert isinstance(ended, Ended)
        assert ended.lost == (name in LOST)
        legs = session.scalars(select(CallLegRow)).all()
        assert all(leg.ended_at is not None and leg.result for leg in legs)
        assert not any(leg.interface.startswith("Local/") for leg in legs)
        assert session.get_one(LinkStateRow, PBX).unknown_events == 0
        recorded = {path.stem for path in pbx.spool.rglob("*.wav")} - before
        assert recorded <= {call.linkedid}  # no agent's own call; nobody talked: none, or empty
        assert recorded or name in ABANDONED
