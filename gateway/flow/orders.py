"""Work order ↔ ticket: what departments do with what they were offered.

A department acts at its desk page (`act`) or by its own system (`answering`); both ways come to
`carry_out`, which takes the work order's step, then the ticket's.
Always holds: a work order is locked before its ticket, and both before either is looked at.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy.orm import Session

from gateway import notices
from gateway.errors import BadInput, Forbidden, NotFound
from gateway.flow import holding, remarking
from gateway.flow.holding import Matter
from gateway.people.accounts import Person
from gateway.people.roles import Permission
from gateway.tables import WorkOrderRow
from gateway.tickets import acts, clocks, lifecycle, recusal
from gateway.tickets.acts import TEXT_MAX
from gateway.tickets.lifecycle import ORDER_TRANSITIONS, TicketState

YEAR = timedelta(days=366)


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
    matter = holding.matters(session, [number]).get(number)
    if matter is None or matter.order.department != who.department:
        raise NotFound
    recusal.check_handling(session, who, matter.ticket.id)
    day = _wished(matter.order, until, now) if action == "ask-extension" else ""
    deed = Deed(action, who.login, reason.strip(), result.strip(), measures.strip(), day)
    carry_out(session, matter, deed, now)
    return matter.order


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


MUST: dict[str, tuple[str, str]] = {
    "reply": ("result", "请填写办理结果。 Write down the result."),
    "return": ("reason", "请填写退单原因。 Write down why it is returned."),
    "ask-extension": ("reason", "请填写延期原因。 Write down why more time is needed."),
    "progress": ("result", "请填写进展情况。 Write down how it goes."),
    "remark": ("result", "请填写会办意见。 Write down the remark."),
}
"""What has to be told, and what is said where it is not."""


def carry_out(session: Session, matter: Matter, deed: Deed, now: int) -> None:
    """Take the work order's step and its ticket's, and write them into the story.

    Raises:
        BadInput: what has to be said with it is missing, or too long.
        IllegalStep: the work order does not stand so that this could be done.
    """
    order, ticket = matter.order, matter.ticket
    if deed.action in MUST:
        must, missing = MUST[deed.action]
        if not getattr(deed, must):
            raise BadInput({must: missing})
    too_long = [text for text in (deed.reason, deed.result, deed.measures) if len(text) > TEXT_MAX]
    if too_long:
        raise BadInput({"result": f"最多 {TEXT_MAX} 个字。 At most {TEXT_MAX} characters."})
    order.state = lifecycle.step(ORDER_TRANSITIONS, order.state, deed.action)
    _write(order, deed, now)
    step = acts.take if _moves(matter, deed) else acts.story
    step(session, ticket, deed.by, deed.action, now, why=deed.why, order=order.number)
    if deed.action == "remark":
        remarking.pass_on(session, ticket, order, deed.by, deed.result, now)
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
