"""Files and the register form for an officer who works at the department's page.

The officer is signed in, so there is no link that could go astray; the rules are those of a link
(`handing`): of one's own department's work order alone, while it stands, no file of a confidential
matter (保密), a line in the log before a byte is sent. Whom the matter is about (回避) gets
neither: what lies there may be the evidence against them.
"""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from gateway.errors import NotFound
from gateway.flow import files, handing
from gateway.flow.handing import Handed
from gateway.parts import Parts
from gateway.people.accounts import Person
from gateway.tables import AttachmentRow
from gateway.tickets import assigned, recusal
from gateway.tickets.assigned import OrderView
from gateway.tickets.lifecycle import OrderState


def listed(session: Session, view: OrderView) -> Sequence[AttachmentRow]:
    """The files an officer may take with this work order, as they came."""
    if view.ticket.confidential or view.order.state == OrderState.RETURNED:
        return ()
    return files.of_ticket(session, view.ticket.id)


def take(parts: Parts, who: Person, number: str, attachment_id: int, origin: str) -> Handed:
    """A file of the ticket of one's own department's work order.

    Raises:
        Forbidden, NotFound: the role, another department's work order, another ticket's file, or a
            confidential matter's.
        Recused: the matter is about them.
        Gone: the work order was returned or withdrawn.
        Conflict: the store does not have the file as it was.
    """
    with parts.database.reading() as session:
        view = _own(session, who, number)
        rows = {row.id: row for row in listed(session, view)}
    if attachment_id not in rows:
        raise NotFound
    handed = handing.file(parts, rows[attachment_id])
    _tell(parts, who, number, handed, origin)
    return handed


def form(parts: Parts, who: Person, number: str, origin: str) -> Handed:
    """The register form of that ticket, made now; raises as `take` does."""
    with parts.database.reading() as session:
        handed = handing.form(session, _own(session, who, number).order, parts.clock())
    _tell(parts, who, number, handed, origin)
    return handed


def _own(session: Session, who: Person, number: str) -> OrderView:
    view = assigned.order(session, who, number)
    recusal.check_handling(session, who, view.ticket.id)
    handing.standing(view.order)
    return view


def _tell(parts: Parts, who: Person, number: str, handed: Handed, origin: str) -> None:
    with parts.database.begin() as session:
        order = _own(session, who, number).order
        handing.told(session, who.login, origin, handed, order, parts.clock())
