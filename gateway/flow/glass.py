"""Break-glass (紧急调听): danger to life does not wait for an authoriser.

A supervisor says why, in words, and may hear at once: for an hour, five plays, none to take away.
The leader and the auditor are told in the same transaction, and an authoriser's word is asked
afterwards: a no ends what is left of it, and a day without a word is told again. Whoever the matter
is about (回避) is refused here as everywhere.
"""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import notices
from gateway.errors import BadInput, Forbidden, Gone, Recused
from gateway.flow import log, tombs
from gateway.flow.listening import known
from gateway.flow.refusal import Refused, denied, note
from gateway.parts import Parts
from gateway.people.accounts import Person
from gateway.people.roles import Permission, Role
from gateway.tickets import recusal
from recordings import asking
from recordings.tables import GrantRow, RequestRow

REASON_MIN = 10  # characters: enough to say what the danger is
UNDECIDED_US = 86_400 * 1_000_000
TOLD = (Role.LEADER, Role.AUDITOR)


def break_glass(
    session: Session,
    who: Person,
    recording_ids: Collection[int],
    reason: str,
    *,
    origin: str,
    now: int,
) -> GrantRow | Refused:
    """A yes at once; the leader and the auditor are told with it.

    Raises:
        Forbidden: the role does not break the glass.
        BadInput: no such recording, or no reason of ten characters.
    """
    if not who.may(Permission.RECORDING_BREAK_GLASS):
        raise Forbidden
    wanted, wrong = sorted(known(session, recording_ids)), {}
    if not wanted or len(wanted) != len(set(recording_ids)):
        wrong["recording"] = "没有这段录音，请重新选择。 No such recording; choose again."
    if len(reason.strip()) < REASON_MIN:
        wrong["reason"] = f"请写明危险情形，至少 {REASON_MIN} 个字。 Ten characters at least."
    if wrong:
        raise BadInput(wrong)
    detail = {"recordings": wanted}
    try:
        recusal.check(who, recusal.of_recordings(session, wanted))
        tombs.check(session, wanted)
    except (Gone, Recused) as error:
        obj = f"recording:{wanted[0]}"
        return denied(
            session, who, "recordings:glass:break", obj, origin, now, error, detail=detail
        )
    grant = asking.break_glass(
        session, person=who.login, recording_ids=wanted, reason=reason.strip(), now=now
    )
    note(
        session,
        who,
        "recordings:glass:break",
        f"request:{grant.request_id}",
        origin,
        now,
        grant=grant.id,
        detail=detail,
    )
    _tell(session, grant.request_id, f"{who.name} 未经授权先行紧急调听录音，申请 "
          f"#{grant.request_id}，待补授权。 {who.login} broke the glass: request "
          f"{grant.request_id} waits for a decision.", "glass", now)  # fmt: skip
    notices.tell(session, "requests", "asked", grant.request_id)
    return grant


def remind(parts: Parts) -> int:
    """Tell of those that are overdue, in a unit of work; returns how many there are."""
    with parts.database.begin() as session:
        return overdue(session, parts.clock())


def overdue(session: Session, now: int) -> int:
    """Tell of those that nobody has decided about for a day; returns how many there are."""
    late = session.scalars(
        select(RequestRow).where(
            RequestRow.urgent,
            RequestRow.decided_at.is_(None),
            RequestRow.asked_at < now - UNDECIDED_US,
        )
    ).all()
    for request in late:
        _tell(session, request.id, f"紧急调听申请 #{request.id} 已超过 24 小时未补授权。 Request "
              f"{request.id}, opened by break-glass, is undecided for a day.", "glass-late",
              now)  # fmt: skip
    return len(late)


def _tell(session: Session, request_id: int, text: str, kind: str, now: int) -> None:
    for role in TOLD:
        log.tell(session, role, kind, f"request:{request_id}", text, now)
