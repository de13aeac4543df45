"""Dispatching (派单): a ticket's matter offered to departments, one work order each.

The work order and its message are written in one transaction (DESIGN §3, promises 2 and 3): what
carries it is the outbox's business. What departments then do with it is `orders`.
"""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.errors import BadInput, Forbidden
from gateway.flow import offering, outgoing
from gateway.people.accounts import Person
from gateway.people.roles import Permission
from gateway.tables import DepartmentRow, TicketRow, WorkOrderRow
from gateway.tickets import acts, lifecycle, numbering
from gateway.tickets.acts import TEXT_MAX
from gateway.tickets.lifecycle import TRANSITIONS, OrderState
from queueing.messages import WorkOrderOffered


def dispatch(
    session: Session,
    ticket_id: int,
    who: Person,
    departments: Sequence[str],
    question: str,
    now: int,
    *,
    public_url: str = "",
) -> list[WorkOrderRow]:
    """Dispatch (派单) an accepted or returned ticket; the first department is the lead (主办).

    `public_url`: where departments reach the gateway, for the ticket's files and forms; without
    it none are offered.

    Raises:
        Forbidden: the role does not dispatch.
        BadInput: no department, an unknown or repeated one, or nothing asked.
        IllegalStep: the ticket is not accepted, or already dispatched.
    """
    if not who.may(Permission.TICKET_DISPATCH):
        raise Forbidden
    ticket = acts.editable(session, ticket_id, who)
    question = question.strip() or ticket.summary
    _check_departments(session, ticket, departments, question)
    lifecycle.step(TRANSITIONS, ticket.state, "dispatch")  # refused before anything is numbered
    has_lead = _has_lead(session, ticket.id)
    orders = [
        _offer(session, ticket, code, not has_lead and place == 0, question, now, public_url)
        for place, code in enumerate(departments)
    ]
    acts.take(session, ticket, who.login, "dispatch", now, why=question, order=orders[0].number)
    return orders


def _check_departments(
    session: Session, ticket: TicketRow, departments: Sequence[str], question: str
) -> None:
    known = set(session.scalars(select(DepartmentRow.code).where(DepartmentRow.active)))
    busy = set(
        session.scalars(
            select(WorkOrderRow.department).where(
                WorkOrderRow.ticket_id == ticket.id, WorkOrderRow.state != OrderState.RETURNED
            )
        )
    )
    wrong: dict[str, str] = {}
    if not departments or len(set(departments)) != len(departments):
        wrong["departments"] = "请选择承办部门，且不要重复。 Choose departments, each once."
    elif unknown := [code for code in departments if code not in known]:
        wrong["departments"] = f"没有这个部门：{unknown[0]}。 No such department: {unknown[0]}."
    elif twice := [code for code in departments if code in busy]:
        wrong["departments"] = f"{twice[0]} 已有本单的派单。 {twice[0]} already has a work order."
    if len(question) > TEXT_MAX:
        wrong["question"] = f"最多 {TEXT_MAX} 个字。 At most {TEXT_MAX} characters."
    if not question:
        wrong["question"] = "请写明要承办部门答复什么。 Say what the department is to answer."
    if wrong:
        raise BadInput(wrong)


def _has_lead(session: Session, ticket_id: int) -> bool:
    """Whether a work order that still stands leads the ticket."""
    return (
        session.scalar(
            select(WorkOrderRow.id).where(
                WorkOrderRow.ticket_id == ticket_id,
                WorkOrderRow.lead,
                WorkOrderRow.state != OrderState.RETURNED,
            )
        )
        is not None
    )


def _offer(
    session: Session,
    ticket: TicketRow,
    department: str,
    lead: bool,
    question: str,
    now: int,
    public_url: str,
) -> WorkOrderRow:
    order = WorkOrderRow(
        number=numbering.work_order_number(session, now),
        ticket_id=ticket.id,
        department=department,
        lead=lead,
        question=question,
        due_at=ticket.due_at,
        offered_at=now,
    )
    session.add(order)
    session.flush()
    named = offering.offered(session, ticket, order, public_url, now)
    message = WorkOrderOffered(
        **outgoing.whole(ticket, order), attachments=named.attachments, forms=named.forms
    )
    outgoing.send(session, ticket, message, "offered", now)
    return order
