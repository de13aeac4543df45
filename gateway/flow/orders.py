"""Work order ↔ ticket: what departments do with what they were offered.

A department acts at its desk page or by its own system; both ways come to `_act`, which takes the
work order's step, then the ticket's. A reply that makes no sense raises `queueing.errors.Rejected`
towards the inbox, which parks it with that reason; towards a page it is an ordinary error.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import notices
from gateway.errors import BadInput, Forbidden, HotlineError, NotFound
from gateway.flow import holding, remarking
from gateway.people.accounts import Person
from gateway.people.roles import Permission
from gateway.tables import TicketRow, WorkOrderRow
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

YEAR = timedelta(days=366)


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
    until: str = "",
) -> WorkOrderRow:
    """What an officer does at the department's desk: `sign`, `reply`, `return`, `ask-extension`
    (until a day, `2026-12-01`), `progress`, `remark`.

    Raises:
        Forbidden: the role does not act on work orders.
        NotFound: there is none, or it is another department's.
        Recused: the complaint is about them.
        BadInput: a reply, progress or remark without words, a return or a wish for more time
            without a reason, or that wish without a day after the present one.
        IllegalStep: the work order does not stand so that this could be done.
    """
    if not who.may(Permission.ORDER_ACT):
        raise Forbidden
    found = holding.held(session, number)
    if found is None or found[0].department != who.department:
        raise NotFound
    order, ticket = found
    recusal.check_handling(session, who, order.ticket_id)
    day = _wished(order, until, now) if action == "ask-extension" else ""
    deed = Deed(action, who.login, reason.strip(), result.strip(), measures.strip(), day)
    return _act(session, order, ticket, deed, now)


def _wished(order: WorkOrderRow, until: str, now: int) -> str:
    """The day until which more time is asked for."""
    present = clocks.china(max(now, order.due_at or 0)).date()
    try:
        day = date.fromisoformat(until.strip())
    except ValueError:
        day = present
    if not present < day <= present + YEAR:
        raise BadInput(
            {"until": "须晚于现期限，且在一年之内。 Later than it is due now, within a year."}
        )
    return day.isoformat()


def reply(session: Session, message: DepartmentReply, department: str, now: int) -> None:
    """What a department's own system answered: the same acts, by the inbox.

    What comes after the ticket was closed, or the work order withdrawn, changes nothing any more
    and is kept: the story tells of it as late, and the ticket's owner hears.

    Raises:
        Rejected: unknown work order, another department's, or a step that is not allowed; the
            message is parked with this reason.
        ReplyRecused: whoever did it there is whom the ticket is about.
    """
    found = holding.held(session, message.work_order)
    if found is None or found[0].department != department:
        raise Rejected(
            f"没有这张派单：{message.work_order}。 No such work order for {department}.",
            "unknown-work-order",
        )
    order, ticket = found
    if recusal.spoken_by(session, order.ticket_id, message.by):
        raise ReplyRecused(order)
    deed = _deed(message)
    try:
        if not _kept_as_late(session, order, ticket, deed, now):
            _act(session, order, ticket, deed, now)
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


MUST: dict[str, tuple[str, str]] = {
    "reply": ("result", "请填写办理结果。 Write down the result."),
    "return": ("reason", "请填写退单原因。 Write down why it is returned."),
    "ask-extension": ("reason", "请填写延期原因。 Write down why more time is needed."),
    "progress": ("result", "请填写进展情况。 Write down how it goes."),
    "remark": ("result", "请填写会办意见。 Write down the remark."),
}
"""What has to be told, and what is said where it is not."""


def _act(
    session: Session, order: WorkOrderRow, ticket: TicketRow, deed: Deed, now: int
) -> WorkOrderRow:
    if deed.action in MUST:
        must, missing = MUST[deed.action]
        if not getattr(deed, must):
            raise BadInput({must: missing})
    too_long = [text for text in (deed.reason, deed.result, deed.measures) if len(text) > TEXT_MAX]
    if too_long:
        raise BadInput({"result": f"最多 {TEXT_MAX} 个字。 At most {TEXT_MAX} characters."})
    order.state = lifecycle.step(ORDER_TRANSITIONS, order.state, deed.action)
    _write(order, deed, now)
    session.flush()
    step = acts.take if _moves(session, ticket, deed) else acts.story
    step(session, ticket, deed.by, deed.action, now, why=deed.why, order=order.number)
    if deed.action == "remark":
        remarking.pass_on(session, ticket, order, deed.by, deed.result, now)
    notices.tell(session, f"department:{order.department}", deed.action, order.number)
    return order


def _kept_as_late(
    session: Session, order: WorkOrderRow, ticket: TicketRow, deed: Deed, now: int
) -> bool:
    """Whether this came too late to be done, and was written into the ticket's story instead."""
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


def _write(order: WorkOrderRow, deed: Deed, now: int) -> None:
    match deed.action:
        case "sign":
            order.signed_at, order.signed_by = now, deed.by
        case "return":
            order.returned_at, order.returned_by, order.return_reason = now, deed.by, deed.reason
        case "reply":
            order.replied_at, order.replied_by = now, deed.by
            order.result, order.measures = deed.result, deed.measures


def _moves(session: Session, ticket: TicketRow, deed: Deed) -> bool:
    """Whether the ticket takes a step with its order; of the rest its story tells, and its owner
    hears."""
    if deed.action == "reply":
        return ticket.state == TicketState.SIGNED and _all_replied(session, ticket.id)
    return deed.action in ("sign", "return")


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
