"""Work order ↔ ticket: what departments do with what they were offered.

A department acts at its desk page (`act`) or by its own system (`answering`); both ways come to
`carry_out`, which takes the work order's step, then the ticket's.
Always holds: a work order is locked before its ticket, and both before either is looked at.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import notices
from gateway.errors import BadInput, Forbidden, NotFound
from gateway.people.accounts import Person
from gateway.people.roles import Permission
from gateway.tables import TicketRow, WorkOrderRow
from gateway.tickets import acts, lifecycle, recusal
from gateway.tickets.acts import TEXT_MAX
from gateway.tickets.lifecycle import ORDER_TRANSITIONS, OrderState, TicketState


@dataclass(frozen=True, slots=True)
class Deed:
    """What a department does with a work order: the step and what goes with it.

    `result` is what was found, or how it goes, or a remark; `until` the day an extension asks for.
    """

    action: str
    by: str
    reason: str = ""
    result: str = ""
    measures: str = ""
    until: str = ""

    @property
    def why(self) -> str:
        """What the ticket's story says of it."""
        asked = f"申请延至 Until {self.until}：" if self.until else ""
        return asked + (self.reason or self.result)


@dataclass(frozen=True, slots=True)
class Matter:
    """A work order with its ticket, both locked, and those of the ticket that stand open."""

    order: WorkOrderRow
    ticket: TicketRow
    open: Sequence[WorkOrderRow]

    @property
    def all_replied(self) -> bool:
        """Whether every work order that was not returned has its reply.

        A ticket that waits to be dispatched again (returned) is not replied, whoever has replied.
        """
        return not any(one.state in _OPEN for one in self.open)


_OPEN = (OrderState.OFFERED, OrderState.SIGNED)


def held(session: Session, numbers: Collection[str]) -> dict[str, Matter]:
    """The work orders of these numbers that there are, locked for this transaction.

    In the order of their keys: two that hold several do not wait for each other.
    """
    wanted = select(WorkOrderRow).where(WorkOrderRow.number.in_(numbers))
    orders = session.scalars(wanted.order_by(WorkOrderRow.id).with_for_update()).all()
    ids = {order.ticket_id for order in orders}
    about = select(TicketRow).where(TicketRow.id.in_(ids)).order_by(TicketRow.id)
    tickets = {ticket.id: ticket for ticket in session.scalars(about.with_for_update())}
    # Read when the tickets are locked: whoever moves a work order holds its ticket, too.
    beside: dict[int, list[WorkOrderRow]] = defaultdict(list)
    open_ones = select(WorkOrderRow).where(
        WorkOrderRow.ticket_id.in_(ids), WorkOrderRow.state.in_(_OPEN)
    )
    for one in session.scalars(open_ones):
        beside[one.ticket_id].append(one)
    return {
        order.number: Matter(order, tickets[order.ticket_id], beside[order.ticket_id])
        for order in orders
    }


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
        Recused: the complaint is about them.
        BadInput: a reply without a result, a return without a reason.
        IllegalStep: the work order does not stand so that this could be done.
    """
    if not who.may(Permission.ORDER_ACT):
        raise Forbidden
    matter = held(session, [number]).get(number)
    if matter is None or matter.order.department != who.department:
        raise NotFound
    recusal.check_handling(session, who, matter.ticket.id)
    deed = Deed(action, who.login, reason.strip(), result.strip(), measures.strip())
    carry_out(session, matter, deed, now)
    return matter.order


def carry_out(session: Session, matter: Matter, deed: Deed, now: int) -> None:
    """Take the work order's step and its ticket's, and write them into the story.

    Raises:
        BadInput: what has to be said with it is missing, or too long.
        IllegalStep: the work order does not stand so that this could be done.
    """
    order, ticket = matter.order, matter.ticket
    if deed.action == "reply" and not deed.result:
        raise BadInput({"result": "请填写办理结果。 Write down the result."})
    if deed.action == "return" and not deed.reason:
        raise BadInput({"reason": "请填写退单原因。 Write down why it is returned."})
    too_long = [text for text in (deed.reason, deed.result, deed.measures) if len(text) > TEXT_MAX]
    if too_long:
        raise BadInput({"result": f"最多 {TEXT_MAX} 个字。 At most {TEXT_MAX} characters."})
    order.state = lifecycle.step(ORDER_TRANSITIONS, order.state, deed.action)
    _write(order, deed, now)
    step = acts.take if _moves(matter, deed) else acts.story
    step(session, ticket, deed.by, deed.action, now, why=deed.why, order=order.number)
    notices.tell(session, f"department:{order.department}", deed.action, order.number)


def _write(order: WorkOrderRow, deed: Deed, now: int) -> None:
    match deed.action:
        case "sign":
            order.signed_at, order.signed_by = now, deed.by
        case "return":
            order.returned_at, order.returned_by, order.return_reason = now, deed.by, deed.reason
        case "reply":
            order.replied_at, order.replied_by = now, deed.by
            order.result, order.measures = deed.result, deed.measures


def _moves(matter: Matter, deed: Deed) -> bool:
    """Whether the ticket takes a step with its order; of the rest its story tells, and its owner
    hears."""
    if deed.action == "reply":
        return matter.ticket.state == TicketState.SIGNED and matter.all_replied
    return deed.action in ("sign", "return")
