"""Recording ↔ call ↔ ticket, whichever of them comes first.

A recording's name is the call's linkedid: the UNIQUEID of the caller's channel, which is recorded,
or, of a call that we placed, the name we gave it. The link is made in the transaction that
catalogues the recording, or, when the PBX was not heard then, in the one that learns of the call or
opens its ticket. A recording whose call nobody knows stays unlinked and is counted by
`hotline reconcile`; it is never dropped.
"""

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from gateway import notices
from gateway.flow import log
from gateway.tables import RecordingLinkRow, TicketCallRow
from recordings.tables import RecordingRow
from telephony.prepared import Among, Prepared
from telephony.tables import CallRow

_RECORDING = RecordingRow.__table__.c
_RECORDED = Prepared(
    select(_RECORDING.id, _RECORDING.name).where(
        _RECORDING.pbx == bindparam("of"), Among(_RECORDING.name, "names")
    )
)
CAPTURE = "capture"  # the actor of what the capturing process did


class KnownCall(Protocol):
    """A call with its row and its ticket's (0: none)."""

    pbx: str
    linkedid: str
    call_id: int
    ticket_id: int


def captured(session: Session, recording: RecordingRow) -> None:
    """Link a recording that was just catalogued, as far as its call is known.

    Its hashes go into the log as well: a catalogue row forged together with the stored file would
    fit itself, and not the log.
    """
    log.note(
        session,
        "recordings:recording:seal",
        actor=CAPTURE,
        origin=recording.pbx,
        obj=f"recording:{recording.id}",
        outcome="ok",
        now=recording.sealed_at,
        detail={
            "header_sha256": recording.header_sha256.hex(),
            "sealed_sha256": recording.sealed_sha256.hex(),
            "key": recording.key_id,
        },
    )
    notices.tell(session, "recordings", "captured", recording.id)
    call = session.scalar(
        select(CallRow).where(CallRow.pbx == recording.pbx, CallRow.linkedid == recording.name)
    )
    if call is None:
        return
    link = session.get(TicketCallRow, call.id)
    _link(session, recording.id, call.id, link.ticket_id if link else None)


def calls_known(session: Session, calls: Sequence[KnownCall]) -> None:
    """Link the recordings of `calls`, all of one PBX, that came before we knew of them, or before
    their tickets."""
    known = {call.linkedid: call for call in calls}
    if not known:
        return
    for recording_id, name in _RECORDED.rows(session, of=calls[0].pbx, names=sorted(known)):
        call = known[name]
        _link(session, recording_id, call.call_id, call.ticket_id or None)


def relink(session: Session) -> None:
    """Link what two transactions that did not see each other left unlinked."""
    unlinked = session.execute(
        select(RecordingRow.id, CallRow.id, TicketCallRow.ticket_id)
        .join(CallRow, (CallRow.pbx == RecordingRow.pbx) & (CallRow.linkedid == RecordingRow.name))
        .outerjoin(TicketCallRow, TicketCallRow.call_id == CallRow.id)
        .outerjoin(RecordingLinkRow, RecordingLinkRow.recording_id == RecordingRow.id)
        .where(
            RecordingLinkRow.recording_id.is_(None)
            | (RecordingLinkRow.ticket_id.is_(None) & TicketCallRow.ticket_id.is_not(None))
        )
        .limit(500)
    )
    for recording_id, call_id, ticket_id in unlinked.all():
        _link(session, recording_id, call_id, ticket_id)


def _link(session: Session, recording_id: int, call_id: int, ticket_id: int | None) -> None:
    link = session.get(RecordingLinkRow, recording_id)
    if link is None:
        link = RecordingLinkRow(recording_id=recording_id, call_id=call_id)
        session.add(link)
    link.ticket_id = ticket_id
    session.flush()
    if ticket_id is not None:
        notices.tell(session, "tickets", "recorded", ticket_id)
