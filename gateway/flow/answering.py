"""What departments' own systems answer: replies of the inbox, applied to work orders and tickets.

A reply that makes no sense raises `queueing.errors.Rejected` towards the inbox, which parks it with
that reason. Always holds: replies are applied in their order, and all that they are about is read
and locked at once, however many they are.
"""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from gateway import notices
from gateway.errors import BadInput, HotlineError
from gateway.flow import holding, orders
from gateway.flow.holding import Matter
from gateway.flow.orders import Deed
from gateway.tables import WorkOrderRow
from gateway.tickets import acts, clocks, lifecycle, recusal
from gateway.tickets.acts import TEXT_MAX
from gateway.tickets.lifecycle import ORDER_TRANSITIONS, OrderState, TicketState
from queueing.errors import Code, Rejected
from queueing.messages import (
    DepartmentReply,
    ExtensionAsked,
    Progress,
    Remarked,
    Replied,
    Returned,
    Signed,
)


class ReplyRecused(Rejected):
    """A department's system names, as who did it, somebody the ticket is about (回避)."""

    def __init__(self, order: WorkOrderRow) -> None:
        self.number, self.department, self.ticket_id = (
            order.number, order.department, order.ticket_id,
        )  # fmt: skip
        super().__init__(
            f"派单 {order.number} 涉及经办人本人，须由部门另一人办理后重新回复。 Work order "
            f"{order.number} is about whoever answered it: a colleague has to answer it anew."
        )


def apply(session: Session, replies: Sequence[DepartmentReply], now: int) -> None:
    """What departments' own systems answered: the same acts as at their desks, by the inbox.

    What comes after the ticket was closed, or the work order withdrawn, changes nothing any more
    and is kept: the story tells of it as late, and the ticket's owner hears.

    Raises:
        Rejected: unknown work order, another department's, or a step that is not allowed; the
            message is parked with this reason.
        ReplyRecused: whoever did it there is whom the ticket is about.
    """
    matters = holding.matters(session, {reply.work_order for reply in replies})
    tickets = {matter.ticket.id for matter in matters.values()}
    doubtful = recusal.perhaps_spoken(session, tickets, {reply.by for reply in replies})
    for reply in replies:
        matter = matters.get(reply.work_order)
        if matter is None or matter.order.department != reply.department:
            raise Rejected(
                f"没有这张派单：{reply.work_order}。 No such work order for {reply.department}.",
                "unknown-work-order",
            )
        if doubtful and recusal.spoken_by(session, matter.ticket.id, reply.by):
            raise ReplyRecused(matter.order)
        _apply(session, matter, _deed(reply), now)


def _apply(session: Session, matter: Matter, deed: Deed, now: int) -> None:
    try:
        if not _kept_as_late(session, matter, deed, now):
            orders.carry_out(session, matter, deed, now)
    except HotlineError as error:
        code: Code = "bad-content" if isinstance(error, BadInput) else "illegal-step"
        raise Rejected(str(error), code) from error


def _deed(message: DepartmentReply) -> Deed:
    match message:
        case Signed():
            return Deed("sign", message.by)
        case Returned():
            return Deed("return", message.by, reason=message.reason)
        case Replied():
            return Deed("reply", message.by, result=message.result, measures=message.measures)
        case ExtensionAsked():
            until = f"{message.until.astimezone(clocks.CHINA):%Y-%m-%d}"
            return Deed("ask-extension", message.by, reason=message.reason, until=until)
        case Progress():
            return Deed("progress", message.by, result=message.text)
        case Remarked():
            return Deed("remark", message.by, result=message.text)


def _kept_as_late(session: Session, matter: Matter, deed: Deed, now: int) -> bool:
    """Whether this came too late to be done, and was written into the ticket's story instead."""
    order, ticket = matter.order, matter.ticket
    if deed.action in lifecycle.legal(ORDER_TRANSITIONS, order.state):
        return False
    withdrawn = order.state == OrderState.RETURNED and order.returned_at is None
    if not (withdrawn or ticket.state == TicketState.CLOSED):
        return False
    chinese, english = lifecycle.ACTION_NAMES[deed.action]
    said = "\n".join(text for text in (deed.why, deed.measures) if text)[:TEXT_MAX]
    acts.story(session, ticket, deed.by, "late", now, why=f"{chinese} {english}\n{said}".strip(),
               order=order.number)  # fmt: skip
    notices.tell(session, f"department:{order.department}", "late", order.number)
    return True
