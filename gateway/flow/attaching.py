"""Adding a file to a ticket: what a caller sends or brings.

A file is taken in whole, checked, put into the store and only then has its row; departments whose
systems have an order of the ticket are told in the transaction that makes the row.
Always holds: what is kept is of a kind in `file_kinds`, begins as that kind does, and is at most
`SIZE_MAX`; the same file is there once; what failed has left no bytes behind. A file is never
changed, and not removed here. Where files lie is `files`, who gets them `offering` and `serving`.
"""

import hashlib
import secrets
from contextlib import suppress
from typing import Final

from sqlalchemy.orm import Session

from gateway.errors import FULL, BadInput, Conflict, NoRoom
from gateway.flow import files, offering
from gateway.flow.control import Asking
from gateway.parts import Parts
from gateway.tables import AttachmentRow, TicketRow
from gateway.tickets import acts, file_kinds
from recordings.errors import StoreError

SIZE_MAX: Final = 10 << 20
AT_MOST: Final = 10
"""Files of one ticket."""


def attach(asking: Asking, ticket_id: int, name: str, content: bytes) -> AttachmentRow:
    """Keep a file with the ticket, by the word of somebody who edits it; sent again, it is there
    once.

    Raises:
        Forbidden, NotFound: as for any change of the ticket.
        BadInput: the name, the kind or the size.
        Conflict: the ticket has it by another name, has as many as it may, or the store does not
            take it.
        NoRoom: the store is full.
    """
    name = file_kinds.named(name)
    if not 0 < len(content) <= SIZE_MAX:
        raise BadInput({"file": "文件须在 10 MiB 以内，且不为空。 1 byte to 10 MiB."})
    media_type = file_kinds.kind_of(name, content)
    parts = asking.parts
    row = AttachmentRow(
        ticket_id=ticket_id, name=name, media_type=media_type, size=len(content),
        sha256=hashlib.sha256(content).hexdigest(), object_name=secrets.token_hex(16),
        added_by=asking.who.login, added_at=parts.clock(),
    )  # fmt: skip
    with parts.database.begin() as session:
        kept = _there(session, acts.editable(session, ticket_id, asking.who), row)
    if kept is not None:
        return kept
    _put(parts, row, content)
    try:
        with parts.database.begin() as session:
            kept = _keep(session, asking, row)
    finally:
        if kept is not row:
            _take_back(parts, row)
    return kept


def _keep(session: Session, asking: Asking, row: AttachmentRow) -> AttachmentRow:
    """Its row, a line of the story and word to the departments; or the same file, should it have
    come meanwhile."""
    by = asking.who.login
    ticket = acts.editable(session, row.ticket_id, asking.who)
    if (there := _there(session, ticket, row)) is not None:
        return there
    session.add(row)
    acts.story(session, ticket, by, "attach", row.added_at, why=row.name)
    session.flush()
    offering.added(session, ticket, row, by, asking.parts.settings.public_url, row.added_at)
    return row


def _there(session: Session, ticket: TicketRow, wanted: AttachmentRow) -> AttachmentRow | None:
    """The same file, where the ticket has it already; None where it may have one more."""
    there = files.of_ticket(session, ticket.id)
    for row in there:
        if row.sha256 == wanted.sha256:
            if row.name == wanted.name:
                return row
            raise Conflict(
                f"内容相同的附件已有：{row.name}。 The ticket has this file already, as {row.name}."
            )
    if len(there) >= AT_MOST:
        raise Conflict(f"每张工单最多 {AT_MOST} 个附件。 At most {AT_MOST} files for a ticket.")
    return None


def _put(parts: Parts, row: AttachmentRow, content: bytes) -> None:
    try:
        parts.store.put(files.key(row.object_name), content)
    except OSError as error:
        if error.errno in FULL:
            raise NoRoom from error
        raise _not_kept() from error
    except StoreError as error:
        raise _not_kept() from error


def _take_back(parts: Parts, row: AttachmentRow) -> None:
    """Its row was not kept: nor is the object, or it would lie there for good and nobody's."""
    with suppress(OSError, StoreError):
        parts.store.remove(files.key(row.object_name))


def _not_kept() -> Conflict:
    return Conflict(
        "存储暂不可用，文件未保存，请稍后再传；若仍不行请告知管理员。 The store is not to be used "
        "now and the file was not kept: send it again later, or tell the administrator."
    )
