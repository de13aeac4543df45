"""Recording ↔ call ↔ ticket, whichever of them comes first.

A recording's name is the call's linkedid: the UNIQUEID of the caller's channel, which is recorded,
or, of a call that we placed, the name we gave it. The link is made in the transaction that
catalogues the recording, or, when the PBX was not heard then, in the one that learns of the call or
opens its ticket. A recording whose call nobody knows stays unlinked and is counted by
`hotline reconcile`; it is never dropped.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from gateway import notices
from gateway.flow import log
from gateway.tables import RecordingLinkRow, TicketCallRow
from recordings import audit
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
SEALED, REWRAPPED = "recordings:recording:seal", "recordings:recording:rewrap"
_LATER_FIELDS = {"pbx", "name", "recorded_at", "plain_sha256", "plain_size", "peaks_sha256"}


class KnownCall(Protocol):
    """A call with its row and its ticket's (0: none)."""

    pbx: str
    linkedid: str
    call_id: int
    ticket_id: int


def captured(session: Session, recording: RecordingRow) -> None:
    """Link a recording that was just catalogued, as far as its call is known, and write into the
    log what the row says of it: a row forged together with the stored file would fit itself, and
    not the log."""
    notices.tell(session, "recordings", "captured", recording.id)
    call = session.scalar(
        select(CallRow).where(CallRow.pbx == recording.pbx, CallRow.linkedid == recording.name)
    )
    if call is not None:
        link = session.get(TicketCallRow, call.id)
        _link(session, recording.id, call.id, link.ticket_id if link else None)
    _say(session, recording, SEALED, actor=CAPTURE, origin=recording.pbx, now=recording.sealed_at)


def rewrapped(session: Session, recording: RecordingRow, actor: str, now: int) -> None:
    """A recording has a new header, to a key that outlives its month's: the log says of it now
    what the row says now."""
    _say(session, recording, REWRAPPED, actor=actor, origin="", now=now)


def _say(
    session: Session, recording: RecordingRow, act: str, *, actor: str, origin: str, now: int
) -> None:
    log.note(session, act, actor=actor, origin=origin, obj=f"recording:{recording.id}",
             outcome="ok", now=now, detail=seal_fields(recording))  # fmt: skip

    def sealed_at_line(number: int) -> None:
        recording.seal_line = number

    audit.numbered(session, sealed_at_line)


def seal_fields(row: RecordingRow) -> dict[str, Any]:
    """What the log says of a recording from the moment it is sealed."""
    return {
        "pbx": row.pbx,
        "name": row.name,
        "recorded_at": row.recorded_at,
        "key": row.key_id,
        "header_sha256": row.header_sha256.hex(),
        "sealed_sha256": row.sealed_sha256.hex(),
        "plain_sha256": row.plain_sha256.hex(),
        "plain_size": row.plain_size,
        "peaks_sha256": row.peaks_sha256.hex() if row.peaks_sha256 else "",
    }


def sealed_as(session: Session, row: RecordingRow) -> bool:
    """Whether the log says of this recording what its row says, and its call is the one it is
    named after. Lines of before 0011 say less; what they do not say, their file's header does not
    either: of those the hashes alone bind."""
    if row.seal_line is None or not _of_its_call(session, row):
        return False
    action = SEALED if row.header_version == 1 else REWRAPPED
    wanted = {"action": action, "object": f"recording:{row.id}", "outcome": "ok"}
    return audit.line_holds(
        session, row.seal_line, wanted | seal_fields(row), may_lack=_LATER_FIELDS
    )


def _of_its_call(session: Session, row: RecordingRow) -> bool:
    linked = session.execute(
        select(CallRow.pbx, CallRow.linkedid)
        .join(RecordingLinkRow, RecordingLinkRow.call_id == CallRow.id)
        .where(RecordingLinkRow.recording_id == row.id)
    ).first()
    return linked is None or tuple(linked) == (row.pbx, row.name)


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
