"""Deciding about a request, and using the yes: the only maker of a Grant.

Rules (DOMAIN.md, Recordings and People): the authoriser is never the requester; a yes is for the
one who asked, for the recordings asked, to hear them or to take them away sealed to the recipient
that the request names, for a time and a number of plays. It ends by time, or when it is ended.

What always holds: a request is decided once, and a Grant exists only after `usable` has found
person, recording, kind and time to fit. Break-glass takes a yes that nobody has given yet: short,
for hearing alone, and its request stays to be decided; a no ends it. Asking is `asking`, plays are
counted in `plays`. Who may decide at all (roles, recusal) is the gateway's to say, and every use is
logged by the caller.
"""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from recordings.errors import (
    GrantEnded,
    GrantExpired,
    NotGranted,
    RequestInvalid,
    SelfAuthorisation,
)
from recordings.tables import GrantRow, RequestedRow, RequestRow

LONGEST_S = 30 * 24 * 3600
"""A yes without an end would be a role; what is needed longer is asked again."""
PLAYS_MOST = 100
GLASS_S = 3600
GLASS_PLAYS = 5


@dataclass(frozen=True, slots=True)
class Grant:
    """This person may use this recording now, for this purpose, until `expires_at` (µs).

    `kind` is playback or export; `recipient` is the age key of an export.
    """

    grant_id: int
    request_id: int
    person: str
    recording_id: int
    purpose: str
    expires_at: int
    kind: str = "playback"
    recipient: str = ""


def decide(
    session: Session,
    request_id: int,
    *,
    authoriser: str,
    granted: bool,
    note: str,
    now: int,
    lasts_s: int,
    plays_max: int | None = None,
) -> GrantRow | None:
    """Say yes (a GrantRow, usable for `lasts_s` seconds and `plays_max` plays) or no (None); once.

    Of a request opened by break-glass the yes is only confirmed, and a no ends it.

    Raises SelfAuthorisation, and RequestInvalid for an unknown or decided request, a span that
    is not within (0, LONGEST_S], or a number of plays not within 1 … PLAYS_MOST.
    """
    request = session.get(RequestRow, request_id, with_for_update=True, populate_existing=True)
    if request is None:
        raise RequestInvalid(f"没有编号 {request_id} 的申请。 There is no request {request_id}.")
    if request.requester == authoriser:
        raise SelfAuthorisation("不能审批自己的申请。 Nobody decides their own request.")
    if request.decided_at is not None:
        raise RequestInvalid("该申请已有决定。 This request is decided already.")
    if granted and not request.urgent and not 0 < lasts_s <= LONGEST_S:
        raise RequestInvalid("授权时限须在 30 天以内。 A grant lasts 30 days at most.")
    if plays_max is not None and not 0 < plays_max <= PLAYS_MOST:
        raise RequestInvalid(f"次数须为 1–{PLAYS_MOST}。 From 1 to {PLAYS_MOST} plays.")
    request.decided_at, request.authoriser = now, authoriser
    request.granted, request.note = granted, note
    grant = grant_of(session, request_id) if request.urgent else None
    if grant is not None and granted:
        grant.authoriser = authoriser
    elif grant is not None:
        _end(grant, authoriser, now)
    elif granted:
        grant = _granted(request, authoriser, now, lasts_s, plays_max)
        session.add(grant)
    session.flush()
    return grant if granted else None


def _granted(
    request: RequestRow, authoriser: str, now: int, lasts_s: int, plays_max: int | None
) -> GrantRow:
    return GrantRow(
        request_id=request.id,
        person=request.requester,
        authoriser=authoriser,
        granted_at=now,
        expires_at=now + lasts_s * 1_000_000,
        kind=request.kind,
        plays_max=plays_max if request.kind == "playback" else None,
        glass=False,
    )


def unasked(session: Session, request: RequestRow, now: int) -> GrantRow:
    """The yes that break-glass takes: for GLASS_S and GLASS_PLAYS, and nobody's word yet."""
    grant = _granted(request, "", now, GLASS_S, GLASS_PLAYS)
    grant.glass = True
    session.add(grant)
    session.flush()
    return grant


def end(session: Session, grant_id: int, *, by: str, now: int) -> GrantRow:
    """End a yes before its time; nobody uses it from now on, also in mid-play.

    Raises NotGranted where there is none, GrantEnded where it was ended before.
    """
    grant = session.get(GrantRow, grant_id, with_for_update=True, populate_existing=True)
    if grant is None:
        raise NotGranted(f"没有编号 {grant_id} 的授权。 There is no grant {grant_id}.")
    if grant.ended_at is not None:
        raise GrantEnded("该授权此前已终止。 This grant was ended before.")
    _end(grant, by, now)
    session.flush()
    return grant


def _end(grant: GrantRow, by: str, now: int) -> None:
    if grant.ended_at is None:
        grant.ended_at, grant.ended_by = now, by


def holds(grant: GrantRow, now: int) -> bool:
    """Whether the yes is neither over nor ended; its plays are not looked at."""
    return grant.ended_at is None and now < grant.expires_at


def usable(
    session: Session,
    grant_id: int,
    person: str,
    recording_id: int,
    now: int,
    *,
    kind: str = "playback",
) -> Grant:
    """The Grant, if it is this person's, for this recording and kind of use, and not over.

    Raises NotGranted (an unknown grant and somebody else's look alike), GrantEnded, GrantExpired.
    """
    found = session.execute(
        select(GrantRow, RequestRow)
        .join(RequestRow, RequestRow.id == GrantRow.request_id)
        .join(RequestedRow, RequestedRow.request_id == RequestRow.id)
        .where(
            GrantRow.id == grant_id,
            GrantRow.person == person,
            GrantRow.kind == kind,
            RequestedRow.recording_id == recording_id,
        )
    ).one_or_none()
    if found is None:
        raise NotGranted("未获此录音的授权，请先申请。 No grant for this recording: ask for one.")
    row, request = found
    if row.ended_at is not None:
        raise GrantEnded("授权已被终止，请重新申请。 The grant was ended: ask again.")
    if now >= row.expires_at:
        raise GrantExpired("授权已过期，请重新申请。 The grant is over: ask again.")
    return Grant(row.id, request.id, person, recording_id, request.purpose, row.expires_at,
                 row.kind, request.recipient)  # fmt: skip


def grant_of(session: Session, request_id: int) -> GrantRow | None:
    """The yes to a request, over or not."""
    return session.scalar(select(GrantRow).where(GrantRow.request_id == request_id))
