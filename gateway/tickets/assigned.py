"""Work orders as the department that has them sees them. Nothing here writes.

What always holds: an officer reads their own department's work orders alone, and of the caller only
what was not asked to be kept confidential (保密). What may not be seen is not found.
"""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from gateway.errors import Forbidden, NotFound
from gateway.people.accounts import Person
from gateway.people.roles import Permission
from gateway.tables import (
    DepartmentRow,
    TicketRow,
    TicketStepRow,
    WorkOrderRow,
)
from gateway.tickets.lifecycle import PUSHES, OrderState

ORDERS = 200
SAID = frozenset(
    {action for _, action in PUSHES if action != "withdraw"} | {"ask-extension", "progress"}
)
FINISHED_ORDERS = (OrderState.REPLIED, OrderState.RETURNED)


@dataclass(frozen=True, slots=True)
class OrderView:
    """A work order as its department sees it; `caller_*` are empty where confidential."""

    order: WorkOrderRow
    ticket: TicketRow
    department: DepartmentRow
    caller_name: str
    caller_phone: str
    pushes: tuple[TicketStepRow, ...] = ()
    """What was said of it meanwhile, oldest first; of one in front alone: how the hotline pushed
    it, what the department told, and what other departments of the ticket remarked."""


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


def order(session: Session, who: Person, number: str) -> OrderView:
    """One work order of the officer's own department.

    Raises:
        NotFound: there is none, or it is another department's.
    """
    row = session.execute(_orders(who).where(WorkOrderRow.number == number)).one_or_none()
    if row is None:
        raise NotFound
    view = _order_view(*row)
    pushes = session.scalars(
        select(TicketStepRow)
        .where(
            TicketStepRow.ticket_id == view.ticket.id,
            or_(
                and_(TicketStepRow.work_order == number, TicketStepRow.action.in_(SAID)),
                TicketStepRow.action == "remark",
            ),
        )
        .order_by(TicketStepRow.id)
    )
    return replace(view, pushes=tuple(pushes))


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
