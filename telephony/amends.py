"""What the PBX's own log adds to a call of which a gap hid something. Pure.

`amended`: the call ended unheard; our record has an end of our own making (cause `gap`), and lacks
what happened meanwhile. The log has all of the call, so its story holds; what only AMI tells stays
with the legs that were heard live: who the member was, when the phone began to ring, how long the
caller was held. A leg that was heard to its end keeps it.

`completed`: the call was heard to its end, but began, or changed hands, in the gap; a snapshot told
who had it, not since when. What was heard holds; times that are out by more than `NEAR_US`, and
agents nobody heard of, are the log's. Of a call heard from end to end nothing changes.
"""

from dataclasses import replace
from typing import Final

from telephony.legs import Call, Leg

NEAR_US: Final = 1_000_000
"""Two witnesses' times this close are one: a channel's age is told in whole seconds."""

_FULLEST: Final = ("answered", "abandoned", "left")
"""Who heard more of a call has the fuller outcome."""


def amended(found: Call, logged: Call) -> Call:
    """`found`, which the gap ended, as `logged`, the same call replayed from the log, has it."""
    theirs = {leg.leg: leg for leg in logged.legs}
    heard = tuple(_leg(leg, theirs.get(leg.leg), found) for leg in found.legs)
    known = {leg.leg for leg in found.legs}
    times = (found.recording_started_at, logged.recording_started_at)
    return replace(
        logged,
        arrived_at=found.arrived_at,
        far=found.far or logged.far,
        caller_number=found.caller_number or logged.caller_number,
        caller_name=found.caller_name or logged.caller_name,
        dialled=found.dialled or logged.dialled,
        queued_at=_first(found.queued_at, logged.queued_at),
        answered_at=_first(found.answered_at, logged.answered_at),
        recording_started_at=_first(*times),
        legs=(*heard, *(leg for leg in logged.legs if leg.leg not in known)),
    )


def _leg(heard: Leg, logged: Leg | None, call: Call) -> Leg:
    """One leg known live, and what the log adds to it."""
    if logged is None:
        return heard
    guessed = heard.ended_at is None or heard.ended_at == call.ended_at
    ended_at = logged.ended_at if guessed else heard.ended_at
    answered_at = _first(heard.answered_at, logged.answered_at)
    over = logged if guessed and heard.answered_at is None else heard
    return replace(
        heard,
        answered_at=answered_at,
        ended_at=ended_at,
        result=over.result,
        passed_to=heard.passed_to or logged.passed_to,
    )


def _first(heard: int | None, logged: int | None) -> int | None:
    return logged if heard is None else heard


def completed(found: Call, logged: Call) -> Call:
    """`found`, heard to its end, with what `logged`, the same call from the log, has beyond it."""
    theirs = {leg.leg: leg for leg in logged.legs}
    heard = {leg.leg: _mended(leg, theirs.get(leg.leg)) for leg in found.legs}
    legs = tuple(heard.values())
    if theirs.keys() - heard.keys():  # the log knows in which order they came
        legs = tuple(heard.pop(name, leg) for name, leg in theirs.items()) + tuple(heard.values())
    far = abs(found.arrived_at - logged.arrived_at) > NEAR_US
    said = [outcome for outcome in _FULLEST if outcome in {found.outcome, logged.outcome}]
    return replace(
        found,
        outcome=said[0] if said else None,
        arrived_at=logged.arrived_at if far else found.arrived_at,
        queued_at=_nearer(found.queued_at, logged.queued_at),
        answered_at=_nearer(found.answered_at, logged.answered_at),
        recording_started_at=_first(found.recording_started_at, logged.recording_started_at),
        queue=found.queue or logged.queue,
        legs=legs,
    )


def _mended(heard: Leg, logged: Leg | None) -> Leg:
    """One leg whose times a snapshot may have guessed."""
    if logged is None:
        return heard
    return replace(
        heard,
        offered_at=_first(heard.offered_at, logged.offered_at),
        answered_at=_nearer(heard.answered_at, logged.answered_at),
        ended_at=_nearer(heard.ended_at, logged.ended_at),
        passed_to=heard.passed_to or logged.passed_to,
    )


def _nearer(heard: int | None, logged: int | None) -> int | None:
    if heard is None or logged is None:
        return _first(heard, logged)
    return heard if abs(heard - logged) <= NEAR_US else logged
