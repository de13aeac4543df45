"""The register form is filled in (登记), also while departments have work orders of the ticket.

What stands in the form and was told to departments is the demand and, unless confidential, who
called. Where that is corrected, each department that has an order in hand gets it anew with the
names of what changed, as by 变更 (`changing`), in the same transaction: nobody answers to a demand
that is no longer made, nor rings a number that was taken down wrongly. What else stands in the form
concerns no department.
"""

from collections.abc import Mapping
from typing import Final

from sqlalchemy.orm import Session

from gateway.flow import changing, holding
from gateway.people.accounts import Person
from gateway.tables import TicketRow
from gateway.tickets import acts

REASON: Final = "登记内容有更正。 The register was corrected."


def fill(
    session: Session,
    ticket_id: int,
    who: Person,
    fields: Mapping[str, str],
    version: int | None,
    now: int,
) -> TicketRow:
    """Write `fields` into the form, and tell the departments; as `acts.fill`, with its errors."""
    before = _told(acts.editable(session, ticket_id, who))
    row = acts.fill(session, ticket_id, who, fields, version, now)
    after = _told(row)
    changed = [name for name in after if after[name] != before[name]]
    if changed:
        for order in holding.in_hand(session, row.id):
            acts.story(session, row, who.login, "change", now, order=order.number,
                       why=f"{changing.named(changed)}：{REASON}")  # fmt: skip
            changing.tell(session, row, order, changed, by=who.login, reason=REASON, now=now)
    return row


def _told(row: TicketRow) -> dict[str, object]:
    caller = None if row.confidential else (row.caller_name, row.caller_phone)
    return {"demand": row.demand, "caller": caller}
