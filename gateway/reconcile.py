"""The count by which every claim is checked: the PBX's own log against what we hold.

Over a span of time, by the moment a call came in on the PBX's clock: calls on CEL, call records,
tickets, recordings, work orders. Nothing is taken from our own memory of what should be there:
what a call owes (a ticket when it was queued or we placed it, a recording when it was recorded and
answered) is read from CEL. What comes out is a `Count`.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from gateway.count import Count, Recordings, WorkOrders, document, gap_plain
from gateway.flow import outgoing
from gateway.parts import Parts
from gateway.tables import RecordingLinkRow, TicketCallRow, WorkOrderRow
from queueing.tables import OutboxRow, ParkedRow
from recordings.tables import RecordingRow
from telephony import cel_source, links
from telephony.cel import CelCall
from telephony.tables import CallRow

_TOLD_US = 100_000
"""AMI and CEL stamp the same moment of a call this far apart at most; CEL counts milliseconds."""


def whole(parts: Parts, since: int, until: int) -> dict[str, Any]:
    """The same over every PBX: one document, and each PBX's own under `pbxs`. Work orders are
    nobody's PBX's; they are counted once. Raises what `reconcile` raises."""
    return document(
        {one.name: reconcile(parts, one.name, since, until) for one in parts.settings.pbxs}
    )


def reconcile(parts: Parts, pbx: str, since: int, until: int) -> Count:
    """Count what came in at `pbx` from `since` until before `until` (µs).

    Raises:
        telephony.errors.CelUnreadable: the PBX's log is not there or is not one.
    """
    exchange = next(one for one in parts.settings.pbxs if one.name == pbx)
    reading = cel_source.read_on(
        exchange.cel,
        None,
        exchange.inbound,
        settled_at=since,
        utc_offset_min=exchange.cel_utc_offset_min,
    )
    on_cel = {c.linkedid: c for c in reading.calls if since <= c.started_at < until}
    count = Count(cel_calls=len(on_cel), cel_unreadable=reading.unreadable)
    in_span = and_(
        CallRow.pbx == pbx,
        CallRow.arrived_at >= since,
        CallRow.arrived_at < until,
    )
    with parts.database.reading() as session:
        held = {call.linkedid: call for call in session.scalars(select(CallRow).where(in_span))}
        unlogged = _unlogged(reading.calls, [held[name] for name in held.keys() - on_cel.keys()])
        _calls(session, count, on_cel, held, unlogged, in_span)
        _recordings(session, count, pbx, on_cel, exchange.spool, since, until)
        _work_orders(session, count, since, until)
        count.incomplete = [
            gap_plain(gap)
            for gap in links.incomplete(session, pbx=pbx, since_at=since, until_at=until)
        ]
    count.gaps = len(count.incomplete)
    count.close()
    return count


def _calls(
    session: Session,
    count: Count,
    on_cel: dict[str, CelCall],
    held: dict[str, CallRow],
    unlogged: set[str],
    in_span: ColumnElement[bool],
) -> None:
    count.call_records = len(held)
    tickets = Counter(
        linkedid
        for (linkedid,) in session.execute(
            select(CallRow.linkedid)
            .join(TicketCallRow, TicketCallRow.call_id == CallRow.id)
            .where(in_span)
        )
    )
    count.tickets = sum(tickets.values())
    twice = {linkedid for linkedid, times in tickets.items() if times > 1}
    count.doubled = sum(tickets[linkedid] - 1 for linkedid in twice)
    queued = {key for key, call in on_cel.items() if call.queued or call.outgoing}
    count.never_queued = len(on_cel) - len(queued) + len(unlogged - tickets.keys())
    count.never_logged = len(unlogged)
    if unlogged:
        count.explained["the PBX died before it wrote the call"] = sorted(unlogged)
    count.note("no_call_record", on_cel.keys() - held.keys())
    count.note("not_on_cel", held.keys() - on_cel.keys() - unlogged)
    count.note("no_ticket", queued - tickets.keys())
    count.note("ticket_without_queue", tickets.keys() - queued - unlogged)
    count.note("doubled", twice)
    ended = {linkedid for linkedid, call in on_cel.items() if call.over_at is not None}
    count.note("not_ended", {key for key in ended & held.keys() if held[key].ended_at is None})


def _unlogged(on_cel: Sequence[CelCall], held: Sequence[CallRow]) -> set[str]:
    """Of these records, those of calls that a dying PBX told of and wrote nothing about: nobody saw
    their end, and they came in after its log fell silent, with nothing logged in between."""
    silent = {call.cut_at for call in on_cel if call.cut_at is not None}
    found = set()
    for record in held:
        at = record.arrived_at
        died_at = max((one for one in silent if one <= at + _TOLD_US), default=None)
        if record.cause != "gap" or died_at is None:
            continue
        if not any(died_at < call.started_at <= at for call in on_cel):
            found.add(record.linkedid)
    return found


def _recordings(
    session: Session,
    count: Count,
    pbx: str,
    on_cel: dict[str, CelCall],
    spool: Path,
    since: int,
    until: int,
) -> None:
    ended = {name for name, call in on_cel.items() if call.over_at is not None}
    cut = {name for name in ended if on_cel[name].ended_at is None}
    expected = {name for name in ended if on_cel[name].recorded and on_cel[name].answered}
    rows = [
        (row[0], row[1])
        for some in _portions(on_cel.keys())
        for row in session.execute(
            select(RecordingRow.name, RecordingLinkRow.ticket_id)
            .outerjoin(RecordingLinkRow, RecordingLinkRow.recording_id == RecordingRow.id)
            .where(RecordingRow.pbx == pbx, RecordingRow.name.in_(some))
        )
    ]
    sealed = {name for name, _ in rows}
    left = _left(spool, on_cel.keys() - ended)
    owed = {name for name, call in on_cel.items() if call.queued or call.outgoing}
    unlinked = {name for name, ticket_id in rows if ticket_id is None and name in owed}
    unlinked |= _linked_to_nothing(session, pbx, since, until)
    count.recordings = Recordings(
        expected=len(expected),
        sealed=len(expected & sealed),
        missing=len(expected - sealed - cut),
        unwritten=len(expected & cut - sealed),
        unlinked=len(unlinked),
        plaintext_left=len(left),
    )
    count.note("recording_missing", expected - sealed - cut)
    if unwritten := expected & cut - sealed:
        count.explained["the PBX died before it wrote the recording"] = sorted(unwritten)
    count.note("recording_unlinked", unlinked)
    count.note("plaintext_left", left)


def _linked_to_nothing(session: Session, pbx: str, since: int, until: int) -> set[str]:
    """Recordings of the span whose call nobody knows."""
    return set(
        session.scalars(
            select(RecordingRow.name)
            .outerjoin(RecordingLinkRow, RecordingLinkRow.recording_id == RecordingRow.id)
            .where(
                RecordingRow.pbx == pbx,
                RecordingRow.recorded_at >= since,
                RecordingRow.recorded_at < until,
                RecordingLinkRow.recording_id.is_(None),
            )
        )
    )


def _left(spool: Path, live: Collection[str]) -> set[str]:
    """Whatever sound lies in the spool, but for the calls that are still going on."""
    return {
        path.stem
        for path in spool.rglob("*")
        if path.suffix.lower() == ".wav" and path.stem not in live
    }


def _work_orders(session: Session, count: Count, since: int, until: int) -> None:
    offered = (WorkOrderRow.offered_at >= since, WorkOrderRow.offered_at < until)
    rows = session.execute(
        select(WorkOrderRow.number, WorkOrderRow.version, WorkOrderRow.signed_at,
               WorkOrderRow.replied_at).where(*offered)
    ).all()  # fmt: skip
    told = {
        outgoing.key(number, said): number
        for number, version, _, _ in rows
        for said in range(1, version + 1)
    }
    states: dict[str, set[str]] = {number: set() for number, _, _, _ in rows}
    sent = Counter[str]()
    for some in _portions(told.keys()):
        wanted = select(OutboxRow.dedupe_key, OutboxRow.state).where(OutboxRow.dedupe_key.in_(some))
        for key, state in session.execute(wanted):
            states[told[key]].add(state)
            sent[told[key]] += 1
    whole = {number for number, version, _, _ in rows if sent[number] == version}
    # Given up by a department, or a reply that could not be applied: a person has to act.
    waiting = {
        str(parked_id)
        for parked_id in session.scalars(
            select(ParkedRow.id).where(
                ParkedRow.replayed_at.is_(None),
                ParkedRow.discarded_at.is_(None),
                ParkedRow.direction.in_(("dead", "in")),
                ParkedRow.parked_at >= since,
                ParkedRow.parked_at < until,
            )
        )
    }
    count.work_orders = WorkOrders(
        committed=len(rows),
        confirmed=sum(1 for number in whole if states[number] == {"confirmed"}),
        signed=sum(1 for row in rows if row.signed_at is not None),
        replied=sum(1 for row in rows if row.replied_at is not None),
        parked=sum(1 for found in states.values() if "parked" in found) + len(waiting),
    )
    count.note("parked", waiting)


def _portions(names: Collection[str]) -> Iterator[list[str]]:
    """`names` in lists short enough for one statement."""
    ordered = sorted(names)
    for start in range(0, len(ordered), 500):
        yield ordered[start : start + 500]
