"""Work orders as JSON: what a department answers, and one as it stands."""

from datetime import datetime
from typing import Any

from gateway.api.shapes import Model, when
from gateway.tables import DepartmentRow, WorkOrderRow
from gateway.tickets.assigned import OrderView


class OrderReply(Model):
    """The department's result."""

    result: str
    measures: str = ""


class OrderReturn(Model):
    """Why the work order is returned (退单)."""

    reason: str


class WorkOrderOut(Model):
    """A work order and where it stands."""

    number: str
    department: str
    lead: bool
    state: str
    question: str
    due_at: datetime | None
    offered_at: datetime | None
    signed_at: datetime | None
    replied_at: datetime | None
    result: str
    return_reason: str

    @classmethod
    def of(cls, row: WorkOrderRow) -> "WorkOrderOut":
        """Of a row."""
        plain = ("number", "department", "lead", "state", "question", "result", "return_reason")
        given: dict[str, Any] = {name: getattr(row, name) for name in plain}
        times = ("due_at", "offered_at", "signed_at", "replied_at")
        given |= {name: when(getattr(row, name)) for name in times}
        return cls(**given)


class DeskOrderOut(Model):
    """A work order as its department sees it; the caller is empty where confidential."""

    order: WorkOrderOut
    acceptance_no: str | None
    summary: str
    demand: str
    caller_name: str
    caller_phone: str

    @classmethod
    def of(cls, view: OrderView) -> "DeskOrderOut":
        """Of a view."""
        return cls(
            order=WorkOrderOut.of(view.order),
            acceptance_no=view.ticket.acceptance_no,
            summary=view.order.question,
            demand=view.ticket.demand,
            caller_name=view.caller_name,
            caller_phone=view.caller_phone,
        )


class DepartmentOut(Model):
    """A department that work orders can go to."""

    code: str
    name: str

    @classmethod
    def of(cls, row: DepartmentRow) -> "DepartmentOut":
        """Of a row."""
        return cls(code=row.code, name=row.name)
