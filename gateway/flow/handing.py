"""Files and forms handed over: what a link opens, for whom, and until when.

Always holds: a link opens for a program that shows a key of the department it was made for, until
it runs out, and only while its work order stands: one that was returned or withdrawn opens nothing,
because that is asked at each fetch, so that nobody has to remember to revoke. Each fetch is a line
in the log, committed before a byte is sent. Recordings have no links: see `files`. How links are
made is `offering`; an officer at our page needs none: `serving`.
"""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.errors import Gone, NotFound
from gateway.flow import files, log, offering
from gateway.parts import Parts
from gateway.people import accounts
from gateway.people.machines import Machine
from gateway.tables import AttachmentLinkRow, AttachmentRow, DepartmentRow, TicketRow, WorkOrderRow
from gateway.tickets import forms
from gateway.tickets.lifecycle import OrderState


@dataclass(frozen=True, slots=True, repr=False)
class Handed:
    """What is handed over. `of` is what it is in the log, by id."""

    of: str
    name: str
    media_type: str
    content: bytes


def fetch(parts: Parts, who: Machine, token: str, origin: str) -> Handed:
    """What is behind a link, for the program of the department it was made for.

    Raises:
        NotFound: no link of this department's.
        Gone: it has run out, or its work order was returned or withdrawn.
        Conflict: the store does not have the file as it was.
    """
    with parts.database.reading() as session:
        found = _behind(session, *_link(session, who, token, parts.clock()), parts.clock())
    handed = found if isinstance(found, Handed) else file(parts, found)
    with parts.database.begin() as session:
        link, order = _link(session, who, token, parts.clock())
        link.fetched += 1
        told(session, f"department:{who.department}", origin, handed, order, parts.clock(),
             key=who.key_id)  # fmt: skip
    return handed


def file(parts: Parts, row: AttachmentRow) -> Handed:
    """A file as it was kept; raises as `files.read`."""
    return Handed(f"attachment:{row.id}", row.name, row.media_type, files.read(parts, row))


def form(session: Session, order: WorkOrderRow, now: int) -> Handed:
    """The register form of the work order's ticket, made now."""
    ticket = session.get_one(TicketRow, order.ticket_id)
    department = session.get_one(DepartmentRow, order.department)
    owner = accounts.named(session, {ticket.owner}).get(ticket.owner, ticket.owner)
    text = forms.register(ticket, order, forms.Names(department.name, owner), now)
    return Handed(f"form:{forms.REGISTER}", forms.name(order), forms.MEDIA_TYPE, text.encode())


def told(
    session: Session, actor: str, origin: str, handed: Handed, order: WorkOrderRow, now: int,
    **detail: int,
) -> None:  # fmt: skip
    """Put on record that this was handed to the department of the work order."""
    log.note(session, "queueing:attachment:fetch", actor=actor, origin=origin, obj=handed.of,
             outcome="ok", now=now, detail={"work_order": order.number, **detail})  # fmt: skip


def standing(order: WorkOrderRow) -> None:
    """Raise Gone where the work order was returned or withdrawn."""
    if order.state == OrderState.RETURNED:
        raise Gone(
            "派单已退回或撤回，附件与表单不再提供。 The work order was returned or withdrawn: "
            "its files and forms are no longer handed out."
        )


def _behind(
    session: Session, link: AttachmentLinkRow, order: WorkOrderRow, now: int
) -> AttachmentRow | Handed:
    if link.attachment_id is None:
        return form(session, order, now)
    return session.get_one(AttachmentRow, link.attachment_id)


def _link(
    session: Session, who: Machine, token: str, now: int
) -> tuple[AttachmentLinkRow, WorkOrderRow]:
    found = session.execute(
        select(AttachmentLinkRow, WorkOrderRow)
        .join(WorkOrderRow, WorkOrderRow.number == AttachmentLinkRow.work_order)
        .where(
            AttachmentLinkRow.token_sha256 == offering.digest(token),
            AttachmentLinkRow.department == who.department,
        )
    ).one_or_none()
    if found is None:
        raise NotFound
    link, order = found
    standing(order)
    if link.expires_at <= now:
        raise Gone("链接已过期，请向热线索取。 The link has run out: ask the hotline.")
    return link, order
