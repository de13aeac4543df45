"""Asking for recordings: what a request must say, and the lists of them.

A purpose out of the three allowed, the ticket's number or the call, a reason in words, recordings
that exist (DOMAIN.md, Recordings); an export names the age key it is to be sealed to, so that the
authoriser decides about that key and no other. Break-glass asks and takes in one act. Deciding is
`grants`; whether ticket, call and key are what they say is for the gateway to look up.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields

from sqlalchemy import select
from sqlalchemy.orm import Session

from recordings import grants
from recordings.errors import RequestInvalid
from recordings.tables import KINDS, PURPOSES, GrantRow, RecordingRow, RequestedRow, RequestRow


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request says: for what, by which ticket or call, why; to hear or to export to whom."""

    purpose: str
    reason: str
    ticket_no: str = ""
    call_id: int | None = None
    kind: str = "playback"
    recipient: str = ""


def ask(
    session: Session, requester: str, recording_ids: Collection[int], wanted: Wanted, now: int
) -> RequestRow:
    """Write a request down; raises RequestInvalid where a part is missing or unknown."""
    if wanted.purpose not in PURPOSES or wanted.kind not in KINDS:
        raise RequestInvalid("用途须为三项之一。 The purpose must be one of the three allowed.")
    if not (wanted.ticket_no or wanted.call_id) or not wanted.reason or not requester:
        raise RequestInvalid("请填写工单号或通话和理由。 Give the ticket or call and a reason.")
    if (wanted.kind == "export") != bool(wanted.recipient):
        raise RequestInvalid("导出须写明收件公钥。 An export names the recipient's key.")
    said = {field.name: getattr(wanted, field.name) for field in fields(wanted)}
    request = RequestRow(requester=requester, asked_at=now, urgent=False, **said)
    return _written(session, recording_ids, request)


def _written(session: Session, recording_ids: Collection[int], request: RequestRow) -> RequestRow:
    wanted = set(recording_ids)
    known = set(session.scalars(select(RecordingRow.id).where(RecordingRow.id.in_(wanted))))
    if not wanted or known != wanted:
        raise RequestInvalid("请选择已有的录音。 Choose recordings that exist.")
    session.add(request)
    session.flush()
    session.add_all(RequestedRow(request_id=request.id, recording_id=i) for i in sorted(wanted))
    session.flush()
    return request


def break_glass(
    session: Session, *, person: str, recording_ids: Collection[int], reason: str, now: int
) -> GrantRow:
    """A yes at once, for an hour and five plays; what was said is checked (the first purpose).

    Its request waits for an authoriser's word. Raises RequestInvalid for unknown recordings.
    """
    request = _written(
        session,
        recording_ids,
        RequestRow(
            requester=person, purpose=PURPOSES[0], ticket_no="", reason=reason, asked_at=now,
            kind="playback", recipient="", urgent=True,
        ),
    )  # fmt: skip
    return grants.unasked(session, request, now)


def requests(
    session: Session, *, requester: str = "", undecided: bool = False, limit: int = 100
) -> Sequence[RequestRow]:
    """Requests, undecided ones first, the urgent before; then latest first."""
    query = select(RequestRow).order_by(
        RequestRow.decided_at.is_not(None),
        RequestRow.urgent.desc(),
        RequestRow.asked_at.desc(),
        RequestRow.id.desc(),
    )
    if requester:
        query = query.where(RequestRow.requester == requester)
    if undecided:
        query = query.where(RequestRow.decided_at.is_(None))
    return session.scalars(query.limit(limit)).all()


def recording_ids(session: Session, request_id: int) -> list[int]:
    """The recordings a request asks for."""
    query = select(RequestedRow.recording_id).where(RequestedRow.request_id == request_id)
    return list(session.scalars(query.order_by(RequestedRow.recording_id)))
