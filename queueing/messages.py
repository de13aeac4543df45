"""The words spoken with departments: every model by its type, in a CloudEvents envelope. Pure.

A message is frozen. Whoever reads one ignores fields it does not know, so adding a field is no new
version; taking one away or changing what it means is (`.v2` beside `.v1`).
The models themselves are `orders_out` and `replies_in`.
Always holds: what `encode` writes, `decode` reads back the same; what `decode` accepts fits the
database; the reason of `Unreadable` names the place and never quotes the content; no `repr` shows
a person or a matter.
The envelope is CloudEvents 1.0 in structured JSON mode, Chinese as itself and not as escapes.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final, Literal

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from queueing import tracing
from queueing.errors import Code, Unreadable
from queueing.fields import Department, Model, OfWorkOrder, Short
from queueing.orders_out import (
    Attachment,
    Caller,
    Form,
    OutMessage,
    WorkOrder,
    WorkOrderChanged,
    WorkOrderExtended,
    WorkOrderOffered,
    WorkOrderRemarked,
    WorkOrderSupervised,
    WorkOrderUrged,
    WorkOrderWithdrawn,
)
from queueing.rejected import ReplyRejected
from queueing.replies_in import (
    DepartmentReply,
    ExtensionAsked,
    Progress,
    Remarked,
    Replied,
    Reply,
    Returned,
    Signed,
)
from queueing.tested import ConnectionTested

__all__ = [  # one door: whoever reads or writes messages imports them from here
    "Attachment", "Caller", "ConnectionTested", "Department", "DepartmentReply", "ExtensionAsked",
    "Form", "OutMessage",
    "Progress", "Remarked", "Replied", "Reply", "ReplyRejected", "Returned", "Signed", "WorkOrder",
    "WorkOrderChanged", "WorkOrderExtended", "WorkOrderOffered", "WorkOrderRemarked",
    "WorkOrderSupervised", "WorkOrderUrged", "WorkOrderWithdrawn",
]  # fmt: skip

CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
MAX_BYTES: Final = 256 * 1024
"""The longest message there can be, were all of it escapes, is just below; more is noise."""

SCHEMA: Final = "urn:12333:schema:"
"""Before a type: the name of its schema, in `dataschema`."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Message = (
    OutMessage
    | ReplyRejected
    | ConnectionTested
    | Signed
    | Returned
    | Replied
    | ExtensionAsked
    | Progress
    | Remarked
)

OFFERED: Final = "cn.12333.workorder.offered.v1"
CHANGED: Final = "cn.12333.workorder.changed.v1"
URGED: Final = "cn.12333.workorder.urged.v1"
SUPERVISED: Final = "cn.12333.workorder.supervised.v1"
EXTENDED: Final = "cn.12333.workorder.extended.v1"
REMARKED: Final = "cn.12333.workorder.remarked.v1"
WITHDRAWN: Final = "cn.12333.workorder.withdrawn.v1"
REJECTED: Final = "cn.12333.workorder.rejected.v1"
TESTED: Final = "cn.12333.workorder.tested.v1"
REPLY: Final = "cn.12333.reply.v1"

TYPES: Final[dict[str, TypeAdapter[Any]]] = {
    OFFERED: TypeAdapter(WorkOrderOffered),
    CHANGED: TypeAdapter(WorkOrderChanged),
    URGED: TypeAdapter(WorkOrderUrged),
    SUPERVISED: TypeAdapter(WorkOrderSupervised),
    EXTENDED: TypeAdapter(WorkOrderExtended),
    REMARKED: TypeAdapter(WorkOrderRemarked),
    WITHDRAWN: TypeAdapter(WorkOrderWithdrawn),
    REJECTED: TypeAdapter(ReplyRejected),
    TESTED: TypeAdapter(ConnectionTested),
    REPLY: TypeAdapter(DepartmentReply),
}
"""Every message there is, by its CloudEvents type."""

_TYPE_OF: Final[dict[type[Model], str]] = {
    WorkOrderOffered: OFFERED,
    WorkOrderChanged: CHANGED,
    WorkOrderUrged: URGED,
    WorkOrderSupervised: SUPERVISED,
    WorkOrderExtended: EXTENDED,
    WorkOrderRemarked: REMARKED,
    WorkOrderWithdrawn: WITHDRAWN,
    ReplyRejected: REJECTED,
    ConnectionTested: TESTED,
}
"""What the hotline sends; all else is a department's reply."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message and what CloudEvents says about it; `time_us` is µs since the epoch, UTC."""

    event_id: str
    source: str
    type: str
    time_us: int
    message: Message
    digest: str = ""
    """SHA-256 of the data as it came: what a repetition has to have in common."""
    trace: str = ""
    """The `traceparent` it came with; empty where there was none that can be read."""


class _Wrapping(Model):
    """CloudEvents 1.0 §3: the attributes we need; others may be there."""

    specversion: Literal["1.0"]
    id: Short
    source: Short
    type: str
    time: AwareDatetime
    data: dict[str, Any]
    traceparent: object = ""


def type_of(message: Message) -> str:
    """The CloudEvents type of a message."""
    return _TYPE_OF.get(type(message), REPLY)


def encode(message: Message, *, event_id: str, source: str, time_us: int, trace: str = "") -> bytes:
    """The message in its envelope as UTF-8 JSON; `time_us` is µs since the epoch, UTC.

    `sequence` is the CloudEvents extension of that name: the version, padded so that it orders as
    text. `dataschema` names the schema in the contract. What is of no work order's version has
    neither `sequence` nor, where no work order is known, `subject`. `trace` is the CloudEvents
    extension `traceparent` (distributed tracing).
    """
    kind = type_of(message)
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": kind,
        "time": (_EPOCH + timedelta(microseconds=time_us)).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "dataschema": SCHEMA + kind,
        "data": message.model_dump(mode="json"),
    }
    if message.work_order:
        event["subject"] = message.work_order
    if trace:
        event["traceparent"] = trace
    if isinstance(message, OfWorkOrder):
        event["sequence"] = f"{message.version:010}"
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def decode(body: bytes) -> Envelope:
    """Read one envelope; raises `Unreadable` with a reason that can be shown and logged."""
    if len(body) > MAX_BYTES:
        raise Unreadable(f"{len(body)} bytes, at most {MAX_BYTES}", "too-large")
    try:
        event = _Wrapping.model_validate_json(body)
    except ValidationError as problem:
        raise Unreadable(_places(problem)) from None
    if event.type not in TYPES:
        raise Unreadable(f"unknown type {event.type[:80]!a}", _unknown(event.type))
    try:
        message = TYPES[event.type].validate_python(event.data)
    except ValidationError as problem:
        raise Unreadable(_places(problem), "bad-content") from None
    # Whole microseconds; through a float they would be off by one now and then.
    time_us = (event.time - _EPOCH) // timedelta(microseconds=1)
    trace = tracing.parse(str(event.traceparent))
    return Envelope(
        event.id, event.source, event.type, time_us, message, digest(event.data), str(trace or "")
    )


def digest(data: dict[str, Any]) -> str:
    """SHA-256 (hex) of a message's `data`, whatever the order and the spacing of its fields."""
    return sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _unknown(type_: str) -> Code:
    """Whether a type that is not ours is another version of one that is."""
    known = {name.rpartition(".")[0] for name in TYPES}
    return "wrong-version" if type_.rpartition(".")[0] in known else "unknown-type"


def _places(problem: ValidationError) -> str:
    """The first three faults as `place: what`, without the input that had them."""
    faults = problem.errors(include_url=False, include_input=False, include_context=False)
    named = [f"{'.'.join(str(p) for p in f['loc']) or 'body'}: {f['msg']}" for f in faults[:3]]
    return ascii("; ".join(named))[1:-1]


def json_schema() -> dict[str, dict[str, Any]]:
    """JSON Schema (2020-12) of every message's `data`, by CloudEvents type."""
    return {name: adapter.json_schema(mode="serialization") for name, adapter in TYPES.items()}
