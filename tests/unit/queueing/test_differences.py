"""Exported definitions against the layout: each single difference is told, and nothing else."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from queueing import layout, topology
from queueing.differences import differences
from queueing.layout import GATEWAY, Layout

LAYOUT = Layout(("jy", "sb"), "quorum")
USERS = dict.fromkeys((GATEWAY, "department.jy", "department.sb"), "hash")
GOOD: dict[str, Any] = layout.definitions(LAYOUT, vhost="h", users=USERS)
Change = Callable[[dict[str, Any]], object]


def queue(document: dict[str, Any], name: str) -> Any:
    return next(row for row in document["queues"] if row["name"] == name)


def without(kind: str, **fields: str) -> Change:
    """The document with the rows that have these fields taken out."""

    def take_out(document: dict[str, Any]) -> None:
        rows = document[kind]
        document[kind] = [r for r in rows if any(r[k] != v for k, v in fields.items())]
        assert len(document[kind]) < len(rows)

    return take_out


def binding(source: str, queue: str, key: str) -> dict[str, Any]:
    return {**GOOD["bindings"][0], "source": source, "destination": queue, "routing_key": key}


CHANGES: dict[str, tuple[Change, str]] = {
    "vhost": (lambda d: d["vhosts"].clear(), "There is no vhost h"),
    "exchange": (without("exchanges", name="hotline.replies"), "No exchange hotline.replies"),
    "exchange kind": (
        lambda d: d["exchanges"][0].update(type="fanout"),
        "hotline.workorders is no durable topic",
    ),
    "queue": (without("queues", name="department.sb"), "No queue department.sb"),
    "not durable": (
        lambda d: queue(d, "department.sb").update(durable=False),
        "department.sb is not durable",
    ),
    "kind": (
        lambda d: queue(d, "department.sb")["arguments"].update({"x-queue-type": "classic"}),
        "x-queue-type: classic ≠ quorum",
    ),
    "limit": (
        lambda d: queue(d, "department.sb")["arguments"].pop("x-delivery-limit"),
        "x-delivery-limit: — ≠ 20",
    ),
    "binding": (
        without("bindings", destination="department.sb"),
        "department.sb is not bound to hotline.workorders (workorder.sb.#)",
    ),
    "foreign binding": (
        lambda d: d["bindings"].append(
            binding("hotline.workorders", "department.sb", "workorder.jy.#")
        ),
        "hotline.workorders (workorder.jy.#) to department.sb",
    ),
    "wider right": (
        lambda d: d["permissions"][1].update(read=".*"),
        "department.jy has other rights: ",
    ),
    "no right": (without("permissions", user="department.sb"), "department.sb has other rights: "),
    "no topic permission": (
        without("topic_permissions", user="department.sb", exchange="hotline.replies"),
        "department.sb has other rights hotline.replies",
    ),
    "no policy": (without("policies", name="hotline"), "The policy hotline is not as agreed"),
    "lower bound": (
        lambda d: d["policies"][0]["definition"].update({"max-length-bytes": 5}),
        "max-length-bytes=1073741824",
    ),
    "other pattern": (
        lambda d: d["policies"][0].update(pattern="^x"),
        "The policy hotline is not as agreed (^(hotline",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_each_difference_is_told_alone(change: str) -> None:
    """Protects: one thing wrong is one line that names it."""
    alter, told = CHANGES[change]
    document = json.loads(json.dumps(GOOD))
    alter(document)
    (line,) = differences(document, LAYOUT, "h")
    assert told in line


def test_from_4_3_on_its_own_policies_are_asked_for() -> None:
    """Protects: the minute in which 4.3 keeps what a dead node's consumer had is noticed by the
    doctor; an older release, which refuses such a policy, and classic queues are not asked."""
    document = {**json.loads(json.dumps(GOOD)), "rabbit_version": "4.2.1"}
    assert differences(document, LAYOUT, "h") == []
    document["rabbit_version"] = "4.3.6"
    lines = differences(document, LAYOUT, "h")
    assert [name in line for name, line in zip(("hotline", "hotline-parked"), lines, strict=True)]
    assert all("consumer-disconnected-timeout=5000" in line for line in lines)
    document |= topology.policies_since_4_3("h")
    assert differences(document, LAYOUT, "h") == []
    classic = Layout(LAYOUT.departments, "classic")
    document |= layout.definitions(classic, vhost="h", users=USERS)
    assert differences(document, classic, "h") == []


def test_what_is_not_ours_is_left_alone() -> None:
    """Protects: other houses' vhosts, queues and accounts at the same broker are no difference; nor
    is a department that shares an account."""
    document = json.loads(json.dumps(GOOD))
    document["vhosts"].append({"name": "theirs"})
    document["queues"].append({**GOOD["queues"][0], "name": "x", "vhost": "theirs"})
    document["queues"].append({**GOOD["queues"][0], "name": "somebody.else"})
    for kind in ("permissions", "topic_permissions"):
        rows = document[kind]
        document[kind] = [row for row in rows if row["user"] != "department.sb"]
    document["users"] = [row for row in GOOD["users"] if row["name"] != "department.sb"]
    assert differences(document, LAYOUT, "h") == []


def test_a_code_cannot_widen_a_pattern() -> None:
    """Protects: whatever a code holds, its patterns match its own names alone."""
    right = layout.right_of("a.b")
    assert right.read == r"^department\.a\.b$"
    assert right.keys["hotline.replies"] == r"^reply\.a\.b\.v1$"
