"""A call whose end nobody heard, made whole from what the PBX's own log tells of it. Pure.

The link was down when the call ended: our record has an end of our own making (cause `gap`), and
lacks what happened meanwhile. The log has all of the call, so its story holds; what only AMI tells
stays with the legs that were heard live: who the member was, when the phone began to ring, how long
the caller was held. A leg that was heard to its end keeps it.
"""

from dataclasses import replace

from telephony.legs import Call, Leg


def amended(found: Call, logged: Call) -> Call:
    """`found`, which the gap ended, as `logged`, the same call replayed from the log, has it."""
    theirs = {leg.leg: leg for leg in logged.legs}
    heard = tuple(_leg(leg, theirs.get(leg.leg), found) for leg in found.legs)
    known = {leg.leg for leg in found.legs}
    times = (found.recording_started_at, logged.recording_started_at)
    return replace(
        logged,
        arrived_at=found.arrived_at,
        caller_number=found.caller_number,
        caller_name=found.caller_name,
        dialled=found.dialled,
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
