"""Files of a ticket: what a caller sends or brings, kept beside the recordings and apart from them.

A file is taken in whole, checked, put into the store and only then has its row.
Always holds: what is kept is of a kind in `KINDS`, begins as that kind does, and is at most
`SIZE_MAX`; its object lies under `attachments/` and is named by 32 hexadecimal digits of chance,
which is all that a row holds of it: no row, however it came to be, names a recording's object.
A file is never changed, and not removed here.
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gateway.errors import BadInput, Conflict, NotFound
from gateway.flow.control import Asking
from gateway.parts import Parts
from gateway.people.accounts import Person
from gateway.tables import AttachmentRow, TicketRow
from gateway.tickets import acts
from recordings.errors import StoreError

SIZE_MAX: Final = 10 << 20
AT_MOST: Final = 10
"""Files of one ticket."""
NAME_MAX: Final = 100
SHELF: Final = "attachments"
_OBJECT: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Kind:
    """A media type that is taken: the ends of its names, and how its bytes begin."""

    suffixes: tuple[str, ...]
    begins: bytes


KINDS: Final[dict[str, Kind]] = {
    "application/pdf": Kind((".pdf",), b"%PDF-"),
    "image/jpeg": Kind((".jpg", ".jpeg"), b"\xff\xd8\xff"),
    "image/png": Kind((".png",), b"\x89PNG\r\n\x1a\n"),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": Kind(
        (".docx",), b"PK\x03\x04"
    ),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": Kind(
        (".xlsx",), b"PK\x03\x04"
    ),
    "text/plain": Kind((".txt",), b""),
}
"""Every kind there is; sound is none of them. By the name's end, for browsers call one kind by
several types."""


def key(object_name: str) -> str:
    """The object's key in the store.

    Raises:
        NotFound: a name that `attach` does not give: it could lead elsewhere.
    """
    if not _OBJECT.fullmatch(object_name):
        raise NotFound
    return f"{SHELF}/{object_name}"


def kind_of(name: str, content: bytes) -> str:
    """The media type of a file of this name.

    Raises:
        BadInput: it is none that is taken, or says that it is what it is not.
    """
    for media_type, kind in KINDS.items():
        if name.lower().endswith(kind.suffixes):
            if content.startswith(kind.begins) and (kind.begins or _is_text(content)):
                return media_type
            raise BadInput({"file": "内容与文件名不符。 It is not what its name says."})
    ends = "、".join(end for kind in KINDS.values() for end in kind.suffixes)
    raise BadInput({"file": f"只收 {ends}。 Only files of these kinds are taken: {ends}."})


def _is_text(content: bytes) -> bool:
    try:
        return "\0" not in content.decode()
    except UnicodeDecodeError:
        return False


def attach(asking: Asking, ticket_id: int, name: str, content: bytes) -> AttachmentRow:
    """Keep a file with the ticket, by the word of somebody who edits it.

    Raises:
        Forbidden, NotFound: as for any change of the ticket.
        BadInput: the name, the kind or the size.
        Conflict: the ticket has as many as it may, or the store does not take it.
    """
    name = _named(name)
    if not 0 < len(content) <= SIZE_MAX:
        raise BadInput({"file": "文件须在 10 MiB 以内，且不为空。 1 byte to 10 MiB."})
    media_type = kind_of(name, content)
    parts = asking.parts
    with parts.database.reading() as session:
        _room(session, asking.who, ticket_id)
    row = AttachmentRow(
        ticket_id=ticket_id, name=name, media_type=media_type, size=len(content),
        sha256=hashlib.sha256(content).hexdigest(), object_name=secrets.token_hex(16),
        added_by=asking.who.login, added_at=parts.clock(),
    )  # fmt: skip
    try:
        parts.store.put(key(row.object_name), content)
    except StoreError as error:
        raise Conflict(f"文件未能保存，请稍后重试。 Not kept, try again later: {error}") from error
    with parts.database.begin() as session:
        ticket = _room(session, asking.who, ticket_id)
        session.add(row)
        acts.story(session, ticket, asking.who.login, "attach", row.added_at, why=name)
        session.flush()
    return row


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
    except StoreError as error:
        raise _lost(row) from error
    if hashlib.sha256(content).hexdigest() != row.sha256:
        raise _lost(row)
    return content


def _lost(row: AttachmentRow) -> Conflict:
    return Conflict(
        f"附件 {row.id} 在存储中缺失或已损坏，请联系热线。 "
        f"Attachment {row.id} is missing from the store, or damaged: ask the hotline."
    )


def _named(given: str) -> str:
    """The name without the way to it, as some browsers send that too."""
    name = re.split(r"[/\\]", given)[-1].strip()
    if not 0 < len(name) <= NAME_MAX or not name.isprintable():
        told = f"文件名为 1–{NAME_MAX} 个可见字符。 A name is 1 to {NAME_MAX} visible characters."
        raise BadInput({"name": told})
    return name


def _room(session: Session, who: Person, ticket_id: int) -> TicketRow:
    """The ticket, if this person edits it and it may have one more."""
    ticket = acts.editable(session, ticket_id, who)
    there = select(func.count()).where(AttachmentRow.ticket_id == ticket_id)
    if (session.scalar(there) or 0) >= AT_MOST:
        raise Conflict(f"每张工单最多 {AT_MOST} 个附件。 At most {AT_MOST} files for a ticket.")
    return ticket
