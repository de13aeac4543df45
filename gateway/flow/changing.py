"""A work order is changed while a department has it (变更): what is asked, demanded, and by when.

The department gets the whole order anew, with the names of the fields that changed; what stands in
its hands otherwise stays as it is. The demand is the ticket's, so every department that has an
order of it is told. A day earlier or later than the clocks gave is decided by who decides
extensions. One transaction: the rows, a line of the story, a message under each order's next
version.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy.orm import Session

from gateway.errors import BadInput, Forbidden
from gateway.flow import holding, outgoing, pushing
from gateway.people.accounts import Person
from gateway.people.roles import Permission
from gateway.tables import TicketRow, WorkOrderRow
from gateway.tickets import acts, clocks, lifecycle
from gateway.tickets.acts import TEXT_MAX
from queueing.messages import WorkOrderChanged

YEAR = timedelta(days=366)
NAMES = {
    "summary": ("请部门答复", "question"),
    "demand": ("诉求", "demand"),
    "due_at": ("期限", "due"),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What it is to be from now on, as typed; what is empty stays. `due` is a day, `2026-12-01`."""

    question: str = ""
    demand: str = ""
    due: str = ""


def change(
    session: Session,
    number: str,
    who: Person,
    wanted: Wanted,
    now: int,
    *,
    reason: str,
    of_ticket: int | None = None,
) -> WorkOrderRow:
    """Change a work order that is out; `of_ticket` is the ticket on whose page it was asked.

    Raises:
        Forbidden: the role does not dispatch, or (of `due`) does not decide about time.
        NotFound: there is no such work order (of that ticket), or not for this person's eyes.
        Recused: the ticket is about them.
        BadInput: no reason, nothing that differs, a text too long, or no day of the coming year.
        IllegalStep: the department has answered or returned it.
    """
    if not who.may(Permission.TICKET_DISPATCH):
        raise Forbidden
    if wanted.due.strip() and not who.may(Permission.ORDER_DECIDE):
        raise Forbidden
    order, ticket = pushing.held(session, number, who, of_ticket)
    order.state = lifecycle.step(lifecycle.PUSHES, order.state, "change")
    why = pushing.reason_of(reason)
    changed = _written(order, ticket, wanted, now)
    named = "、".join(NAMES[name][0] for name in changed)
    english = ", ".join(NAMES[name][1] for name in changed)
    acts.story(session, ticket, who.login, "change", now, why=f"{named} {english}：{why}",
               order=number)  # fmt: skip
    told = [(order, changed)]
    if "demand" in changed:
        told += [(one, ["demand"]) for one in holding.sisters(session, order)]
    for one, fields in told:
        one.version += 1
        message = WorkOrderChanged(
            **outgoing.whole(ticket, one), by=who.login, reason=why, changed=fields
        )
        outgoing.send(session, ticket, message, "change", now)
    return order


def _written(order: WorkOrderRow, ticket: TicketRow, wanted: Wanted, now: int) -> list[str]:
    """Write what differs, and say what that was."""
    question, demand = wanted.question.strip(), wanted.demand.strip()
    too_long = f"最多 {TEXT_MAX} 个字。 At most {TEXT_MAX} characters."
    wrong = {name: too_long for name, text in (("question", question), ("demand", demand))
             if len(text) > TEXT_MAX}  # fmt: skip
    if wrong:
        raise BadInput(wrong)
    due_at = _day(wanted.due.strip(), now) or order.due_at
    changed = []
    if question and question != order.question:
        order.question = question
        changed.append("summary")
    if demand and demand != ticket.demand:
        ticket.demand, ticket.version = demand, ticket.version + 1
        changed.append("demand")
    if due_at != order.due_at:
        order.due_at = due_at
        changed.append("due_at")
    if not changed:
        raise BadInput({"question": "没有改动。 Nothing differs from what stands."})
    return changed


def _day(text: str, now: int) -> int | None:
    if not text:
        return None
    wrong = BadInput(
        {"due": "请填今天起一年内的日期，例如 2026-12-01。 A day within a year from today."}
    )
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise wrong from None
    today = clocks.china(now).date()
    if not today <= day <= today + YEAR:
        raise wrong
    return clocks.end_of(day)
