"""What a person may read of tickets and work orders: every query starts from who asks.

An agent reads their own tickets, those nobody owns yet, those of callers they have spoken to and
those that wait for a follow-up; a
supervisor and a leader read all; an
officer reads their own department's work orders, and the caller only where the caller did not ask
for confidentiality (保密). What may not be seen is not found. Nothing here writes.
"""

from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from gateway.errors import BadInput, Forbidden, NotFound
from gateway.people.accounts import Person
from gateway.people.roles import Permission
from gateway.tables import (
    AgentPauseRow,
    DepartmentRow,
    PlacedCallRow,
    RecordingLinkRow,
    RecordingPauseRow,
    TicketCallRow,
    TicketRow,
    TicketStepRow,
    WorkOrderRow,
)
from gateway.tickets import followup
from gateway.tickets.lifecycle import OPEN_STATES, OrderState
from gateway.tickets.reach import within_reach
from recordings.tables import RecordingRow
from telephony import links
from telephony.tables import CallLegRow, CallRow

T = TypeVar("T")

PAGE = 30
HISTORY = 20
ORDERS = 200
SOUGHT_MAX = 200  # characters; SQLite takes no pattern beyond 50 000 bytes
FINISHED_ORDERS = (OrderState.REPLIED, OrderState.RETURNED)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list: `number` counts from 1."""

    items: list[T]
    number: int
    total: int
    size: int = PAGE
    incomplete: bool = False
    """Whether calls may be missing from it: an interval without the PBX is not back-filled."""

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // self.size))


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
class Ringing:
    """A call at somebody's phone and the ticket that stands for it."""

    call: CallRow
    ticket: TicketRow


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier matter of whoever calls. `row` is None where it is not this person's to read:
    then only what kind of matter it was, where it stands and since when is told."""

    kind: str
    state: str
    opened_at: int
    row: TicketRow | None


@dataclass(frozen=True, slots=True)
class Desk:
    """An agent's desk: the call being talked or last answered, the one ringing or being placed,
    and the lists; the silence the present recording is in, and the pause the phone is in."""

    current: TicketView | None
    ringing: Ringing | None
    placing: Ringing | None
    silence: RecordingPauseRow | None
    pause: AgentPauseRow | None
    mine_open: list[TicketRow]
    call_backs_due: list[TicketRow]
    follow_ups_due: list[TicketRow]
    incomplete: bool
    """Whether callers may be missing: an interval without the PBX is not back-filled."""


@dataclass(frozen=True, slots=True)
class OrderView:
    """A work order as its department sees it; `caller_*` are empty where confidential."""

    order: WorkOrderRow
    ticket: TicketRow
    department: DepartmentRow
    caller_name: str
    caller_phone: str


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
    return _view(session, row)


def _view(session: Session, row: TicketRow) -> TicketView:
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


def desk(session: Session, who: Person) -> Desk:
    """What lies on the agent's desk now.

    The current ticket is that of the call the agent talks on; between calls, that of the call they
    answered last, as long as it is still a draft: what was not finished is not put away.
    """
    if not who.may(Permission.DESK_USE):
        raise Forbidden
    found = _current(session, who)
    current = _view(session, found) if found else None
    silent = [row for row in current.pauses if row.ended_at is None] if current else []
    return Desk(
        current=current,
        ringing=_ringing(session, who, "offered", "transferring"),
        placing=_ringing(session, who, "summoning", "dialling"),
        silence=silent[0] if silent else None,
        pause=session.scalar(
            select(AgentPauseRow)
            .where(AgentPauseRow.login == who.login, AgentPauseRow.ended_at.is_(None))
            .limit(1)
        ),
        mine_open=list(
            session.scalars(
                select(TicketRow)
                .where(TicketRow.owner == who.login, TicketRow.state.in_(OPEN_STATES))
                .order_by(TicketRow.opened_at.desc(), TicketRow.id.desc())
                .limit(PAGE)
            )
        ),
        call_backs_due=list(
            session.scalars(
                select(TicketRow)
                .where(TicketRow.call_back == "due", readable(who))
                .order_by(TicketRow.opened_at)
                .limit(PAGE)
            )
        ),
        follow_ups_due=followup.due(session, who),
        incomplete=bool(links.incomplete(session)),
    )


def _newest_call() -> Select[CallRow, TicketRow]:
    return (
        select(CallRow, TicketRow)
        .join(TicketCallRow, TicketCallRow.call_id == CallRow.id)
        .join(TicketRow, TicketRow.id == TicketCallRow.ticket_id)
        .order_by(CallRow.arrived_at.desc(), CallRow.id.desc())
        .limit(1)
    )


def _current(session: Session, who: Person) -> TicketRow | None:
    mine = and_(CallRow.pbx == who.pbx, CallRow.last_agent == (who.extension or "-"))
    for condition in (
        CallRow.state.in_(("talking", "held")),
        and_(CallRow.state == "ended", TicketRow.state == "draft", TicketRow.owner == who.login),
    ):
        found = session.execute(_newest_call().where(mine, condition)).one_or_none()
        if found is not None:
            return found[1]
    return None


def _ringing(session: Session, who: Person, *states: str) -> Ringing | None:
    """The call in one of these states that is at this person's phone. One that they place is at it
    already while the other side rings."""
    found = session.execute(
        _newest_call()
        .join(CallLegRow, CallLegRow.call_id == CallRow.id)
        .where(
            CallRow.state.in_(states),
            CallLegRow.result.is_(None) | (CallRow.state == "dialling"),
            CallRow.pbx == who.pbx,
            CallLegRow.interface == (who.extension or "-"),
            CallLegRow.ended_at.is_(None),
        )
    ).one_or_none()
    return Ringing(*found) if found is not None else None


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


def paged(session: Session, wanted: Select[T], page: int, *order: ColumnElement[Any]) -> Page[T]:
    """One page of `wanted` in `order`; a page beyond the end is the last one."""
    total = session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
    number = min(max(1, page), max(1, -(-total // PAGE)))
    rows = session.scalars(wanted.order_by(*order).limit(PAGE).offset((number - 1) * PAGE))
    return Page(list(rows), number, total)


def _orders(who: Person) -> Select[WorkOrderRow, TicketRow, DepartmentRow]:
    if not who.may(Permission.ORDER_READ_OWN) or who.department is None:
        raise Forbidden
    return (
        select(WorkOrderRow, TicketRow, DepartmentRow)
        .join(TicketRow, TicketRow.id == WorkOrderRow.ticket_id)
        .join(DepartmentRow, DepartmentRow.code == WorkOrderRow.department)
        .where(WorkOrderRow.department == who.department)
    )


def orders(session: Session, who: Person, state: str = "") -> list[OrderView]:
    """The work orders of the officer's department in `state` (all when empty), 200 at most.

    What is still to be done comes in the order it is due, what is finished newest first.
    """
    wanted = _orders(who)
    if state:
        wanted = wanted.where(WorkOrderRow.state == state)
    if state in FINISHED_ORDERS:
        order_by: tuple[ColumnElement[Any], ...] = (WorkOrderRow.id.desc(),)
    else:
        order_by = (func.coalesce(WorkOrderRow.due_at, 2**62), WorkOrderRow.id.asc())
    rows = session.execute(wanted.order_by(*order_by).limit(ORDERS))
    return [_order_view(*row) for row in rows]


def order_counts(session: Session, who: Person) -> dict[str, int]:
    """How many work orders of the officer's department there are in each state."""
    counted = _orders(who).with_only_columns(WorkOrderRow.state, func.count())
    rows = session.execute(counted.group_by(WorkOrderRow.state))
    return {state: count for state, count in rows}  # noqa: C416 - rows unpack, dict() is untyped


def too_long() -> str:
    """What is said of a text that nobody looks for."""
    return f"查找内容最多 {SOUGHT_MAX} 个字。 At most {SOUGHT_MAX} characters."


def order(session: Session, who: Person, number: str) -> OrderView:
    """One work order of the officer's own department.

    Raises:
        NotFound: there is none, or it is another department's.
    """
    row = session.execute(_orders(who).where(WorkOrderRow.number == number)).one_or_none()
    if row is None:
        raise NotFound
    return _order_view(*row)


def _order_view(order: WorkOrderRow, row: TicketRow, department: DepartmentRow) -> OrderView:
    shown = not row.confidential
    return OrderView(
        order,
        row,
        department,
        row.caller_name if shown else "",
        row.caller_phone if shown else "",
    )


def departments(session: Session) -> list[DepartmentRow]:
    """The departments that work orders can go to."""
    return list(
        session.scalars(
            select(DepartmentRow).where(DepartmentRow.active).order_by(DepartmentRow.code)
        )
    )
