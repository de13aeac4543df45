"""Listening: ask → decide, each with its line in the log; `playing` is what a grant opens.

A supervisor asks for recordings with a purpose and a ticket's number; an authoriser who did not ask
grants for a time or refuses. Every attempt is in the log, also one that is refused: a refusal is
returned and not raised, so that the caller commits the line first and refuses then (DESIGN §3,
promise 5).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import notices
from gateway.errors import BadInput, Forbidden, HotlineError
from gateway.flow import log
from gateway.numbers import natural
from gateway.people.accounts import Person
from gateway.people.roles import Permission
from gateway.tables import TicketRow, WorkOrderRow
from recordings import grants
from recordings.errors import GrantError
from recordings.tables import PURPOSES, GrantRow, RecordingRow, RequestRow

GRANT_S_MAX = 30 * 24 * 3600  # a grant is for a purpose at hand; longer is asked for again


@dataclass(frozen=True, slots=True)
class Refused:
    """The refusal is in the log: once it is committed, raise `error`."""

    error: HotlineError


@dataclass(frozen=True, slots=True)
class RequestView:
    """A request with the recordings it names and what became of it."""

    request: RequestRow
    recordings: list[RecordingRow]
    grant: GrantRow | None

    @property
    def state(self) -> str:
        """pending, granted or refused."""
        if self.request.decided_at is None:
            return "pending"
        return "granted" if self.request.granted else "refused"


def ask(
    session: Session,
    who: Person,
    *,
    recording_ids: Collection[int],
    purpose: str,
    ticket_no: str,
    reason: str,
    origin: str,
    now: int,
) -> RequestRow:
    """Ask (申请) to hear recordings, for one of the three purposes and a ticket or work order.

    Raises:
        Forbidden: the role does not ask.
        BadInput: no such recording or ticket, an unknown purpose, or no reason.
    """
    if not who.may(Permission.RECORDING_ASK):
        raise Forbidden
    wrong: dict[str, str] = {}
    known = set(
        session.scalars(select(RecordingRow.id).where(RecordingRow.id.in_(set(recording_ids))))
    )
    if not recording_ids or known != set(recording_ids):
        wrong["recording"] = "没有这段录音，请重新选择。 No such recording; choose again."
    if purpose not in PURPOSES:
        wrong["purpose"] = f"用途须为其一： Choose one of: {', '.join(PURPOSES)}."
    if not _names_a_ticket(session, ticket_no.strip()):
        wrong["ticket_no"] = "没有这个工单号或受理编号。 No ticket has this number."
    if not reason.strip():
        wrong["reason"] = "请写明调听理由。 Say why it has to be heard."
    if wrong:
        raise BadInput(wrong)
    request = grants.ask(
        session,
        requester=who.login,
        recording_ids=sorted(known),
        purpose=purpose,
        ticket_no=ticket_no.strip(),
        reason=reason.strip(),
        now=now,
    )
    _note(session, who, "request:ask", f"request:{request.id}", origin, now,
          detail={"recordings": sorted(known), "purpose": purpose})  # fmt: skip
    notices.tell(session, "requests", "asked", request.id)
    return request


def _names_a_ticket(session: Session, number: str) -> bool:
    if not number:
        return False
    by_number = select(TicketRow.id).where(TicketRow.acceptance_no == number)
    by_order = select(WorkOrderRow.id).where(WorkOrderRow.number == number)
    if session.scalar(by_number) or session.scalar(by_order):
        return True
    plain = number.removeprefix("#")
    ticket_id = natural(plain)
    return ticket_id is not None and session.get(TicketRow, ticket_id) is not None


def requests(session: Session, who: Person) -> list[RequestView]:
    """A supervisor's own requests, or for an authoriser everybody's, those undecided first."""
    rows: Sequence[RequestRow]
    if who.may(Permission.RECORDING_DECIDE):
        rows = grants.requests(session)
    elif who.may(Permission.RECORDING_ASK):
        rows = grants.requests(session, requester=who.login)
    else:
        raise Forbidden
    return [view_of(session, row) for row in rows]


def view_of(session: Session, row: RequestRow) -> RequestView:
    """A request with the recordings it names and what became of it."""
    return RequestView(row, _recordings_of(session, row.id), grants.grant_of(session, row.id))


def _recordings_of(session: Session, request_id: int) -> list[RecordingRow]:
    ids = grants.recording_ids(session, request_id)
    return list(
        session.scalars(
            select(RecordingRow).where(RecordingRow.id.in_(ids)).order_by(RecordingRow.recorded_at)
        )
    )


def decide(
    session: Session,
    who: Person,
    request_id: int,
    *,
    granted: bool,
    note: str,
    lasts_s: int,
    origin: str,
    now: int,
) -> GrantRow | Refused | None:
    """Grant (同意) for `lasts_s` seconds or refuse (不同意); the log's line is always appended.

    Returns `Refused`, to be raised after the commit, where deciding is not this person's (it is
    their own request, or it was decided already).

    Raises:
        Forbidden: the role does not decide.
        BadInput: a refusal without its reason, or a time out of bounds.
    """
    if not who.may(Permission.RECORDING_DECIDE):
        raise Forbidden
    if not granted and not note.strip():
        raise BadInput({"note": "不同意须写明理由。 A refusal says why."})
    if granted and not 60 <= lasts_s <= GRANT_S_MAX:
        raise BadInput({"lasts_s": "授权时长须在 1 分钟到 30 天之间。 From 1 minute to 30 days."})
    obj = f"request:{request_id}"
    try:
        grant = grants.decide(session, request_id, authoriser=who.login, granted=granted,
                              note=note.strip(), now=now, lasts_s=lasts_s)  # fmt: skip
    except GrantError as error:
        _note(session, who, "request:decide", obj, origin, now, outcome="denied",
              detail={"why": type(error).__name__})  # fmt: skip
        return Refused(Forbidden(str(error)))
    _note(session, who, "request:decide", obj, origin, now, grant=grant.id if grant else None,
          detail={"granted": granted})  # fmt: skip
    asked = session.get_one(RequestRow, request_id)
    for topic in ("requests", f"person:{asked.requester}"):
        notices.tell(session, topic, "decided", request_id)
    return grant


def _note(
    session: Session, who: Person, act: str, obj: str, origin: str, now: int,
    *, outcome: str = "ok", grant: int | None = None, detail: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    log.note(session, f"recordings:{act}", actor=who.login, origin=origin, obj=obj,
             outcome=outcome, grant=grant, detail=detail, now=now)  # fmt: skip
