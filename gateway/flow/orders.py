"""Ticket ↔ work order ↔ department: dispatching, and what departments answer.

Dispatching writes the work order and its message in one transaction (DESIGN §3, promises 2 and 3).
A department acts at its desk page or by its own system; both ways come to `_act`, which takes the
work order's step, then the ticket's. A reply that makes no sense raises `queueing.errors.Rejected`
towards the inbox, which parks it with that reason; towards a page it is an ordinary error.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import notices
from gateway.errors import BadInput, Conflict, Forbidden, HotlineError, NotFound
from gateway.people.accounts import Person
from gateway.people.roles import Permission
from gateway.tables import DepartmentRow, TicketRow, WorkOrderRow
from gateway.tickets import acts, clocks, lifecycle, numbering
from gateway.tickets.acts import TEXT_MAX
from gateway.tickets.lifecycle import ORDER_TRANSITIONS, TRANSITIONS, OrderState, TicketState
from queueing import outbox
from queueing.errors import Rejected
from queueing.messages import (
    Caller,
    DepartmentReply,
    Replied,
    Returned,
    Signed,
    WorkOrderOffered,
)


@dataclass(frozen=True, slots=True)
class Deed:
    """What a department does with a work order: the step and what goes with it."""

    action: str
    by: str
    reason: str = ""
    result: str = ""
    measures: str = ""


def dispatch(
    session: Session,
    ticket_id: int,
    who: Person,
    departments: Sequence[str],
    question: str,
    now: int,
) -> list[WorkOrderRow]:
    """Dispatch (派单) an accepted or returned ticket; the first department is the lead (主办).

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
        _offer(session, ticket, code, not has_lead and place == 0, question, now)
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
    session: Session, ticket: TicketRow, department: str, lead: bool, question: str, now: int
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
    outbox.put(
        session,
        offered(ticket, order),
        department=department,
        ordering_key=f"ticket:{ticket.id}",
        dedupe_key=f"{order.number}/v{order.version}",
        now=now,
    )
    notices.tell(session, f"department:{department}", "offered", order.number)
    return order


def offered(ticket: TicketRow, order: WorkOrderRow) -> WorkOrderOffered:
    """The message that offers `order`: the caller is left out where confidential (保密)."""
    return WorkOrderOffered(
        work_order=order.number,
        version=order.version,
        department=order.department,
        acceptance_no=ticket.acceptance_no or "",
        lead=order.lead,
        kind=ticket.kind,
        complaint_class=ticket.complaint_class or None,
        level=ticket.level,
        summary=order.question,
        demand=ticket.demand,
        due_at=clocks.china(order.due_at) if order.due_at else None,
        confidential=ticket.confidential,
        caller=None
        if ticket.confidential
        else Caller(name=ticket.caller_name, phone=ticket.caller_phone),
    )


def act(
    session: Session,
    number: str,
    who: Person,
    action: str,
    now: int,
    *,
    result: str = "",
    measures: str = "",
    reason: str = "",
) -> WorkOrderRow:
    """What an officer does at the department's desk: `sign`, `reply` or `return`.

    Raises:
        Forbidden: the role does not act on work orders.
        NotFound: there is none, or it is another department's.
        BadInput: a reply without a result, a return without a reason.
        IllegalStep: the work order does not stand so that this could be done.
    """
    if not who.may(Permission.ORDER_ACT):
        raise Forbidden
    order = _locked(session, number)
    if order is None or order.department != who.department:
        raise NotFound
    deed = Deed(action, who.login, reason.strip(), result.strip(), measures.strip())
    return _act(session, order, deed, now)


def reply(session: Session, message: DepartmentReply, department: str, now: int) -> None:
    """What a department's own system answered: the same acts, by the inbox.

    Raises:
        Rejected: unknown work order, another department's, or a step that is not allowed; the
            message is parked with this reason.
    """
    order = _locked(session, message.work_order)
    if order is None or order.department != department:
        raise Rejected(f"没有这张派单：{message.work_order}。 No such work order for {department}.")
    try:
        _act(session, order, _deed(message), now)
    except HotlineError as error:
        raise Rejected(str(error)) from error


def _deed(message: DepartmentReply) -> Deed:
    match message:
        case Signed():
            return Deed("sign", message.by)
        case Returned():
            return Deed("return", message.by, reason=message.reason)
        case Replied():
            return Deed("reply", message.by, result=message.result, measures=message.measures)


def _locked(session: Session, number: str) -> WorkOrderRow | None:
    return session.scalar(
        select(WorkOrderRow).where(WorkOrderRow.number == number).with_for_update()
    )


def _act(session: Session, order: WorkOrderRow, deed: Deed, now: int) -> WorkOrderRow:
    if deed.action == "reply" and not deed.result:
        raise BadInput({"result": "请填写办理结果。 Write down the result."})
    if deed.action == "return" and not deed.reason:
        raise BadInput({"reason": "请填写退单原因。 Write down why it is returned."})
    ticket = session.scalar(
        select(TicketRow).where(TicketRow.id == order.ticket_id).with_for_update()
    )
    if ticket is None:
        raise Conflict("派单的工单不存在。 The work order's ticket is missing.")
    too_long = [text for text in (deed.reason, deed.result, deed.measures) if len(text) > TEXT_MAX]
    if too_long:
        raise BadInput({"result": f"最多 {TEXT_MAX} 个字。 At most {TEXT_MAX} characters."})
    order.state = lifecycle.step(ORDER_TRANSITIONS, order.state, deed.action)
    _write(order, deed, now)
    session.flush()
    why = deed.reason or deed.result
    if deed.action != "reply":
        acts.take(session, ticket, deed.by, deed.action, now, why=why, order=order.number)
    elif ticket.state == TicketState.SIGNED and _all_replied(session, ticket.id):
        acts.take(session, ticket, deed.by, "reply", now, why=why, order=order.number)
    else:
        acts.story(session, ticket, deed.by, "reply", now, why=why, order=order.number)
    notices.tell(session, f"department:{order.department}", deed.action, order.number)
    return order


def _write(order: WorkOrderRow, deed: Deed, now: int) -> None:
    match deed.action:
        case "sign":
            order.signed_at, order.signed_by = now, deed.by
        case "return":
            order.returned_at, order.returned_by, order.return_reason = now, deed.by, deed.reason
        case _:
            order.replied_at, order.replied_by = now, deed.by
            order.result, order.measures = deed.result, deed.measures


def _all_replied(session: Session, ticket_id: int) -> bool:
    """Whether every work order that was not returned has its reply.

    A ticket that waits to be dispatched again (returned) is not replied, whoever has replied.
    """
    open_states = (OrderState.OFFERED, OrderState.SIGNED)
    left = session.scalar(
        select(WorkOrderRow.id)
        .where(WorkOrderRow.ticket_id == ticket_id, WorkOrderRow.state.in_(open_states))
        .limit(1)
    )
    return left is None
