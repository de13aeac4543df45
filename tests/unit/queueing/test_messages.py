"""The envelope and the models: what is written is read, and what is read is safe to keep."""

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from queueing import messages
from queueing.errors import Unreadable
from queueing.messages import (
    ConnectionTested,
    ExtensionAsked,
    Progress,
    Remarked,
    Replied,
    ReplyRejected,
    Returned,
    Signed,
    WorkOrderChanged,
    WorkOrderExtended,
    WorkOrderOffered,
    WorkOrderRemarked,
    WorkOrderSupervised,
    WorkOrderUrged,
    WorkOrderWithdrawn,
)
from tests.rig.workorders import offered

ABOUT: dict[str, Any] = {"work_order": "WO-2026-000001-1", "version": 1, "department": "sb"}
WHOLE: dict[str, Any] = dict(offered(version=2))
FILE = messages.Attachment(
    name="改派通知.pdf",
    media_type="application/pdf",
    size=1,
    sha256="0" * 64,
    url="https://hotline.example/api/v1/department/files/x",
    expires_at=datetime(2026, 12, 31, tzinfo=UTC),
)
FORM = messages.Form(**FILE.model_dump(exclude={"size", "sha256"}), form="register")
EVERY: list[messages.Message] = [
    offered().model_copy(update={"attachments": (FILE,), "forms": (FORM,)}),
    WorkOrderUrged(**WHOLE, by="张三", reason="改派前催一次", times=1),
    WorkOrderSupervised(**WHOLE, by="张三", instruction="限期改派"),
    WorkOrderExtended(**WHOLE, by="张三", granted=True, reason="改派需要时间"),
    WorkOrderChanged(**WHOLE, by="张三", reason="改派前补充", changed=["summary", "due_at"]),
    WorkOrderRemarked(**WHOLE, from_department="gs", by="张三", text="窗口属实", part=1, parts=2),
    WorkOrderWithdrawn(**ABOUT, reason="改派"),
    ReplyRejected(
        department="sb",
        work_order=None,
        reply_id="e7",
        reply_source="urn:d:sb",
        code="illegal-step",
        reason="当前不可办理。 Not now.",
        digest="0" * 64,
        size=7,
    ),
    ConnectionTested(department="sb", text="测试消息"),
    Signed(**ABOUT, by="张三"),
    Returned(**ABOUT, by="张三", reason="不属本部门"),
    Replied(**ABOUT, by="张三", result="属实", measures="已道歉"),
    ExtensionAsked(
        **ABOUT, by="张三", until=datetime(2026, 12, 1, 15, 59, 59, tzinfo=UTC), reason="属实，需时"
    ),
    Progress(**ABOUT, by="张三", text="属实，正在整改"),
    Remarked(**ABOUT, by="张三", text="属实，请工伤科一并核查"),
]


def sealed(message: messages.Message, **changes: object) -> dict[str, Any]:
    body = messages.encode(message, event_id="e1", source="urn:test", time_us=1_790_000_000_123_457)
    event: dict[str, Any] = json.loads(body)
    event.update(changes)
    return event


@pytest.mark.parametrize("message", EVERY, ids=lambda m: type(m).__name__)
def test_what_is_written_is_read_back(message: messages.Message) -> None:
    """Protects: every message survives its own envelope, to the microsecond."""
    body = messages.encode(message, event_id="e1", source="urn:test", time_us=1_790_000_000_123_457)
    envelope = messages.decode(body)
    assert envelope.message == message
    assert (envelope.event_id, envelope.source) == ("e1", "urn:test")
    assert envelope.time_us == 1_790_000_000_123_457


def test_chinese_travels_as_itself() -> None:
    """Protects: a person at the broker can read a message."""
    body = messages.encode(offered(), event_id="e1", source="urn:test", time_us=0)
    assert "窗口排队两小时无人应答".encode() in body
    assert b"\\u" not in body


def test_the_envelope_is_cloudevents() -> None:
    """Protects: CloudEvents 1.0 readers in other languages find what the standard requires."""
    event = sealed(offered())
    assert event["specversion"] == "1.0"
    assert event["type"] == "cn.12333.workorder.offered.v1"
    assert event["subject"] == "WO-2026-000001-1"
    assert event["time"] == "2026-09-21T14:13:20.123457Z"
    assert event["datacontenttype"] == "application/json"
    assert event["dataschema"] == "urn:12333:schema:cn.12333.workorder.offered.v1"


def test_the_sequence_orders_as_text() -> None:
    """Protects: a reader that compares the CloudEvents `sequence` finds the newest version."""
    found = [sealed(offered(version=version))["sequence"] for version in (2, 9, 10, 2**31 - 1)]
    assert found == sorted(found)
    assert {len(sequence) for sequence in found} == {10}


def test_unknown_fields_are_ignored() -> None:
    """Protects: an old reader reads a newer message (additive changes only)."""
    event = sealed(offered(), traceparent="00-1", futureattribute=1)
    event["data"]["added_later"] = {"anything": [1]}
    assert messages.decode(json.dumps(event).encode()).message == offered()


BROKEN: dict[str, Any] = {
    "not JSON": b"\xff\xfe{",
    "not an object": b"[1,2]",
    "nothing": b"",
    "too large": b'"' + b"x" * messages.MAX_BYTES + b'"',
    "deep": b"[" * 200_000,
    "other specversion": sealed(offered(), specversion="2.0"),
    "unknown type": sealed(offered(), type="cn.12333.reply.v9"),
    "type with NUL": sealed(offered(), type="a\0b"),
    "no id": sealed(offered(), id=""),
    "NUL in id": sealed(offered(), id="a\0b"),
    "long id": sealed(offered(), id="x" * 121),
    "time without zone": sealed(offered(), time="2026-09-21T13:33:20"),
    "data missing": sealed(offered(), data=None),
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
def test_noise_is_unreadable_with_a_reason(body: object) -> None:
    """Protects: whatever comes over the wire, decode raises one error, fit for log and table."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(Unreadable) as caught:
        messages.decode(raw)
    assert caught.value.reason
    assert caught.value.reason.isascii()
    assert "\0" not in caught.value.reason
    assert len(caught.value.reason) < 1000


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", 0),
        ("version", 2**31),
        ("version", "one"),
        ("department", "a.b"),
        ("department", "#"),
        ("department", ""),
        ("work_order", "x" * 121),
        ("by", "a\0b"),
        ("result", "\ud800"),
        ("result", "x" * 20_001),
        ("result", ""),
        ("event", "exploded"),
    ],
)
def test_what_the_database_could_not_keep_is_refused(field: str, value: object) -> None:
    """Protects: a reply that decodes can always be stored, and names no other queue."""
    event = sealed(Replied(**ABOUT, by="张三", result="属实", measures=""))
    event["data"][field] = value
    with pytest.raises(Unreadable):
        messages.decode(json.dumps(event).encode())


def test_a_reason_never_quotes_the_content() -> None:
    """Protects: names and numbers of a broken reply stay out of logs and tables."""
    event = sealed(Replied(**ABOUT, by="李四", result="属实", measures=""))
    event["data"]["measures"] = {"phone": "13900000000"}
    with pytest.raises(Unreadable) as caught:
        messages.decode(json.dumps(event).encode())
    assert "measures" in caught.value.reason
    assert "139" not in str(caught.value)


def test_a_confidential_work_order_names_no_caller() -> None:
    """Protects: 保密: a department sees the matter and not the person."""
    fields = offered().model_dump() | {"confidential": True}
    with pytest.raises(ValidationError, match="names no caller"):
        WorkOrderOffered(**fields)
    assert WorkOrderOffered(**(fields | {"caller": None})).caller is None


def test_repr_shows_neither_person_nor_matter() -> None:
    """Protects: a message in a traceback or log line tells nothing."""
    for message in EVERY:
        shown = repr(message)
        for secret in ("测试人", "000-0000", "窗口", "张三", "属实", "改派"):
            assert secret not in shown


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (WorkOrderSupervised, {"instruction": "\x01" * 1_000}),
        (WorkOrderChanged, {"reason": "\x01" * 1_000, "changed": ["x" * 40] * 20}),
        (
            WorkOrderRemarked,
            {"text": "\x01" * 1_000, "from_department": "x" * 40, "part": 20, "parts": 20},
        ),
    ],
)
def test_the_longest_message_can_be_read(
    kind: type[WorkOrderSupervised], said: dict[str, Any]
) -> None:
    """Protects: no message the models allow is too large for its reader, escapes included."""
    short, long = "\x01" * 120, "\x01" * 20_000
    texts = dict.fromkeys(("acceptance_no", "kind", "complaint_class", "level"), short)
    longest = kind(
        **(
            offered().model_dump()
            | said
            | {"by": short}
            | {"work_order": short, "caller": {"name": short, "phone": short}, **texts}
            | {"summary": long, "demand": long}
        )
    )
    body = messages.encode(longest, event_id=short, source=short, time_us=0)
    assert messages.decode(body).message == longest
    file = FILE.model_dump() | {
        "name": "\U0001f4ce" * 120, "url": "https://" + "~" * 290, "media_type": "x" * 80,
    }  # fmt: skip
    fields = longest.model_dump(exclude={"by", "instruction"}) | {
        "attachments": [file] * 10, "forms": [file | {"form": "x" * 40}] * 4,
    }  # fmt: skip
    with_files = WorkOrderOffered(**fields)
    body = messages.encode(with_files, event_id=short, source=short, time_us=0)
    assert messages.decode(body).message == with_files
    said = {"by": short, "reason": "\x01" * 1_000, "changed": ["x" * 40] * 20}
    added = WorkOrderChanged(**(fields | said | {"attachments": [file] * 3}))
    body = messages.encode(added, event_id=short, source=short, time_us=0)
    assert messages.decode(body).message == added


def test_every_type_has_a_schema() -> None:
    """Protects: what others read our messages by is made from the models themselves."""
    schemas = messages.json_schema()
    assert set(schemas) == set(messages.TYPES)
    assert {messages.type_of(message) for message in EVERY} == set(messages.TYPES)
    assert "confidential" in schemas[messages.OFFERED]["properties"]
    assert len(schemas[messages.REPLY]["oneOf"]) == 6


def test_every_field_is_described_in_both_languages() -> None:
    """Protects: a department's programmer reads what a field means, in Chinese first."""
    for schema in messages.json_schema().values():
        models = [schema, *schema.get("$defs", {}).values()]
        fields = [one for model in models for one in model.get("properties", {}).items()]
        for name, field in fields:
            said = field.get("description", "")
            assert name == "event" or ("。 " in said and not said.isascii()), name


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_unreadable(body: bytes) -> None:
    """Protects: no byte string gets another exception out of decode."""
    with contextlib.suppress(Unreadable):
        messages.decode(body)
