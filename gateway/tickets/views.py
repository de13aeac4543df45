"""What a person may read of tickets: every query starts from who asks.

An agent reads their own tickets, those nobody owns yet, those of callers they have spoken to and
those that wait for a follow-up; a supervisor and a leader read all. What may not be seen is not
found. Nothing here writes. What lies on a desk is `desks`, work orders are `assigned`.
"""

from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from gateway.errors import BadInput, Forbidden, NotFound
from gateway.people.accounts import Person
from gateway.people.roles import Permission
from gateway.tables import (
    PlacedCallRow,
    RecordingLinkRow,
    RecordingPauseRow,
    TicketCallRow,
    TicketRow,
    TicketStepRow,
    WorkOrderRow,
)
from gateway.tickets.paging import SOUGHT_MAX, Page, paged, too_long
from gateway.tickets.reach import within_reach
from recordings.tables import RecordingRow
from telephony import links
from telephony.tables import CallRow

HISTORY = 20


@dataclass(frozen=True, slots=True)
class TicketView:
    """A ticket with its story, oldest first, and everything that hangs on it."""

    row: TicketRow
    steps: list[TicketStepRow]
    calls: list[CallRow]
    orders: list[WorkOrderRow]
    recordings: list[RecordingRow]
    placed: list[PlacedCallRow]
    """Calls asked for from this ticket, oldest first."""
    pauses: list[RecordingPauseRow]
    """What its calls' recordings are silent of."""
    incomplete: bool
    """Whether calls of it may be missing: an interval since it was opened is not back-filled."""

    @property
    def unplaced(self) -> list[PlacedCallRow]:
        """Those asked for of which no call came (yet)."""
        return [row for row in self.placed if row.call_id is None]

    def silences(self, recording: RecordingRow) -> list[RecordingPauseRow]:
        """Where that recording is silent; what the PBX refused to silence is left out."""
        named = {call.id for call in self.calls if call.linkedid == recording.name}
        return [row for row in self.pauses if row.call_id in named and row.ended_by != "failed"]


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier matter of whoever calls. `row` is None where it is not this person's to read:
    then only what kind of matter it was, where it stands and since when is told."""

    kind: str
    state: str
    opened_at: int
    row: TicketRow | None


def readable(who: Person) -> ColumnElement[bool]:
    """The tickets that `who` may read.

    Raises:
        Forbidden: the role reads no tickets.
    """
    if who.may(Permission.TICKET_READ_ALL):
        return TicketRow.id.is_not(None)
    if who.may(Permission.TICKET_READ_OWN):
        return within_reach(who)
    raise Forbidden


def ticket(session: Session, who: Person, ticket_id: int) -> TicketView:
    """The ticket with everything that hangs on it.

    Raises:
        NotFound: there is none, or not for this person's eyes.
        Forbidden: the role reads no tickets.
    """
    row = session.scalar(select(TicketRow).where(TicketRow.id == ticket_id, readable(who)))
    if row is None:
        raise NotFound
    return view(session, row)


def view(session: Session, row: TicketRow) -> TicketView:
    """The ticket with everything that hangs on it; whether it may be read was asked before."""
    steps = session.scalars(
        select(TicketStepRow).where(TicketStepRow.ticket_id == row.id).order_by(TicketStepRow.id)
    )
    calls = session.scalars(
        select(CallRow)
        .join(TicketCallRow, TicketCallRow.call_id == CallRow.id)
        .where(TicketCallRow.ticket_id == row.id)
        .order_by(CallRow.arrived_at, CallRow.id)
    )
    orders = session.scalars(
        select(WorkOrderRow).where(WorkOrderRow.ticket_id == row.id).order_by(WorkOrderRow.id)
    )
    recordings = session.scalars(
        select(RecordingRow)
        .join(RecordingLinkRow, RecordingLinkRow.recording_id == RecordingRow.id)
        .where(RecordingLinkRow.ticket_id == row.id)
        .order_by(RecordingRow.recorded_at, RecordingRow.id)
    )
    placed = session.scalars(
        select(PlacedCallRow).where(PlacedCallRow.ticket_id == row.id).order_by(PlacedCallRow.id)
    )
    pauses = session.scalars(
        select(RecordingPauseRow)
        .join(TicketCallRow, TicketCallRow.call_id == RecordingPauseRow.call_id)
        .where(TicketCallRow.ticket_id == row.id)
        .order_by(RecordingPauseRow.id)
    )
    return TicketView(
        row,
        list(steps),
        list(calls),
        list(orders),
        list(recordings),
        list(placed),
        list(pauses),
        bool(links.incomplete(session, since_at=row.opened_at)),
    )


def history(session: Session, who: Person, view: TicketView) -> list[Earlier]:
    """The other tickets of whoever called for this one, newest first, 20 at most.

    Who called is what the PBX says: a number typed into the form opens nobody's earlier matters.
    Confidential ones (保密) are left out unless `who` may read them anyway. A number without a
    digit (`anonymous`) is many people's.
    """
    numbers = {call.caller_number for call in view.calls}
    numbers = {number for number in numbers if any(sign.isdigit() for sign in number)}
    if not numbers:
        return []
    called = (
        select(TicketCallRow.ticket_id)
        .join(CallRow, CallRow.id == TicketCallRow.call_id)
        .where(CallRow.caller_number.in_(numbers))
    )
    theirs = readable(who)
    found = session.execute(
        select(TicketRow, theirs)
        .where(TicketRow.id.in_(called), TicketRow.id != view.row.id)
        .where(or_(theirs, TicketRow.confidential.is_(False)))
        .order_by(TicketRow.opened_at.desc(), TicketRow.id.desc())
        .limit(HISTORY)
    )
    return [
        Earlier(row.kind, row.state, row.opened_at, row if may_read else None)
        for row, may_read in found
    ]


def search(
    session: Session, who: Person, *, text: str = "", state: str = "", page: int = 1
) -> Page[TicketRow]:
    """The tickets `who` may read whose number, caller or summary contain `text`, newest first."""
    if len(text) > SOUGHT_MAX:
        raise BadInput({"text": too_long()})
    wanted = select(TicketRow).where(readable(who))
    if state:
        wanted = wanted.where(TicketRow.state == state)
    if text:
        like = "%" + text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"
        columns = (
            TicketRow.acceptance_no,
            TicketRow.caller_name,
            TicketRow.caller_phone,
            TicketRow.summary,
        )
        wanted = wanted.where(or_(*(column.like(like, escape="\\") for column in columns)))
    found = paged(session, wanted, page, TicketRow.opened_at.desc(), TicketRow.id.desc())
    return replace(found, incomplete=bool(links.incomplete(session)))
