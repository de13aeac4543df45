"""What the hotline does with a work order that a department has: urge, supervise, extend, withdraw.

催办 is the caller's or the hotline's push, 督办 a leader's, with an instruction; 延期 is decided by
a supervisor, whether the department asked or not; 撤回 takes the order back, so that it can go to
another department (改派). Each is one transaction: the order's step, a line of the ticket's story,
and a message under the order's next version. Which steps there are: `lifecycle.PUSHES`.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gateway.errors import BadInput, Forbidden, NotFound
from gateway.flow import holding, outgoing
from gateway.people.accounts import Person
from gateway.people.roles import Permission
from gateway.tables import TicketRow, TicketStepRow, WorkOrderRow
from gateway.tickets import acts, clocks, lifecycle, recusal, views
from queueing.messages import (
    OutMessage,
    WorkOrderExtended,
    WorkOrderSupervised,
    WorkOrderUrged,
    WorkOrderWithdrawn,
)

REASON_MAX: Final = 1_000
"""Characters: it travels beside the whole order (`queueing.fields.Brief`)."""
YEAR: Final = timedelta(days=366)

NEEDS: Final[dict[str, Permission]] = {
    "urge": Permission.ORDER_URGE,
    "supervise": Permission.ORDER_SUPERVISE,
    "extend": Permission.ORDER_DECIDE,
    "not-extend": Permission.ORDER_DECIDE,
    "withdraw": Permission.TICKET_DISPATCH,
}


@dataclass(frozen=True, slots=True)
class _Push:
    """One act, checked: who, why, and until when (µs; of an extension alone)."""

    action: str
    by: str
    reason: str
    until: int | None


def push(
    session: Session,
    number: str,
    who: Person,
    action: str,
    now: int,
    *,
    reason: str,
    until: str = "",
    of_ticket: int | None = None,
) -> WorkOrderRow:
    """Take one of the acts of `NEEDS`; `until` is the new day (`2026-12-01`) of an extension, and
    `of_ticket` the ticket on whose page it was asked, where it was.

    Raises:
        Forbidden: the role does not do this.
        NotFound: there is no such work order (of that ticket), or not for this person's eyes.
        Recused: the ticket is about them.
        BadInput: no reason, one too long, or no day later than the present one.
        IllegalStep: the department has answered or returned it, or not signed what is to last.
    """
    if not who.may(NEEDS[action]):
        raise Forbidden
    order, ticket = held(session, number, who, of_ticket)
    order.state = lifecycle.step(lifecycle.PUSHES, order.state, action)
    deed = _Push(action, who.login, reason_of(reason), _day(action, until, order, now))
    order.due_at = deed.until or order.due_at
    order.version += 1
    if action == "withdraw":
        order.returned_by, order.return_reason = deed.by, deed.reason
        acts.take(session, ticket, deed.by, action, now, why=deed.reason, order=number)
    else:
        shown = f"{clocks.china(deed.until):%Y-%m-%d}：" if deed.until else ""
        acts.story(session, ticket, deed.by, action, now, why=shown + deed.reason, order=number)
    outgoing.send(session, ticket, _message(session, ticket, order, deed), action, now)
    return order


def held(
    session: Session, number: str, who: Person, of_ticket: int | None
) -> tuple[WorkOrderRow, TicketRow]:
    """The work order and its ticket, locked, for somebody of the hotline.

    Raises:
        NotFound: there is no such work order (of that ticket), or not for this person's eyes.
        Recused: the ticket is about them.
    """
    if of_ticket is not None:
        recusal.check_handling(session, who, of_ticket)
    found = holding.held(session, number, views.readable(who))
    if found is None:
        raise NotFound
    recusal.check_handling(session, who, found[1].id)
    if of_ticket not in (None, found[1].id):
        raise NotFound
    return found


def reason_of(text: str) -> str:
    """The reason as it is kept; `BadInput` where there is none, or it is too long."""
    text = text.strip()
    if not text:
        raise BadInput({"reason": "请写明原因。 Say why."})
    if len(text) > REASON_MAX:
        raise BadInput({"reason": f"最多 {REASON_MAX} 个字。 At most {REASON_MAX} characters."})
    return text


def _day(action: str, text: str, order: WorkOrderRow, now: int) -> int | None:
    """The end of that day in China, in µs, where `action` gives more time."""
    if action != "extend":
        return None
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        raise BadInput(
            {"until": "请填日期，例如 2026-12-01。 Give a day, such as 2026-12-01."}
        ) from None
    present = clocks.china(max(now, order.due_at or 0))
    if not present.date() < day < (present + YEAR).date():
        raise BadInput(
            {"until": "须晚于现期限，且在一年之内。 Later than it is due now, within a year."}
        )
    return clocks.end_of(day)


def _message(session: Session, ticket: TicketRow, order: WorkOrderRow, deed: _Push) -> OutMessage:
    about = outgoing.whole(ticket, order)
    match deed.action:
        case "urge":
            times = _urged(session, order)
            return WorkOrderUrged(**about, by=deed.by, reason=deed.reason, times=times)
        case "supervise":
            return WorkOrderSupervised(**about, by=deed.by, instruction=deed.reason)
        case "withdraw":
            return WorkOrderWithdrawn(
                work_order=order.number,
                version=order.version,
                department=order.department,
                reason=deed.reason,
            )
        case _:
            granted = deed.action == "extend"
            return WorkOrderExtended(**about, by=deed.by, granted=granted, reason=deed.reason)


def _urged(session: Session, order: WorkOrderRow) -> int:
    """How many times it was urged, this time included: the story says so."""
    found = session.scalar(
        select(func.count()).where(
            TicketStepRow.ticket_id == order.ticket_id,
            TicketStepRow.work_order == order.number,
            TicketStepRow.action == "urge",
        )
    )
    return found or 0
