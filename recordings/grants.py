"""Asking to listen, deciding, and using the yes: the only maker of a Grant.

Rules (DOMAIN.md, Recordings and People): a purpose out of the three allowed, the ticket's number
and a reason in words; the authoriser is never the requester; a yes is for the one who asked, for
the recordings asked, for a time.  What always holds: a request is decided once, and a Grant
exists only after `usable` has found person, recording and time to fit.  Who may ask or decide at
all (roles, recusal) is the gateway's to say, and every use is logged by the caller.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from recordings.errors import (
    GrantExpired,
    NotGranted,
    RequestInvalid,
    SelfAuthorisation,
)
from recordings.tables import PURPOSES, GrantRow, RecordingRow, RequestedRow, RequestRow

LONGEST_S = 30 * 24 * 3600
"""A yes without an end would be a role; what is needed longer is asked again."""


@dataclass(frozen=True, slots=True)
class Grant:
    """This person may hear this recording now, for this purpose, until `expires_at` (µs)."""

    grant_id: int
    request_id: int
    person: str
    recording_id: int
    purpose: str
    expires_at: int


def ask(
    session: Session,
    *,
    requester: str,
    recording_ids: Collection[int],
    purpose: str,
    ticket_no: str,
    reason: str,
    now: int,
) -> RequestRow:
    """Write a request down; raises RequestInvalid where a part is missing or unknown."""
    wanted = set(recording_ids)
    if purpose not in PURPOSES:
        raise RequestInvalid("用途须为三项之一。 The purpose must be one of the three allowed.")
    if not ticket_no.strip() or not reason.strip() or not requester:
        raise RequestInvalid("请填写工单号和理由。 Give the ticket's number and a reason.")
    known = set(session.scalars(select(RecordingRow.id).where(RecordingRow.id.in_(wanted))))
    if not wanted or known != wanted:
        raise RequestInvalid("请选择已有的录音。 Choose recordings that exist.")
    request = RequestRow(
        requester=requester,
        purpose=purpose,
        ticket_no=ticket_no.strip(),
        reason=reason.strip(),
        asked_at=now,
    )
    session.add(request)
    session.flush()
    session.add_all(RequestedRow(request_id=request.id, recording_id=i) for i in sorted(wanted))
    session.flush()
    return request


def decide(
    session: Session,
    request_id: int,
    *,
    authoriser: str,
    granted: bool,
    note: str,
    now: int,
    lasts_s: int,
) -> GrantRow | None:
    """Say yes (a GrantRow, usable for `lasts_s` seconds) or no (None); once.

    Raises SelfAuthorisation, and RequestInvalid for an unknown or decided request or a span that
    is not within (0, LONGEST_S].
    """
    request = session.get(RequestRow, request_id, with_for_update=True, populate_existing=True)
    if request is None:
        raise RequestInvalid(f"没有编号 {request_id} 的申请。 There is no request {request_id}.")
    if request.requester == authoriser:
        raise SelfAuthorisation("不能审批自己的申请。 Nobody decides their own request.")
    if request.decided_at is not None:
        raise RequestInvalid("该申请已有决定。 This request is decided already.")
    if granted and not 0 < lasts_s <= LONGEST_S:
        raise RequestInvalid("授权时限须在 30 天以内。 A grant lasts 30 days at most.")
    request.decided_at, request.authoriser = now, authoriser
    request.granted, request.note = granted, note
    grant = None
    if granted:
        grant = GrantRow(
            request_id=request.id,
            person=request.requester,
            authoriser=authoriser,
            granted_at=now,
            expires_at=now + lasts_s * 1_000_000,
        )
        session.add(grant)
    session.flush()
    return grant


def usable(session: Session, grant_id: int, person: str, recording_id: int, now: int) -> Grant:
    """The Grant, if it is this person's, for this recording, and not over.

    Raises NotGranted (an unknown grant and somebody else's look alike) or GrantExpired.
    """
    found = session.execute(
        select(GrantRow, RequestRow)
        .join(RequestRow, RequestRow.id == GrantRow.request_id)
        .join(RequestedRow, RequestedRow.request_id == RequestRow.id)
        .where(
            GrantRow.id == grant_id,
            GrantRow.person == person,
            RequestedRow.recording_id == recording_id,
        )
    ).one_or_none()
    if found is None:
        raise NotGranted("未获授权收听此录音，请先申请。 No grant for this recording: ask for one.")
    row, request = found
    if now >= row.expires_at:
        raise GrantExpired("授权已过期，请重新申请。 The grant is over: ask again.")
    return Grant(row.id, request.id, person, recording_id, request.purpose, row.expires_at)


def requests(
    session: Session, *, requester: str = "", undecided: bool = False, limit: int = 100
) -> Sequence[RequestRow]:
    """Requests, undecided ones first, then latest first; narrowed to a requester or to pending."""
    query = select(RequestRow).order_by(
        RequestRow.decided_at.is_not(None), RequestRow.asked_at.desc(), RequestRow.id.desc()
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


def grant_of(session: Session, request_id: int) -> GrantRow | None:
    """The yes to a request, over or not."""
    return session.scalar(select(GrantRow).where(GrantRow.request_id == request_id))
