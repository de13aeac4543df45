"""Why a recording stays beyond its two years: what is open, in review, held or asked for.

Each reason is one query over one key's recordings; together they are read as one stream by
ascending recording, so that memory does not grow with the month. Which recordings a ticket has: of
the calls that are linked to it. A review may be asked for within fifteen days of the result
(DOMAIN.md, time limits); until then what was said may still matter.
"""

from collections.abc import Iterator

from sqlalchemy import Select, func, literal, null, or_, select, union_all
from sqlalchemy.orm import Session
from sqlalchemy.sql.expression import cast
from sqlalchemy.types import BigInteger

from gateway.tables import RecordingLinkRow, TicketCallRow, TicketRow
from gateway.tickets.lifecycle import OPEN_STATES
from recordings.plan import Extended, Extensions
from recordings.tables import GrantRow, RecordingRow, RequestedRow, RequestRow
from recordings.tables_retention import HoldRow
from telephony.tables import CallRow

REVIEW_US = 15 * 86_400_000_000
WHY: dict[str, tuple[str, str]] = {
    "ticket": ("工单未办结", "Its ticket is open"),
    "review": ("复核期内", "A review may be asked for"),
    "hold": ("已下保留令", "It is held"),
    "request": ("调听申请未决定", "A request is undecided"),
    "grant": ("调听授权未到期", "A grant has not ended"),
    "late": ("计划确认后才封存", "Sealed after the plan was agreed to"),
}
_AT_ONCE = 2000

_Found = Select[int, str, int | None]


def extensions(now: int) -> Extensions:
    """What keeps recordings longer as of `now`."""
    return Extensions(lambda session, key_id: _extended(session, key_id, now), call_end)


def call_end(session: Session, key_id: str) -> int | None:
    """When the latest of the calls of this key's recordings ended."""
    return session.scalar(
        select(func.max(CallRow.ended_at))
        .join(RecordingLinkRow, RecordingLinkRow.call_id == CallRow.id)
        .join(RecordingRow, RecordingRow.id == RecordingLinkRow.recording_id)
        .where(RecordingRow.key_id == key_id, RecordingRow.destroyed_at.is_(None))
    )


def of_ticket(session: Session, ticket_id: int) -> list[int]:
    """The recordings of a ticket's calls, by ascending id."""
    linked = select(RecordingLinkRow.recording_id).where(RecordingLinkRow.ticket_id == ticket_id)
    called = (
        select(RecordingLinkRow.recording_id)
        .join(TicketCallRow, TicketCallRow.call_id == RecordingLinkRow.call_id)
        .where(TicketCallRow.ticket_id == ticket_id)
    )
    return sorted({*session.scalars(linked), *session.scalars(called)})


def _extended(session: Session, key_id: str, now: int) -> Iterator[Extended]:
    reasons = (*_of_tickets(now), *_of_holds(now), *_of_requests(now))
    found = union_all(
        *(one.where(RecordingRow.key_id == key_id, RecordingRow.destroyed_at.is_(None))
          for one in reasons)
    ).subquery()  # fmt: skip
    rows = session.execute(select(found).order_by(found.c.id).execution_options(yield_per=_AT_ONCE))
    for recording_id, why, until_at in rows:
        yield Extended(recording_id, why, until_at)


def _of_tickets(now: int) -> list[_Found]:
    """By the ticket of the link, and by the call's, should the link not know of it yet."""
    over = TicketRow.closed_at + REVIEW_US
    found = []
    for why, until, open_ in (
        ("ticket", cast(null(), BigInteger), TicketRow.state.in_(OPEN_STATES)),
        ("review", over, TicketRow.state.not_in(OPEN_STATES) & (over > now)),
    ):
        linked = (
            select(RecordingRow.id, literal(why).label("why"), until.label("until_at"))
            .join(RecordingLinkRow, RecordingLinkRow.recording_id == RecordingRow.id)
            .outerjoin(TicketCallRow, TicketCallRow.call_id == RecordingLinkRow.call_id)
        )
        found += [
            linked.join(TicketRow, TicketRow.id == RecordingLinkRow.ticket_id).where(open_),
            linked.join(TicketRow, TicketRow.id == TicketCallRow.ticket_id).where(open_),
        ]
    return found


def _of_holds(now: int) -> list[_Found]:
    stands = HoldRow.lifted_at.is_(None) & or_(HoldRow.until_at.is_(None), HoldRow.until_at > now)
    held = select(RecordingRow.id, literal("hold").label("why"), HoldRow.until_at)
    linked = held.join(RecordingLinkRow, RecordingLinkRow.recording_id == RecordingRow.id)
    return [
        held.join(HoldRow, HoldRow.recording_id == RecordingRow.id).where(stands),
        linked.join(HoldRow, HoldRow.ticket_id == RecordingLinkRow.ticket_id).where(stands),
        linked.join(TicketCallRow, TicketCallRow.call_id == RecordingLinkRow.call_id)
        .join(HoldRow, HoldRow.ticket_id == TicketCallRow.ticket_id)
        .where(stands),
    ]


def _of_requests(now: int) -> list[_Found]:
    asked = (
        select(
            RecordingRow.id,
            literal("request").label("why"),
            cast(null(), BigInteger).label("until_at"),
        )
        .join(RequestedRow, RequestedRow.recording_id == RecordingRow.id)
        .join(RequestRow, RequestRow.id == RequestedRow.request_id)
        .where(RequestRow.decided_at.is_(None))
    )
    granted = (
        select(RecordingRow.id, literal("grant").label("why"), GrantRow.expires_at)
        .join(RequestedRow, RequestedRow.recording_id == RecordingRow.id)
        .join(GrantRow, GrantRow.request_id == RequestedRow.request_id)
        .where(GrantRow.expires_at > now)
    )
    return [asked, granted]
