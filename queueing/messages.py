"""The words spoken with departments: versioned models in a CloudEvents envelope. Pure.

A message is frozen. Whoever reads one ignores fields it does not know, so adding a field is no new
version; taking one away or changing what it means is (`.v2` beside `.v1`).
Always holds: what `encode` writes, `decode` reads back the same; what `decode` accepts fits the
database (bounded lengths, no NUL, numbers within 32 bits); a confidential work order names no
caller (DOMAIN: 保密: departments see the matter and not the person); the reason of `Unreadable`
names the place and never quotes the content; no `repr` shows a person or a matter.
The envelope is CloudEvents 1.0 in structured JSON mode, Chinese as itself and not as escapes.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from queueing.errors import Code, Unreadable

CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
MAX_BYTES: Final = 256 * 1024
"""The longest message there can be, were all of it escapes, is just below; more is noise."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _without_nul(text: str) -> str:
    if "\0" in text:  # PostgreSQL stores no NUL: it would fail for ever, so it is refused here
        raise ValueError("contains NUL")
    return text


Short = Annotated[
    str, StringConstraints(min_length=1, max_length=120), AfterValidator(_without_nul)
]
Perhaps = Annotated[str, StringConstraints(max_length=120), AfterValidator(_without_nul)]
Long = Annotated[str, StringConstraints(max_length=20_000), AfterValidator(_without_nul)]
Department = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")]
"""A department's code; it stands in routing keys and queue names, so it has no dot."""
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Caller(_Model):
    """Who rang, as far as the department may know."""

    name: Perhaps = Field(repr=False)
    phone: Perhaps = Field(repr=False)


class _OfWorkOrder(_Model):
    """What every message says first: which work order, which state of it, whose."""

    work_order: Short
    version: Version
    department: Department


class WorkOrderOffered(_OfWorkOrder):
    """A work order (派单) for a department; a higher version replaces a lower one."""

    acceptance_no: Short
    lead: bool
    kind: Short
    complaint_class: Short | None
    level: Short
    summary: Long = Field(repr=False)
    demand: Long = Field(repr=False)
    due_at: AwareDatetime | None
    """None while the holidays of the year it would fall in are not published."""
    confidential: bool
    caller: Caller | None

    @model_validator(mode="after")
    def _keeps_the_confidence(self) -> "WorkOrderOffered":
        if self.confidential and self.caller is not None:
            raise ValueError("a confidential work order names no caller")
        return self


class WorkOrderWithdrawn(_OfWorkOrder):
    """The hotline takes a work order back (改派, 撤回): the department need do nothing more."""

    reason: Long = Field(repr=False)


class Signed(_OfWorkOrder):
    """签收: the department has it; `by` is the officer."""

    event: Literal["signed"] = "signed"
    by: Short = Field(repr=False)


class Returned(_OfWorkOrder):
    """退单: not this department's, and why."""

    event: Literal["returned"] = "returned"
    by: Short = Field(repr=False)
    reason: Long = Field(repr=False, min_length=1)


class Replied(_OfWorkOrder):
    """反馈: what was found and what was done."""

    event: Literal["replied"] = "replied"
    by: Short = Field(repr=False)
    result: Long = Field(repr=False, min_length=1)
    measures: Long = Field(repr=False)


DepartmentReply = Annotated[Signed | Returned | Replied, Field(discriminator="event")]
Message = WorkOrderOffered | WorkOrderWithdrawn | Signed | Returned | Replied

OFFERED: Final = "cn.12333.workorder.offered.v1"
WITHDRAWN: Final = "cn.12333.workorder.withdrawn.v1"
REPLY: Final = "cn.12333.reply.v1"

TYPES: Final[dict[str, TypeAdapter[Any]]] = {
    OFFERED: TypeAdapter(WorkOrderOffered),
    WITHDRAWN: TypeAdapter(WorkOrderWithdrawn),
    REPLY: TypeAdapter(DepartmentReply),
}
"""Every message there is, by its CloudEvents type."""


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


class _Wrapping(_Model):
    """CloudEvents 1.0 §3: the attributes we need; others may be there."""

    specversion: Literal["1.0"]
    id: Short
    source: Short
    type: str
    time: AwareDatetime
    data: dict[str, Any]


def type_of(message: Message) -> str:
    """The CloudEvents type of a message."""
    if isinstance(message, WorkOrderOffered):
        return OFFERED
    return WITHDRAWN if isinstance(message, WorkOrderWithdrawn) else REPLY


def encode(message: Message, *, event_id: str, source: str, time_us: int) -> bytes:
    """The message in its envelope as UTF-8 JSON; `time_us` is µs since the epoch, UTC."""
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": type_of(message),
        "subject": message.work_order,
        "time": (_EPOCH + timedelta(microseconds=time_us)).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": message.model_dump(mode="json"),
    }
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
    return Envelope(event.id, event.source, event.type, time_us, message, digest(event.data))


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
