"""Calls as rows and back: the only place that knows both shapes.

Whole batches are written at once: one insert and one update for calls, the same for legs. A row is
never deleted, and a finished call's row never touched again (the board drops it from its memory).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from telephony.call import Call, Leg, State
from telephony.prepared import Among, Prepared, but
from telephony.tables import Base, CallLegRow, CallRow

_CALL: Final = Base.metadata.tables["call"]
_LEG: Final = Base.metadata.tables["call_leg"]
_KNOWN: Final = Prepared(
    select(_CALL.c.linkedid).where(_CALL.c.pbx == bindparam("of"), Among(_CALL.c.linkedid, "names"))
)
_FIXED: Final = ("id", "pbx", "linkedid", "direction", "arrived_at")
"""What a call keeps from its first row on."""
_NEW: Final = Prepared(insert(_CALL).returning(_CALL.c.id), but(_CALL, "id"))
_CHANGED: Final = Prepared(
    update(_CALL)
    .where(_CALL.c.id == bindparam("row"))
    .values({name: bindparam(name) for name in but(_CALL, *_FIXED)})
)
_NEW_LEG: Final = Prepared(insert(_LEG), but(_LEG, "id"))
_CHANGED_LEG: Final = Prepared(
    update(_LEG)
    .where(_LEG.c.call_id == bindparam("of"), _LEG.c.leg == bindparam("name"))
    .values({name: bindparam(name) for name in but(_LEG, "id", "call_id", "leg")})
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A call and its row: `call_id` is 0 until written, `legs` are those that were, by name."""

    call: Call
    call_id: int = 0
    legs: tuple[tuple[str, Leg], ...] = ()


def load_live(session: Session, pbx: str) -> dict[str, Entry]:
    """The calls of that PBX that have not ended, by linkedid."""
    rows = session.scalars(
        select(CallRow).where(CallRow.pbx == pbx, CallRow.ended_at.is_(None)).order_by(CallRow.id)
    ).all()
    legs: dict[int, list[CallLegRow]] = {row.id: [] for row in rows}
    for leg in session.scalars(
        select(CallLegRow)
        .join(CallRow, CallRow.id == CallLegRow.call_id)
        .where(CallRow.pbx == pbx, CallRow.ended_at.is_(None))
        .order_by(CallLegRow.id)
    ):
        legs.setdefault(leg.call_id, []).append(leg)
    return {row.linkedid: _entry(row, legs[row.id]) for row in rows}


def find(session: Session, pbx: str, linkedid: str) -> Entry | None:
    """One call's record, live or finished."""
    row = session.scalars(
        select(CallRow).where(CallRow.pbx == pbx, CallRow.linkedid == linkedid)
    ).first()
    if row is None:
        return None
    legs = session.scalars(
        select(CallLegRow).where(CallLegRow.call_id == row.id).order_by(CallLegRow.id)
    ).all()
    return _entry(row, legs)


def known_ids(session: Session, pbx: str, linkedids: Iterable[str]) -> set[str]:
    """Which of these calls have a row already, finished or not."""
    wanted = sorted(set(linkedids))
    found: set[str] = set()
    for start in range(0, len(wanted), 500):
        names = wanted[start : start + 500]
        found.update(linkedid for (linkedid,) in _KNOWN.rows(session, of=pbx, names=names))
    return found


@dataclass(frozen=True, slots=True)
class Outline:
    """As much of a record as says whether there is more to learn of its call."""

    arrived_at: int
    ended_at: int | None
    cause: str | None


def outlines(session: Session, pbx: str, linkedids: Iterable[str]) -> dict[str, Outline]:
    """What is held of these calls, a few at a time; nothing of those without a record."""
    wanted = sorted(set(linkedids))
    columns = (CallRow.linkedid, CallRow.arrived_at, CallRow.ended_at, CallRow.cause)
    return {
        linkedid: Outline(arrived_at, ended_at, cause)
        for start in range(0, len(wanted), 500)
        for linkedid, arrived_at, ended_at, cause in session.execute(
            select(*columns).where(
                CallRow.pbx == pbx, CallRow.linkedid.in_(wanted[start : start + 500])
            )
        )
    }


def write(session: Session, changed: Sequence[Entry]) -> list[Entry]:
    """Writes calls and legs, new and changed; the entries come back with their rows' ids."""
    session.flush()
    new = [entry for entry in changed if not entry.call_id]
    old = [{"row": entry.call_id, **_values(entry.call)} for entry in changed if entry.call_id]
    made = _NEW.made(session, [_values(entry.call) for entry in new])
    _CHANGED.run(session, old)
    ids = {entry.call.linkedid: row for entry, (row,) in zip(new, made, strict=True)}
    placed = [
        Entry(entry.call, entry.call_id or ids[entry.call.linkedid], entry.legs)
        for entry in changed
    ]
    return _write_legs(session, placed)


def _write_legs(session: Session, entries: list[Entry]) -> list[Entry]:
    """The legs that are not as they were written last; `entries` as they are now."""
    added: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    for entry in entries:
        written = dict(entry.legs)
        for leg in entry.call.legs:
            if leg.leg not in written:
                added.append({"call_id": entry.call_id, **_leg_values(leg)})
            elif written[leg.leg] is not leg:
                changed.append({"of": entry.call_id, "name": leg.leg, **_leg_values(leg)})
    _NEW_LEG.run(session, added)
    _CHANGED_LEG.run(session, changed)
    return [Entry(entry.call, entry.call_id, _named(entry.call)) for entry in entries]


def _named(call: Call) -> tuple[tuple[str, Leg], ...]:
    return tuple((leg.leg, leg) for leg in call.legs)


def _values(call: Call) -> dict[str, Any]:
    agents = [leg for leg in call.legs if leg.answered_at is not None]
    waited_to = call.answered_at if call.answered_at is not None else call.ended_at
    return {
        "pbx": call.pbx,
        "linkedid": call.linkedid,
        "direction": call.direction,
        "far_channel": call.far or None,
        "caller_number": call.caller_number,
        "caller_name": call.caller_name,
        "dialled": call.dialled,
        "queue": call.queue,
        "state": call.state.value,
        "outcome": call.outcome,
        "cause": call.cause,
        "hangup_cause": call.hangup_cause,
        "arrived_at": call.arrived_at,
        "queued_at": call.queued_at,
        "left_queue_at": call.left_queue_at,
        "answered_at": call.answered_at,
        "ended_at": call.ended_at,
        "first_agent": agents[0].interface if agents else None,
        "last_agent": agents[-1].interface if agents else None,
        "wait_ms": _span_ms(call.queued_at, waited_to) if call.direction == "inbound" else None,
        "talk_ms": _span_ms(call.answered_at, call.ended_at),
        "recording_started_at": call.recording_started_at,
        "recording_expected": call.recording_started_at is not None
        and call.answered_at is not None,
    }


def _span_ms(since: int | None, until: int | None) -> int | None:
    """Milliseconds between; None while either end is open, never negative."""
    return None if since is None or until is None else max(0, until - since) // 1000


def _leg_values(leg: Leg) -> dict[str, Any]:
    return {
        "leg": leg.leg,
        "interface": leg.interface,
        "member": leg.member,
        "offered_at": leg.offered_at,
        "answered_at": leg.answered_at,
        "ended_at": leg.ended_at,
        "result": leg.result,
        "held_at": leg.held_at,
        "held_us": leg.held_us,
        "passed_to": leg.passed_to,
    }


def _entry(row: CallRow, legs: Sequence[CallLegRow]) -> Entry:
    call = Call(
        pbx=row.pbx,
        linkedid=row.linkedid,
        arrived_at=row.arrived_at,
        direction=row.direction,
        far=row.far_channel or "",
        state=State(row.state),
        caller_number=row.caller_number,
        caller_name=row.caller_name,
        dialled=row.dialled,
        queue=row.queue,
        queued_at=row.queued_at,
        left_queue_at=row.left_queue_at,
        answered_at=row.answered_at,
        recording_started_at=row.recording_started_at,
        cause=row.cause,
        hangup_cause=row.hangup_cause,
        ended_at=row.ended_at,
        outcome=row.outcome,
        legs=tuple(
            Leg(
                leg=leg.leg,
                interface=leg.interface,
                member=leg.member,
                offered_at=leg.offered_at,
                answered_at=leg.answered_at,
                ended_at=leg.ended_at,
                result=leg.result,
                held_at=leg.held_at,
                held_us=leg.held_us,
                passed_to=leg.passed_to,
            )
            for leg in legs
        ),
    )
    return Entry(call, row.id, _named(call))
