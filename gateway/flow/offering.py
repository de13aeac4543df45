"""Files and forms named to departments' systems: by a link that is one department's and ends.

A work order that is offered names the ticket's files and its register form, each with a link of its
own, made in the transaction that offers it; a file that comes later goes out as a change of the
orders that departments have in hand. The link's word stands in the message alone: its SHA-256 is
kept.
Always holds: of a confidential matter (保密) no file is named, for a file may show who the caller
is; the form is, and does not say. Nothing is named where nobody outside could fetch it, nor to a
department that works at our page (`serving`). What a link opens, and until when, is `handing`.
"""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy.orm import Session

from gateway.flow import files, holding, outgoing
from gateway.tables import AttachmentLinkRow, AttachmentRow, DepartmentRow, TicketRow, WorkOrderRow
from gateway.tickets import forms
from gateway.tickets.clocks import china
from queueing.messages import Attachment, Form, WorkOrderChanged

PATH: Final = "/api/v1/department/files/"
DAY_US: Final = 24 * 3600 * 1_000_000
AFTER_DUE_US: Final = 30 * DAY_US
LONGEST_US: Final = 90 * DAY_US


class Offer(NamedTuple):
    """What a work order's message names."""

    attachments: tuple[Attachment, ...] = ()
    forms: tuple[Form, ...] = ()


@dataclass(frozen=True, slots=True)
class _Links:
    """Links for one message of a work order, all ending at `ends` (µs)."""

    session: Session
    order: WorkOrderRow
    public_url: str
    now: int

    @property
    def ends(self) -> int:
        """Thirty days after the answer is due, or from now where it is overdue; ninety from now at
        most."""
        longest = self.now + LONGEST_US
        if self.order.due_at is None:
            return longest
        return min(longest, max(self.order.due_at, self.now) + AFTER_DUE_US)

    def url(self, attachment_id: int | None = None, form: str | None = None) -> str:
        """A new link to one file, or to one form."""
        token = secrets.token_urlsafe(32)
        self.session.add(
            AttachmentLinkRow(
                token_sha256=digest(token), attachment_id=attachment_id, form=form,
                department=self.order.department, work_order=self.order.number, made_at=self.now,
                expires_at=self.ends,
            )
        )  # fmt: skip
        return f"{self.public_url}{PATH}{token}"

    def to_file(self, row: AttachmentRow) -> Attachment:
        """A file, with its link."""
        return Attachment(name=row.name, media_type=row.media_type, size=row.size,
                          sha256=row.sha256, url=self.url(row.id),
                          expires_at=china(self.ends))  # fmt: skip

    def to_form(self) -> Form:
        """The register form, with its link."""
        return Form(form=forms.REGISTER, name=forms.name(self.order), media_type=forms.MEDIA_TYPE,
                    url=self.url(form=forms.REGISTER), expires_at=china(self.ends))  # fmt: skip


def offered(
    session: Session, ticket: TicketRow, order: WorkOrderRow, public_url: str, now: int
) -> Offer:
    """The ticket's files and form as the message that offers the work order names them.

    `public_url`: where departments reach the gateway; empty where they do not.
    """
    if not public_url or _at_our_page(session, order):
        return Offer()
    links = _Links(session, order, public_url, now)
    kept = () if ticket.confidential else files.of_ticket(session, ticket.id)
    return Offer(tuple(links.to_file(row) for row in kept), (links.to_form(),))


def added(
    session: Session, ticket: TicketRow, row: AttachmentRow, by: str, public_url: str, now: int
) -> None:
    """Tell the departments whose systems have the ticket in hand that it has one more file,
    in the order's next version. The ticket is held by the caller."""
    if ticket.confidential or not public_url:
        return
    for order in holding.in_hand(session, ticket.id):
        if _at_our_page(session, order):
            continue
        order.version += 1
        message = WorkOrderChanged(
            **outgoing.whole(ticket, order),
            by=by,
            reason=f"新增附件 File added：{row.name}",
            changed=["attachments"],
            attachments=(_Links(session, order, public_url, now).to_file(row),),
        )
        outgoing.send(session, ticket, message, "change", now)


def digest(token: str) -> str:
    """A link's word as it is kept."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def _at_our_page(session: Session, order: WorkOrderRow) -> bool:
    return session.get_one(DepartmentRow, order.department).mode == "desk"
