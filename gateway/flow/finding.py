"""Finding recordings: by the caller's last digits, the agent, the ticket, the time.

Each is shown with its call, its ticket, and how far the person who looks is with it: asked for,
granted until when. To see that there is a recording is not to hear it: that is `playing`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from gateway.errors import BadInput, Forbidden
from gateway.numbers import natural
from gateway.people.accounts import Person
from gateway.people.roles import Permission
from gateway.tables import RecordingLinkRow, TicketRow
from gateway.tickets.views import PAGE, SOUGHT_MAX, Page, too_long
from recordings.tables import GrantRow, RecordingRow, RequestedRow, RequestRow
from telephony import links
from telephony.tables import CallRow


@dataclass(frozen=True, slots=True)
class RecordingView:
    """A recording as the search shows it: its call, its ticket, and how far this person is."""

    row: RecordingRow
    call: CallRow | None
    ticket_id: int | None
    acceptance_no: str | None
    request: RequestRow | None
    grant: GrantRow | None


def search(
    session: Session,
    who: Person,
    now: int,
    *,
    phone_tail: str = "",
    agent: str = "",
    ticket: str = "",
    since: int | None = None,
    until: int | None = None,
    page: int = 1,
) -> Page[RecordingView]:
    """The recordings that fit, newest first; `ticket` is an id or part of an acceptance number."""
    if not who.may(Permission.RECORDING_SEARCH):
        raise Forbidden
    sought = {"phone_tail": phone_tail, "agent": agent, "ticket": ticket}
    if wrong := {name: too_long() for name, text in sought.items() if len(text) > SOUGHT_MAX}:
        raise BadInput(wrong)
    wanted = _found(_conditions(phone_tail, agent, ticket, since, until))
    total = session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
    number = min(max(1, page), max(1, -(-total // PAGE)))
    found = session.execute(
        wanted.order_by(RecordingRow.recorded_at.desc(), RecordingRow.id.desc())
        .limit(PAGE)
        .offset((number - 1) * PAGE)
    ).all()
    standing = _standing(session, who, [row.id for row, _, _, _ in found], now)
    views = [
        RecordingView(row, call, link.ticket_id if link else None, acceptance_no,
                      *standing.get(row.id, (None, None)))
        for row, link, call, acceptance_no in found
    ]  # fmt: skip
    return Page(views, number, total, incomplete=bool(links.incomplete(session)))


def _standing(
    session: Session, who: Person, recording_ids: Collection[int], now: int
) -> dict[int, tuple[RequestRow | None, GrantRow | None]]:
    """For each recording: this person's newest request, and the newest grant that still holds."""
    rows = session.execute(
        select(RequestedRow.recording_id, RequestRow, GrantRow)
        .join(RequestRow, RequestRow.id == RequestedRow.request_id)
        .outerjoin(GrantRow, GrantRow.request_id == RequestRow.id)
        .where(RequestRow.requester == who.login, RequestedRow.recording_id.in_(recording_ids))
        .order_by(RequestRow.id)
    )
    standing: dict[int, tuple[RequestRow | None, GrantRow | None]] = {}
    for recording_id, request, grant in rows:
        holds = grant is not None and grant.expires_at > now
        before = standing.get(recording_id, (None, None))[1]
        standing[recording_id] = (request, grant if holds else before)
    return standing


_Found = Select[RecordingRow, RecordingLinkRow | None, CallRow | None, str | None]


def _found(conditions: Sequence[ColumnElement[bool]]) -> _Found:
    wanted: _Found = (
        select(RecordingRow, RecordingLinkRow, CallRow, TicketRow.acceptance_no)
        .outerjoin(RecordingLinkRow, RecordingLinkRow.recording_id == RecordingRow.id)
        .outerjoin(CallRow, CallRow.id == RecordingLinkRow.call_id)
        .outerjoin(TicketRow, TicketRow.id == RecordingLinkRow.ticket_id)
        .where(*conditions)
    )
    return wanted


def _conditions(
    phone_tail: str, agent: str, ticket: str, since: int | None, until: int | None
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if phone_tail:
        conditions.append(CallRow.caller_number.endswith(phone_tail, autoescape=True))
    if agent:
        conditions.append(
            or_(
                CallRow.last_agent == agent,
                CallRow.last_agent.endswith("/" + agent, autoescape=True),
            )
        )
    if ticket:
        by_number = TicketRow.acceptance_no.contains(ticket, autoescape=True)
        ticket_id = natural(ticket)
        by_id = by_number if ticket_id is None else TicketRow.id == ticket_id
        conditions.append(or_(by_number, by_id))
    if since is not None:
        conditions.append(RecordingRow.recorded_at >= since)
    if until is not None:
        conditions.append(RecordingRow.recorded_at < until)
    return conditions
