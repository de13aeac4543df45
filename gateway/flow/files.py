"""Where a ticket's files lie: beside the recordings in the store, and apart from them.

Always holds: a file's object lies under `attachments/` and is named by 32 hexadecimal digits of
chance, which is all that a row holds of it: no row, however it came to be, names a recording's
object. What is read is what was kept, by its SHA-256, or it is not handed out.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.errors import Conflict, NotFound
from gateway.parts import Parts
from gateway.tables import AttachmentRow
from recordings.errors import StoreError

SHELF: Final = "attachments"
_OBJECT: Final = re.compile(r"[0-9a-f]{32}")


def key(object_name: str) -> str:
    """The object's key in the store.

    Raises:
        NotFound: a name that `attaching` does not give: it could lead elsewhere.
    """
    if not _OBJECT.fullmatch(object_name):
        raise NotFound
    return f"{SHELF}/{object_name}"


def of_ticket(session: Session, ticket_id: int) -> Sequence[AttachmentRow]:
    """The ticket's files, as they came."""
    wanted = select(AttachmentRow).where(AttachmentRow.ticket_id == ticket_id)
    return session.scalars(wanted.order_by(AttachmentRow.id)).all()


def read(parts: Parts, row: AttachmentRow) -> bytes:
    """The file, whole and as it came.

    Raises:
        Conflict: the store does not have it as it was.
    """
    try:
        content = parts.store.read_at(key(row.object_name), 0, row.size)
    except (OSError, StoreError) as error:
        raise _lost(row) from error
    if hashlib.sha256(content).hexdigest() != row.sha256:
        raise _lost(row)
    return content


def _lost(row: AttachmentRow) -> Conflict:
    return Conflict(
        f"附件 {row.id} 在存储中缺失或已损坏，请联系热线。 "
        f"Attachment {row.id} is missing from the store, or damaged: ask the hotline."
    )
