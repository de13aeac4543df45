"""Finding recordings: by time and length, the caller's last digits, agent, queue, ticket.

Each is shown with its call, its ticket, and how far the person who looks is with it: asked for,
granted until when. To see that there is a recording is not to hear it: that is `playing`. Looking
for one in particular is a line in the log all the same: by what was looked, and how many there
were; never the digits.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from gateway.errors import BadInput, Forbidden
from gateway.flow import log
from gateway.numbers import natural
from gateway.people.accounts import Person
from gateway.people.roles import Permission
from gateway.tables import AccountRow, RecordingLinkRow, TicketRow
from gateway.tickets.paging import PAGE, SOUGHT_MAX, Page, too_long
from recordings import grants
from recordings.tables import GrantRow, RecordingRow, RequestedRow, RequestRow
from telephony import links
from telephony.tables import CallLegRow, CallRow

TEXTS = ("phone_tail", "agent", "ticket", "acceptance", "queue")


@dataclass(frozen=True, slots=True)
class RecordingView:
    """A recording as the search shows it: its call, its ticket, and how far this person is."""

    row: RecordingRow
    call: CallRow | None
    ticket_id: int | None
    acceptance_no: str | None
    request: RequestRow | None
    grant: GrantRow | None


@dataclass(frozen=True, slots=True)
class Sought:
    """What is looked for; what is left out narrows nothing.

    `agent` is a phone, a login or a name, of anybody who talked in the call; `ticket` an id or a
    part of an acceptance number. Times are µs since the Unix epoch, [since, until); lengths in ms,
    both included.
    """

    phone_tail: str = ""
    agent: str = ""
    ticket: str = ""
    acceptance: str = ""
    queue: str = ""
    since: int | None = None
    until: int | None = None
    lasts_from_ms: int | None = None
    lasts_to_ms: int | None = None

    def given(self) -> list[str]:
        """The names of what narrows the search."""
        return [one.name for one in fields(self) if getattr(self, one.name) not in ("", None)]


def search(
    session: Session, who: Person, now: int, sought: Sought, page: int = 1
) -> Page[RecordingView]:
    """The recordings that fit, newest first.

    Raises:
        Forbidden: the role does not look for recordings.
        BadInput: what is looked for is too long.
    """
    if not who.may(Permission.RECORDING_SEARCH):
        raise Forbidden
    texts = {name: getattr(sought, name) for name in TEXTS}
    if wrong := {name: too_long() for name, text in texts.items() if len(text) > SOUGHT_MAX}:
        raise BadInput(wrong)
    wanted = _found(_conditions(session, sought))
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


def searched(
    session: Session, who: Person, sought: Sought, found: int, *, origin: str, now: int
) -> None:
    """Write into the log by what was looked, and how many were found; the plain list is no act."""
    if by := sought.given():
        log.note(session, "recordings:recording:search", actor=who.login, origin=origin,
                 obj="recordings", outcome="ok", now=now,
                 detail={"by": by, "found": found})  # fmt: skip


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
        holds = grant is not None and grants.holds(grant, now)
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


def _conditions(session: Session, sought: Sought) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if sought.phone_tail:
        conditions.append(CallRow.caller_number.endswith(sought.phone_tail, autoescape=True))
    if sought.agent:
        conditions.append(_talked(session, sought.agent))
    if sought.queue:
        conditions.append(CallRow.queue == sought.queue)
    if sought.acceptance:
        conditions.append(TicketRow.acceptance_no.contains(sought.acceptance, autoescape=True))
    if sought.ticket:
        by_number = TicketRow.acceptance_no.contains(sought.ticket, autoescape=True)
        ticket_id = natural(sought.ticket.removeprefix("#"))
        by_id = by_number if ticket_id is None else TicketRow.id == ticket_id
        conditions.append(or_(by_number, by_id))
    return conditions + _bounds(sought)


def _bounds(sought: Sought) -> list[ColumnElement[bool]]:
    recorded, length = RecordingRow.recorded_at, RecordingRow.duration_ms
    bounds = (
        (sought.since, recorded.__ge__),
        (sought.until, recorded.__lt__),
        (sought.lasts_from_ms, length.__ge__),
        (sought.lasts_to_ms, length.__le__),
    )
    return [holds(bound) for bound, holds in bounds if bound is not None]


def _talked(session: Session, agent: str) -> ColumnElement[bool]:
    """Whoever is meant talked in the call, as the first, the last or between."""
    theirs = session.scalars(
        select(AccountRow.extension).where(
            or_(AccountRow.login == agent, AccountRow.name == agent),
            AccountRow.extension.is_not(None),
        )
    ).all()

    def meant(column: InstrumentedAttribute[str] | InstrumentedAttribute[str | None]) -> Any:  # noqa: ANN401 - a condition of either column
        tail = column.endswith("/" + agent, autoescape=True)
        return or_(column == agent, tail, column.in_(theirs))

    leg = select(CallLegRow.id).where(
        CallLegRow.call_id == CallRow.id,
        CallLegRow.result == "answered",
        meant(CallLegRow.interface),
    )
    return or_(meant(CallRow.last_agent), leg.exists())
