"""Files of tickets, for programs: added by who edits the ticket, fetched by departments.

The table in `routes` takes the endpoints in. What may be kept, `flow.attaching` decides; whom a
link opens for, `flow.handing`.
"""

import asyncio
from datetime import datetime

from pydantic import Base64Bytes
from starlette.responses import Response

from gateway import saving
from gateway.api.endpoint import Answer, Asked, Call, Endpoint, number
from gateway.api.machine import Turned
from gateway.api.shapes import Model
from gateway.flow import attaching, handing, offering
from gateway.people.roles import Permission as P
from gateway.tables import AttachmentRow
from gateway.tickets.clocks import china


class AttachmentIn(Model):
    """A file: its name, which says its kind, and its bytes in base64."""

    name: str
    content: Base64Bytes


class AttachmentOut(Model):
    """A file that is kept with the ticket."""

    id: int
    name: str
    media_type: str
    size: int
    sha256: str
    added_by: str
    added_at: datetime

    @classmethod
    def of(cls, row: AttachmentRow) -> "AttachmentOut":
        """Of a row."""
        plain = {name: getattr(row, name) for name in cls.model_fields if name != "added_at"}
        return cls(**plain, added_at=china(row.added_at))


def attach(call: Call) -> Answer:
    """添加附件."""
    return AttachmentOut.of(call.prepared)


def _attach(asked: Asked) -> object:
    return attaching.attach(asked.asking, number(asked, "id"), asked.body.name, asked.body.content)


async def fetch(turned: Turned) -> Response:
    """取用附件或表单."""
    token = str(turned.path["token"])
    handed = await asyncio.to_thread(handing.fetch, turned.parts, turned.who, token, turned.origin)
    return saving.saved(handed.name, handed.media_type, handed.content)


MOST = 4 * attaching.SIZE_MAX // 3 + (1 << 16)
"""The largest file in base64, and what stands around it."""

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("POST", "/api/v1/tickets/{id}/attachments", attach, (P.TICKET_EDIT,), AttachmentOut,
             "添加附件 · Attach a file", AttachmentIn, status=201, act=_attach, most=MOST),
    Endpoint("GET", offering.PATH + "{token}", fetch, (), None,
             "取用附件、表单 · Fetch a file or form", machine=True,
             media="application/octet-stream"),
)  # fmt: skip
