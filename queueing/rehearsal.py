"""The contract test of a department's own program: what is sent to it. Pure.

    offered → again → tested → unknown-type → unknown-field → urged → withdrawn → noise

Each step sends its messages, and then a work order of its own that has to be signed: a program that
has come to that has got past what was before it, and one that has not is stuck there. The steps
after it are not tried then. What is offered says that nothing needs to be done about it.
Always holds: numbers of work orders are of this one run, so no program takes them for a repetition
of the last. How the program did is `verdicts`' to say.
"""

import json
from dataclasses import dataclass
from typing import Any, Final, Literal

from queueing import messages
from queueing.messages import (
    ConnectionTested,
    Message,
    WorkOrderOffered,
    WorkOrderUrged,
    WorkOrderWithdrawn,
)

Name = Literal[
    "offered",
    "again",
    "tested",
    "unknown-type",
    "unknown-field",
    "urged",
    "withdrawn",
    "noise",
]
UNKNOWN: Final = "cn.12333.workorder.rehearsed.v1"
"""A type that there will never be."""
STRANGE: Final = "-x"
"""After a number: the work order that the message of that type names."""
TEXT: Final = "接入检测，请勿办理。 A check of your program: nothing is to be done."


@dataclass(frozen=True, slots=True)
class Step:
    """Messages by type, and the work order that must be signed for the next step to begin."""

    name: Name
    sent: tuple[tuple[str, bytes], ...]
    last: str


def number(run: str, name: Name) -> str:
    """The work order of a step in this run."""
    return f"CHECK-{run}-{name}"


def steps(code: str, run: str, time_us: int) -> list[Step]:
    """What is sent to the department's program; `run` makes the numbers this run's own."""

    def event(message: Message, name: str) -> tuple[str, bytes]:
        source = "urn:12333:rehearsal"
        body = messages.encode(message, event_id=f"{run}/{name}", source=source, time_us=time_us)
        return messages.type_of(message), body

    def offered(name: Name) -> tuple[str, bytes]:
        return event(WorkOrderOffered(**_whole(code, run, name)), name)

    whole = _whole(code, run, "offered")
    urged = WorkOrderUrged(**(whole | {"version": 2}), by="check", reason=TEXT, times=1)
    about = {"work_order": whole["work_order"], "version": 3, "department": code}
    strange = json.loads(offered("unknown-type")[1])
    strange |= {"id": f"{run}/strange", "type": UNKNOWN, "dataschema": messages.SCHEMA + UNKNOWN}
    strange["data"] |= {"work_order": f"{number(run, 'unknown-type')}{STRANGE}"}
    before: dict[Name, tuple[tuple[str, bytes], ...]] = {
        "offered": (),
        "again": (offered("offered"), offered("offered")),
        "tested": (event(ConnectionTested(department=code, text=TEXT), "test"),),
        "unknown-type": ((UNKNOWN, json.dumps(strange).encode()),),
        "unknown-field": (),
        "urged": (event(urged, "urged"),),
        "withdrawn": (event(WorkOrderWithdrawn(**about, reason=TEXT), "gone"),),
        "noise": ((messages.OFFERED, b'{"specversion": "1.0", "id'),),
    }
    made = []
    for name, sent in before.items():
        kind, body = offered(name)
        body = _grown(body) if name == "unknown-field" else body
        made.append(Step(name, (*sent, (kind, body)), number(run, name)))
    return made


def _whole(code: str, run: str, name: Name) -> dict[str, Any]:
    return {
        "work_order": number(run, name),
        "version": 1,
        "department": code,
        "acceptance_no": f"CHECK {run}",
        "lead": True,
        "kind": "complaint",
        "complaint_class": "other",
        "level": "ordinary",
        "summary": TEXT,
        "demand": TEXT,
        "due_at": None,
        "confidential": False,
        "caller": messages.Caller(name="检测", phone="000-0000"),
    }


def _grown(body: bytes) -> bytes:
    """The same event with a field of each kind that nobody knows yet, wherever there can be one."""
    event = json.loads(body)
    later: dict[str, Any] = {"later1": "新", "later2": 2, "later3": None, "later4": {"a": [1]}}
    event |= {"traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01", "later": "新"}
    event["data"] |= later
    event["data"]["caller"] |= later
    return json.dumps(event, ensure_ascii=False).encode()
