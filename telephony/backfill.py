"""What the link missed, made good from the PBX's own log (CEL).

For each interval that has ended and is not back-filled: a call of that interval that has no record
gets one, with all its legs, agents and facts; a call that ended unseen (cause `gap`) gets its true
end; a call that went on gets, once it has ended, the times and agents that the interval hid
(`amends`). A call the PBX died under is ended where the log falls silent. What was heard from end
to end is never touched, so running it again, or from the log's first line, changes nothing.

The interval counts as filled when the log was read past its end and no call of it is left of which
more is to come.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.exc import DataError, SQLAlchemyError
from sqlalchemy.orm import Session

from telephony import events as ev
from telephony import records
from telephony.amends import amended, completed
from telephony.call import Call, begin, step
from telephony.cel import CelCall
from telephony.facts import (
    Answered,
    Arrived,
    Ended,
    Fact,
    Offered,
    PassedOn,
    PickedUp,
    Placed,
    Queued,
    Reached,
    RecordingStarted,
    Withdrawn,
)
from telephony.records import Entry, Outline
from telephony.tables import LinkGapRow

log = logging.getLogger(__name__)

Tell = Callable[[Sequence[Fact]], None]
PORTION = 20
"""Calls made good in one go: some tenths of a second at most, on a machine with other work."""
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


class Filling:
    """One interval, and the calls that may lie in it: made good a portion at a time, so that live
    events need not wait for a long log. Each portion may be a transaction of its own: what one of
    them did, a filling that is begun anew finds done."""

    def __init__(self, gap: LinkGapRow, calls: Sequence[CelCall], now: int) -> None:
        self._gap_id, self._pbx, self._now = gap.id, gap.pbx, now
        self._began_at, self._ended_at = gap.began_at, gap.ended_at or now
        touched = [call for call in calls if _touches(call, self._began_at, self._ended_at)]
        self._portions = [touched[at : at + PORTION] for at in range(0, len(touched), PORTION)]
        self._settled = True
        self.done = False
        """Nothing is left to do; the interval is filled, or waits for more of the log."""

    def go_on(self, session: Session, tell: Tell = lambda _: None) -> list[Fact]:
        """Makes the next portion good, or, after the last, closes the interval; answers the facts.

        `tell` is given each call's facts. A call that cannot be made good, or be told of, is undone
        by itself: it alone, and its interval is not filled.
        """
        if not self._portions:
            self.done = True
            if self._settled:
                session.get_one(LinkGapRow, self._gap_id).backfilled_at = self._now
                session.flush()
            return []
        facts: list[Fact] = []
        portion = self._portions.pop(0)
        held = records.outlines(session, self._pbx, (call.linkedid for call in portion))
        for call in portion:
            outline = held.get(call.linkedid)
            self._settled &= _settled(call, outline, self._ended_at, self._now)
            if _lacks(outline, self._began_at, self._ended_at):
                own = _alone(session, self._pbx, call, self._now, tell)
                self._settled &= own is not None
                facts.extend(own or ())
        return facts


def fillings(
    session: Session, pbx: str, calls: Sequence[CelCall], *, read_until_at: int, now: int
) -> list[Filling]:
    """What is to be done about every pending interval that ended before `read_until_at`.

    `calls`: all that `cel.calls` finds, at least from before the first pending interval on;
    `read_until_at`: up to when (µs) the log was surely complete when it was read.
    """
    return [
        Filling(gap, calls, now)
        for gap in pending(session, pbx)
        if gap.ended_at is not None and gap.ended_at <= read_until_at
    ]


def _alone(
    session: Session, pbx: str, call: CelCall, now: int, tell: Tell
) -> Sequence[Fact] | None:
    """One call's facts, told; None where it failed by itself, and is as it was."""
    try:
        with session.begin_nested():
            facts = _make_good(session, pbx, call, now)
            tell(facts)
    except Exception as error:
        if isinstance(error, SQLAlchemyError) and not isinstance(error, DataError):
            raise  # the database's own: the whole of it is done again
        # The error's text may name the caller.
        log.warning("PBX %s: a call is not made good (%s)", pbx, type(error).__name__)
        return None
    return facts


def _touches(call: CelCall, began_at: int, ended_at: int) -> bool:
    """Whether the call may lie in the interval: its stamps are the PBX's, the interval's ours.

    Too many is no harm: what is known already is not touched.
    """
    over_at = call.over_at
    began_at, ended_at = began_at - CLOCKS_APART_US, ended_at + CLOCKS_APART_US
    return call.started_at <= ended_at and (over_at is None or over_at >= began_at)


def _settled(call: CelCall, held: Outline | None, ended_at: int, now: int) -> bool:
    """Whether nothing more is to come of this call for an interval that ended then.

    Not of one that AMI never told of and the log has not ended: its end may only not have been
    written yet. Nor of one that went on from the interval: what it lacks is known at its end.
    """
    if held is None:
        return _end(call, now) is not None
    return held.ended_at is not None or call.started_at > ended_at


def _lacks(held: Outline | None, began_at: int, ended_at: int) -> bool:
    """Whether the log may have more of the call than we hold: of one that reached into the interval
    from before it, or out of it. One wholly inside has its record from the log already, and a live
    call is AMI's to tell."""
    if held is None or held.cause == "gap":
        return True
    if held.ended_at is None or held.arrived_at > ended_at or held.ended_at < began_at:
        return False
    return held.arrived_at < began_at or held.ended_at > ended_at


def _end(known: CelCall, now: int) -> ev.Event | None:
    """How the call ended; None while its end may still come.

    Where the PBX died under the call there is no end to come, and nobody to say more than when it
    was heard last: the log shows the restart, or, with no call since, the time that has passed.
    """
    if known.ended_at is not None:
        return known.events[-1]
    late = known.started_at < now - END_LATE_US
    if known.cut_at is None and not late:
        return None
    return ev.ChannelVanished(known.cut_at or known.last_at, known.events[0].party)


def _make_good(session: Session, pbx: str, known: CelCall, now: int) -> list[Fact]:
    """One call: its missing record, its true end, what the gap hid of it, or nothing."""
    end = _end(known, now)
    if end is None:
        return []  # it is up: AMI will tell its end
    found = records.find(session, pbx, known.linkedid)
    call, facts = _replay(pbx, known, end)
    facts = [fact for fact in facts if not isinstance(fact, Offered | Withdrawn)]  # rings no more
    if found is None:
        return _write(session, Entry(call), facts)
    unseen = found.call.cause == "gap"
    whole = amended(found.call, call) if unseen else completed(found.call, call)
    if whole == found.call:
        return []
    return _write(session, replace(found, call=whole), _untold(found.call, whole, facts))


def _untold(before: Call, after: Call, facts: Sequence[Fact]) -> list[Fact]:
    """Of the call's facts those that were not told live; its end again where it is another."""
    told: list[Fact] = []
    for fact in facts:
        match fact:
            case Arrived() | Placed():
                continue
            case PickedUp() if before.legs and before.legs[0].answered_at is not None:
                continue
            case Reached() if before.answered_at is not None:
                continue
            case Queued() if before.queued_at is not None:
                continue
            case RecordingStarted() if before.recording_started_at is not None:
                continue
            case Answered(leg=leg) if _had(before, leg):
                continue
            case PassedOn(leg=leg) if _gave(before, leg):
                continue
            case Ended() if before.outcome == after.outcome:
                continue
        told.append(fact)
    return told


def _had(call: Call, name: str) -> bool:
    leg = call.leg(name)
    return leg is not None and leg.answered_at is not None


def _gave(call: Call, name: str) -> bool:
    leg = call.leg(name)
    return leg is not None and leg.passed_to is not None


def _replay(pbx: str, known: CelCall, end: ev.Event) -> tuple[Call, list[Fact]]:
    """The whole call, by the table that live events go by."""
    first, *rest = known.events
    call, facts = begin(pbx, first)
    told = list(facts)
    for event in (*rest, end):
        taken = step(call, event)
        if taken is not None:
            call = taken[0]
            told.extend(taken[1])
    return call, told


def _write(session: Session, entry: Entry, facts: Sequence[Fact]) -> list[Fact]:
    (written,) = records.write(session, [entry])
    return [replace(fact, call_id=written.call_id) for fact in facts]
