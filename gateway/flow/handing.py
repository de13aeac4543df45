"""Files handed to departments: by reference, with a link that is one department's and ends.

A work order that is offered names the ticket's files, each with a link of its own, made in the
transaction that offers it. The link's word stands in the message alone; its SHA-256 is kept.
Always holds: a link opens for a program that shows a key of the department it was made for, until
it runs out, and only while its work order stands: one that was returned or withdrawn opens nothing,
because that is asked at each fetch. Of a confidential matter (保密) no file is handed out: a file
may show who the caller is. Each fetch is a line in the log before a byte is sent. Recordings have
no links: see `attaching`.
"""

import hashlib
import secrets
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.errors import Gone, NotFound
from gateway.flow import attaching, log
from gateway.parts import Parts
from gateway.people.machines import Machine
from gateway.tables import AttachmentLinkRow, AttachmentRow, DepartmentRow, TicketRow, WorkOrderRow
from gateway.tickets.clocks import china
from gateway.tickets.lifecycle import OrderState
from queueing.messages import Attachment

PATH: Final = "/api/v1/department/files/"
DAY_US: Final = 24 * 3600 * 1_000_000
AFTER_DUE_US: Final = 30 * DAY_US
LONGEST_US: Final = 90 * DAY_US


def offered(
    session: Session, ticket: TicketRow, order: WorkOrderRow, public_url: str, now: int
) -> tuple[Attachment, ...]:
    """The ticket's files as the work order's message names them; none where nobody outside could
    fetch them, or the matter is confidential."""
    department = session.get_one(DepartmentRow, order.department)
    if not public_url or ticket.confidential or department.mode == "desk":
        return ()
    files = attaching.of_ticket(session, ticket.id)
    return tuple(_handed(session, row, order, public_url, now) for row in files)


def _handed(
    session: Session, row: AttachmentRow, order: WorkOrderRow, public_url: str, now: int
) -> Attachment:
    token = secrets.token_urlsafe(32)
    ends = now + LONGEST_US
    if order.due_at is not None:
        ends = min(ends, order.due_at + AFTER_DUE_US)
    session.add(
        AttachmentLinkRow(
            token_sha256=_sha256(token), attachment_id=row.id, department=order.department,
            work_order=order.number, made_at=now, expires_at=ends,
        )
    )  # fmt: skip
    return Attachment(
        name=row.name, media_type=row.media_type, size=row.size, sha256=row.sha256,
        url=f"{public_url}{PATH}{token}", expires_at=china(ends),
    )  # fmt: skip


def fetch(parts: Parts, who: Machine, token: str, origin: str) -> tuple[AttachmentRow, bytes]:
    """The file behind a link, for the program of the department it was made for.

    Raises:
        NotFound: no link of this department's.
        Gone: it has run out, or its work order was returned or withdrawn.
        Conflict: the store does not have the file as it was.
    """
    with parts.database.reading() as session:
        link = _link(session, who, token, parts.clock())
        row = session.get_one(AttachmentRow, link.attachment_id)
    content = attaching.read(parts, row)
    with parts.database.begin() as session:
        link = _link(session, who, token, now := parts.clock())
        link.fetched += 1
        log.note(session, "queueing:attachment:fetch", actor=f"department:{who.department}",
                 origin=origin, obj=f"attachment:{row.id}", outcome="ok", now=now,
                 detail={"key": who.key_id, "work_order": link.work_order})  # fmt: skip
    return row, content


def _link(session: Session, who: Machine, token: str, now: int) -> AttachmentLinkRow:
    found = session.execute(
        select(AttachmentLinkRow, WorkOrderRow.state)
        .join(WorkOrderRow, WorkOrderRow.number == AttachmentLinkRow.work_order)
        .where(
            AttachmentLinkRow.token_sha256 == _sha256(token),
            AttachmentLinkRow.department == who.department,
        )
    ).one_or_none()
    if found is None:
        raise NotFound
    link, state = found
    if state == OrderState.RETURNED:
        raise Gone(
            "派单已退回或撤回，附件不再提供。 The work order was returned or withdrawn: "
            "its files are no longer handed out."
        )
    if link.expires_at <= now:
        raise Gone("链接已过期，请向热线索取。 The link has run out: ask the hotline.")
    return link


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
