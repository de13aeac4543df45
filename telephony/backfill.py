"""What the link missed, made good from the PBX's own log (CEL).

For each interval that has ended and is not back-filled: a call of that interval that has no record
gets one, with all its facts; a call that ended unseen (cause `gap`) gets its true end, and the
agent who answered it meanwhile. What was seen live is never touched, so running it again, or from
the log's first line, changes nothing.

The log has to be read past the interval's end before the interval counts as filled. Where calls
ring unanswered phones the log says less than AMI: rings without an answer are not made good.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from telephony import events as ev
from telephony import records
from telephony.call import Call, Leg, State, begin, step
from telephony.cel import CelCall
from telephony.facts import Answered, Ended, Fact, Queued
from telephony.records import Entry
from telephony.tables import LinkGapRow

END_LATE_US = 300_000_000
"""How long after its beginning a call's end may still be on its way into the log."""
CLOCKS_APART_US = 120_000_000
"""How far the PBX's clock and ours may be apart, and an interval still be filled wholly."""


def pending(session: Session, pbx: str) -> list[LinkGapRow]:
    """Intervals that have ended and are not back-filled, oldest first."""
    return list(
        session.scalars(
            select(LinkGapRow)
            .where(
                LinkGapRow.pbx == pbx,
                LinkGapRow.ended_at.is_not(None),
                LinkGapRow.backfilled_at.is_(None),
            )
            .order_by(LinkGapRow.began_at)
        )
    )


def fill(
    session: Session, pbx: str, calls: Sequence[CelCall], *, read_until_at: int, now: int
) -> list[Fact]:
    """Makes good every pending interval that ended before `read_until_at`; answers the facts.

    `calls`: all that `cel.calls` finds, at least from before the first pending interval on;
    `read_until_at`: up to when (µs) the log was surely complete when it was read.
    """
    facts: list[Fact] = []
    for gap in pending(session, pbx):
        if gap.ended_at is None or gap.ended_at > read_until_at:
            continue
        touched = [call for call in calls if _touches(call, gap.began_at, gap.ended_at)]
        for call in touched:
            facts.extend(_make_good(session, pbx, call))
        if not any(_unheard(session, pbx, call, now) for call in touched):
            gap.backfilled_at = now
    session.flush()
    return facts


def _touches(call: CelCall, began_at: int, ended_at: int) -> bool:
    """Whether the call may lie in the interval: its stamps are the PBX's, the interval's ours.

    Too many is no harm: what is known already is not touched.
    """
    over_at = call.ended_at
    began_at, ended_at = began_at - CLOCKS_APART_US, ended_at + CLOCKS_APART_US
    return call.started_at <= ended_at and (over_at is None or over_at >= began_at)


def _unheard(session: Session, pbx: str, call: CelCall, now: int) -> bool:
    """A call that the log has begun and not ended, and of which AMI never told: its end may only
    not have been written yet, so its interval is not filled. After a while there is none to come:
    the PBX died under it."""
    late = call.started_at < now - END_LATE_US
    return not late and call.ended_at is None and records.find(session, pbx, call.linkedid) is None


def _make_good(session: Session, pbx: str, known: CelCall) -> list[Fact]:
    """One call: its missing record, its true end, or nothing."""
    if known.ended_at is None:
        return []  # it is up: AMI will tell its end
    found = records.find(session, pbx, known.linkedid)
    if found is None:
        call, facts = _replay(pbx, known)
        return _write(session, Entry(call), facts)
    if found.call.cause != "gap":
        return []
    call, facts = _continue(_reopened(found.call), _events(known)[1:])
    return _write(session, replace(found, call=call), _untold(found.call, facts))


def _untold(before: Call, facts: Sequence[Fact]) -> list[Fact]:
    """What nobody was told while the link was down: that somebody answered; and of a call whose
    joining the queue was missed, so that it has no ticket, that it joined and how it ended."""
    kinds: tuple[type[Fact], ...] = () if before.answered_at is not None else (Answered,)
    if before.queued_at is None:
        kinds = (*kinds, Queued, Ended)
    return [fact for fact in facts if isinstance(fact, kinds)]


def _reopened(call: Call) -> Call:
    """A call as it stood before the snapshot ended it, and its legs with it."""
    legs = tuple(_leg_reopened(leg, call.ended_at) for leg in call.legs)
    state = State.ARRIVED
    if call.answered_at is not None:
        state = State.TALKING
    elif call.queued_at is not None:
        state = State.OFFERED if any(leg.result is None for leg in legs) else State.QUEUED
    call = replace(call, state=state, legs=legs, ended_at=None)
    return replace(call, outcome=None, cause=None, hangup_cause=None)


def _leg_reopened(leg: Leg, ended_at: int | None) -> Leg:
    if leg.ended_at != ended_at:
        return leg
    return replace(leg, ended_at=None, result=leg.result if leg.answered_at is not None else None)


def _replay(pbx: str, known: CelCall) -> tuple[Call, list[Fact]]:
    first, *rest = _events(known)
    call, facts = begin(pbx, first)
    call, more = _continue(call, rest)
    return call, [*facts, *more]


def _continue(call: Call, events: Sequence[ev.Event]) -> tuple[Call, list[Fact]]:
    facts: list[Fact] = []
    for event in events:
        taken = step(call, event)
        if taken is not None:
            call = taken[0]
            facts.extend(taken[1])
    return call, facts


def _events(known: CelCall) -> list[ev.Event]:
    """The call as AMI would have told it, as far as the log knows."""
    party = ev.Party(
        uniqueid=known.linkedid,
        linkedid=known.linkedid,
        exten=ev.storable(known.dialled, ev.NUMBER_WIDTH),
        number=ev.storable(known.caller_number, ev.NUMBER_WIDTH),
        name=ev.storable(known.caller_name, ev.NAME_WIDTH),
    )
    found: list[ev.Event] = [ev.ChannelBegan(known.started_at, party)]
    if known.recorded_at is not None:
        found.append(ev.RecordingBegan(known.recorded_at, party))
    if known.queued_at is not None:
        found.append(ev.CallerQueued(known.queued_at, party, known.queue or "?"))
    if known.answered_at is not None:
        agent = known.agent or "?"
        leg = known.agent_leg or agent
        found.append(ev.AgentAnswered(known.answered_at, party, leg, agent, ""))
    if known.ended_at is not None:
        found.append(ev.ChannelEnded(known.ended_at, party, 0))
    return found


def _write(session: Session, entry: Entry, facts: Sequence[Fact]) -> list[Fact]:
    (written,) = records.write(session, [entry])
    return [replace(fact, call_id=written.call_id) for fact in facts]
