"""Listening: ask → decide → end, each with its line in the log, each refusal too.

A supervisor asks for recordings with a purpose, by a ticket's number or by the call; an authoriser
who did not ask, and whom the matter is not about (回避), grants to hear them for a time and a
number of plays, or to take them away sealed to the key that the request names, or refuses. A yes is
ended by whoever holds it or by any authoriser. What is refused is returned and not raised, so that
the caller commits the line first and refuses then (DESIGN §3, promise 5). Using a yes is
`playing` and `exporting`; break-glass is `glass`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import notices
from gateway.errors import BadInput, Conflict, Forbidden, Gone, HotlineError, Recused
from gateway.flow import tombs
from gateway.flow.refusal import Refused, denied, note
from gateway.people.accounts import Person
from gateway.people.roles import Permission
from gateway.tables import RecordingLinkRow
from gateway.tickets import recusal
from gateway.tickets.naming import ticket_named
from recordings import asking, exports, grants, plays
from recordings.asking import Wanted
from recordings.errors import GrantEnded, GrantError, RecordingsError
from recordings.tables import KINDS, PURPOSES, GrantRow, RecordingRow, RequestRow
from recordings.tables_grants import ExportRow

GRANT_S_MAX = grants.LONGEST_S  # a grant is for a purpose at hand; longer is asked for again
PLAYS = 3  # what an authoriser is offered first


@dataclass(frozen=True, slots=True)
class RequestView:
    """A request with the recordings it names and what became of it; `left`: plays not yet begun,
    None where they are not counted."""

    request: RequestRow
    recordings: list[RecordingRow]
    grant: GrantRow | None
    left: int | None
    exported: dict[int, int]
    """Recording → its export under this yes."""

    @property
    def state(self) -> str:
        """pending, granted or refused."""
        if self.request.decided_at is None:
            return "pending"
        return "granted" if self.request.granted else "refused"

    def holds(self, now: int) -> bool:
        """Whether the yes can be used now; its plays are not looked at."""
        return self.grant is not None and grants.holds(self.grant, now)


def ask(
    session: Session,
    who: Person,
    recording_ids: Collection[int],
    wanted: Wanted,
    *,
    origin: str,
    now: int,
) -> RequestRow | Refused:
    """Ask (申请) for recordings, for one of the three purposes and by a ticket or their call.

    Returns `Refused`, to be raised after the commit, where the matter is about whoever asks, or one
    of the recordings was destroyed.

    Raises:
        Forbidden: the role does not ask.
        BadInput: no such recording, ticket or call, an unknown purpose, no reason, or a
            recipient that is no age key.
    """
    needed = Permission.RECORDING_EXPORT if wanted.kind == "export" else Permission.RECORDING_ASK
    if not who.may(needed):
        raise Forbidden
    wanted = replace(
        wanted,
        ticket_no=wanted.ticket_no.strip(),
        reason=wanted.reason.strip(),
        recipient=wanted.recipient.strip(),
    )
    chosen = sorted(known(session, recording_ids))
    if wrong := _asked_wrongly(session, wanted, set(recording_ids), chosen):
        raise BadInput(wrong)
    asked = {"recordings": chosen, "purpose": wanted.purpose, "kind": wanted.kind}
    try:
        recusal.check(who, recusal.of_recordings(session, chosen, wanted.ticket_no, wanted.call_id))
        tombs.check(session, chosen)
    except (Gone, Recused) as error:
        obj = f"recording:{chosen[0]}"
        return denied(session, who, "recordings:request:ask", obj, origin, now, error, detail=asked)
    request = asking.ask(session, who.login, chosen, wanted, now)
    note(session, who, "recordings:request:ask", f"request:{request.id}", origin, now, detail=asked)
    notices.tell(session, "requests", "asked", request.id)
    return request


def known(session: Session, recording_ids: Collection[int]) -> set[int]:
    """Those of `recording_ids` that there are."""
    wanted = select(RecordingRow.id).where(RecordingRow.id.in_(set(recording_ids)))
    return set(session.scalars(wanted))


def _asked_wrongly(
    session: Session, wanted: Wanted, named: Collection[int], chosen: Sequence[int]
) -> dict[str, str]:
    wrong: dict[str, str] = {}
    if not chosen or len(chosen) != len(named):
        wrong["recording"] = "没有这段录音，请重新选择。 No such recording; choose again."
    if wanted.purpose not in PURPOSES:
        wrong["purpose"] = f"用途须为其一： Choose one of: {', '.join(PURPOSES)}."
    if wanted.ticket_no and ticket_named(session, wanted.ticket_no) is None:
        wrong["ticket_no"] = "没有这个工单号或受理编号。 No ticket has this number."
    elif not wanted.ticket_no and wanted.call_id is None:
        wrong["ticket_no"] = "请填工单号，或按通话申请。 Give a ticket's number, or the call."
    if wanted.call_id is not None and not _all_of(session, wanted.call_id, chosen):
        wrong["call"] = "所选录音不都属于这次通话。 Not all of these are of that call."
    if not wanted.reason:
        wrong["reason"] = "请写明理由。 Say why it is needed."
    return wrong | _no_kind(wanted.kind, wanted.recipient)


def _all_of(session: Session, call_id: int, chosen: Sequence[int]) -> bool:
    of_call = select(RecordingLinkRow.recording_id).where(RecordingLinkRow.call_id == call_id)
    return set(chosen) <= set(session.scalars(of_call))


def _no_kind(kind: str, recipient: str) -> dict[str, str]:
    if kind not in KINDS:
        return {"kind": f"方式须为其一： Choose one of: {', '.join(KINDS)}."}
    if kind == "playback":
        refused = "只有导出才填收件公钥。 Only an export has a recipient."
        return {"recipient": refused} if recipient else {}
    try:
        exports.public_of(recipient)
    except RecordingsError as error:
        return {"recipient": str(error)}
    return {}


def call_of(session: Session, recording_ids: Collection[int]) -> int:
    """The call that these recordings are of; 0, which is no call's id, where they are of several
    or of none that is known."""
    found = session.scalars(
        select(RecordingLinkRow.call_id)
        .where(RecordingLinkRow.recording_id.in_(recording_ids))
        .distinct()
    ).all()
    return found[0] if len(found) == 1 else 0


def requests(session: Session, who: Person) -> list[RequestView]:
    """A supervisor's own requests, or for an authoriser everybody's, those undecided first."""
    rows: Sequence[RequestRow]
    if who.may(Permission.RECORDING_DECIDE):
        rows = asking.requests(session)
    elif who.may(Permission.RECORDING_ASK):
        rows = asking.requests(session, requester=who.login)
    else:
        raise Forbidden
    return [view_of(session, row) for row in rows]


def view_of(session: Session, row: RequestRow) -> RequestView:
    """A request with the recordings it names and what became of it."""
    ids = asking.recording_ids(session, row.id)
    recordings = session.scalars(
        select(RecordingRow).where(RecordingRow.id.in_(ids)).order_by(RecordingRow.recorded_at)
    )
    grant = grants.grant_of(session, row.id)
    left = plays.left(session, grant) if grant else None
    return RequestView(row, list(recordings), grant, left, _exported(session, grant))


def _exported(session: Session, grant: GrantRow | None) -> dict[int, int]:
    if grant is None or grant.kind != "export":
        return {}
    made = select(ExportRow.recording_id, ExportRow.id).where(ExportRow.grant_id == grant.id)
    return {recording_id: export_id for recording_id, export_id in session.execute(made)}  # noqa: C416 - rows unpack, dict() is untyped


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
    plays_max: int | None = PLAYS,
) -> GrantRow | Refused | None:
    """Grant (同意) for `lasts_s` seconds and `plays_max` plays, or refuse (不同意); always logged.

    Returns `Refused`, to be raised after the commit, where deciding is not this person's (it is
    their own request, the matter is about them, or it was decided already).

    Raises:
        Forbidden: the role does not decide.
        BadInput: a refusal without its reason, or a time or a number out of bounds.
    """
    if not who.may(Permission.RECORDING_DECIDE):
        raise Forbidden
    if wrong := _decided_wrongly(granted, note, lasts_s, plays_max):
        raise BadInput(wrong)
    try:
        recusal.check(who, _about(session, request_id))
        grant = grants.decide(session, request_id, authoriser=who.login, granted=granted,
                              note=note.strip(), now=now, lasts_s=lasts_s,
                              plays_max=plays_max)  # fmt: skip
    except (GrantError, Recused) as error:
        return denied(
            session, who, "recordings:request:decide", f"request:{request_id}", origin, now, error
        )
    _note_decided(session, who, request_id, grant, origin, now)
    return grant


def _decided_wrongly(
    granted: bool,
    said: str,
    lasts_s: int,
    plays_max: int | None,
) -> dict[str, str]:
    wrong: dict[str, str] = {}
    if not granted and not said.strip():
        wrong["note"] = "不同意须写明理由。 A refusal says why."
    if granted and not 60 <= lasts_s <= GRANT_S_MAX:
        wrong["lasts_s"] = "授权时长须在 1 分钟到 30 天之间。 From 1 minute to 30 days."
    if plays_max is not None and not 0 < plays_max <= grants.PLAYS_MOST:
        wrong["plays"] = f"次数须在 1 到 {grants.PLAYS_MOST} 之间。 From 1 to {grants.PLAYS_MOST}."
    return wrong


def _about(session: Session, request_id: int) -> frozenset[str]:
    request = session.get(RequestRow, request_id)
    if request is None:
        return frozenset()
    ids = asking.recording_ids(session, request_id)
    return recusal.of_recordings(session, ids, request.ticket_no, request.call_id)


def _note_decided(
    session: Session, who: Person, request_id: int, grant: GrantRow | None, origin: str, now: int
) -> None:
    asked = session.get_one(RequestRow, request_id)
    detail: dict[str, Any] = {"granted": asked.granted, "kind": asked.kind}
    if grant is not None and grant.plays_max is not None:
        detail["plays"] = grant.plays_max
    if asked.urgent:
        detail["afterwards"] = True
    note(session, who, "recordings:request:decide", f"request:{request_id}", origin, now,
         grant=grant.id if grant else None, detail=detail)  # fmt: skip
    for topic in ("requests", f"person:{asked.requester}"):
        notices.tell(session, topic, "decided", request_id)


def end(
    session: Session, who: Person, grant_id: int, *, origin: str, now: int
) -> GrantRow | Refused:
    """End a yes: one's own, or any for an authoriser whom the matter is not about.

    Raises:
        Forbidden: the role neither asks nor decides.
    """
    if not (who.may(Permission.RECORDING_ASK) or who.may(Permission.RECORDING_DECIDE)):
        raise Forbidden
    row = session.get(GrantRow, grant_id)
    try:
        if row is None or (row.person != who.login and not who.may(Permission.RECORDING_DECIDE)):
            raise Forbidden("没有这项授权。 There is no such grant of yours.")
        grant = grants.end(session, grant_id, by=who.login, now=now)
    except GrantEnded as error:
        over = Conflict(str(error))
        return denied(session, who, "recordings:grant:end", f"grant:{grant_id}", origin, now, over)
    except (GrantError, HotlineError) as error:
        return denied(session, who, "recordings:grant:end", f"grant:{grant_id}", origin, now, error)
    note(session, who, "recordings:grant:end", f"grant:{grant_id}", origin, now, grant=grant_id)
    for topic in ("requests", f"person:{grant.person}"):
        notices.tell(session, topic, "ended", grant.request_id)
    return grant
