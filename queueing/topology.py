"""Exchanges, queues, limits and dead letters: one literal, and the names made from it. Pure.

    hotline.workorders (topic) ── workorder.<code>.# ──▶ department.<code>
    hotline.replies    (topic) ── reply.#            ──▶ hotline.replies
    hotline.parked     (topic) ── #                  ──▶ hotline.parked     (dead letters)

Always holds: every queue is durable, bounded, refuses what it cannot hold (`reject-publish`: the
publisher hears of it) and gives what it cannot deliver to `hotline.parked`; nothing expires.
`kind` is the one switch (DESIGN §4): `quorum` counts deliveries and dead-letters at least once;
RabbitMQ 3.10.8 has left a single node's quorum queue without a leader after kills, so one node
alone may be better off with `classic`, which counts no deliveries and dead-letters at most once.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Kind = Literal["quorum", "classic"]

WORKORDERS: Final = "hotline.workorders"
REPLIES: Final = "hotline.replies"
PARKED: Final = "hotline.parked"

DELIVERY_LIMIT: Final = 20
"""Deliveries of one message before it is given up: what RabbitMQ 4 does by itself."""
MAX_LENGTH: Final = 100_000
"""Messages in one queue: years of one department's work orders; a bound on the broker's disk."""

QUEUE_BYTES: Final = 1 << 30
"""Of bodies in one queue, by policy: a queue that is there keeps its arguments."""
GONE_MS: Final = 5_000
"""From 4.3 on: for how long a quorum queue keeps what a consumer on a dead node has in hand; left
alone, a minute, in which nothing behind it is worked."""

DEDUPE_HEADER: Final = "x-dedupe-key"
"""The AMQP header that stays the same when a message is published again."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue, the exchange and pattern that fill it, and its arguments."""

    name: str
    exchange: str
    pattern: str
    arguments: dict[str, Any] = field(default_factory=dict)


EXCHANGES: Final = (WORKORDERS, REPLIES, PARKED)
"""All of type topic, all durable."""

_BOUNDED: Final = rf"^({re.escape(REPLIES)}$|department\.)"
"""The parked queue has no bound."""
_BOUND: Final = {"x-max-length": MAX_LENGTH, "x-overflow": "reject-publish"}
_DEAD: Final = {"x-dead-letter-exchange": PARKED}

ARGUMENTS: Final[dict[Kind, dict[str, Any]]] = {
    "quorum": {
        "x-queue-type": "quorum",
        **_BOUND,
        **_DEAD,
        "x-dead-letter-strategy": "at-least-once",
        "x-delivery-limit": DELIVERY_LIMIT,
    },
    "classic": {"x-queue-type": "classic", **_BOUND, **_DEAD},
}

PARKED_ARGUMENTS: Final[dict[Kind, dict[str, Any]]] = {
    # The end of the line: no bound and no further dead letter, so that nothing is dropped here.
    "quorum": {"x-queue-type": "quorum"},
    "classic": {"x-queue-type": "classic"},
}


COUNTS_NO_NACK: Final = (4, 3)
"""The release from which on a nack counts against no delivery limit, and `x-acquired-count` says
how often a message was taken (rabbitmq-server pull request 15387)."""


def release(version: str) -> tuple[int, ...]:
    """`(4, 3)` of 4.3.6: what decides how a broker behaves."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def department_queue(department: str) -> str:
    """The queue a department reads."""
    return f"department.{department}"


def work_order_key(department: str, message_type: str) -> str:
    """`workorder.<department>.<event>.v1` for a type `cn.12333.workorder.<event>.v1`."""
    event = message_type.removeprefix("cn.12333.workorder.")
    return f"workorder.{department}.{event}"


def reply_key(department: str) -> str:
    """The routing key a department's replies carry; on it rests who may speak for whom."""
    return f"reply.{department}.v1"


def department_of(routing_key: str) -> str:
    """The department a routing key names; empty when it is none of our keys."""
    parts = routing_key.split(".")
    ours = len(parts) >= 3 and parts[0] in {"workorder", "reply"}
    return parts[1][:40] if ours else ""


def queues(departments: Iterable[str], kind: Kind) -> list[Queue]:
    """Every queue there has to be for these departments."""
    own = [
        Queue(PARKED, PARKED, "#", PARKED_ARGUMENTS[kind]),
        Queue(REPLIES, REPLIES, "reply.#", ARGUMENTS[kind]),
    ]
    return own + [
        Queue(department_queue(code), WORKORDERS, f"workorder.{code}.#", ARGUMENTS[kind])
        for code in sorted(set(departments))
    ]


def user_of(department: str) -> str:
    """The broker's account a department speaks under."""
    return f"department.{department}"


def queue_for(exchange: str, routing_key: str) -> str:
    """Where a message goes that is published so: what the bindings above say, for `embedded`."""
    if exchange == WORKORDERS:
        return department_queue(department_of(routing_key))
    return exchange


def definitions(
    departments: Iterable[str], kind: Kind = "quorum", vhost: str = "/"
) -> dict[str, list[dict[str, Any]]]:
    """The same as a RabbitMQ definitions document (`rabbitmqctl import_definitions`)."""
    wanted = queues(departments, kind)
    durable = {"vhost": vhost, "durable": True, "auto_delete": False}
    return {
        "exchanges": [
            {"name": name, "type": "topic", "internal": False, "arguments": {}, **durable}
            for name in EXCHANGES
        ],
        "queues": [{"name": q.name, "arguments": q.arguments, **durable} for q in wanted],
        "bindings": [
            {
                "source": q.exchange,
                "vhost": vhost,
                "destination": q.name,
                "destination_type": "queue",
                "routing_key": q.pattern,
                "arguments": {},
            }
            for q in wanted
        ],
        "policies": [
            _policy(vhost, "hotline", _BOUNDED, "queues", {"max-length-bytes": QUEUE_BYTES})
        ],
    }


def policies_since_4_3(vhost: str) -> dict[str, list[dict[str, Any]]]:
    """The policies for quorum queues of RabbitMQ 4.3, in the place of those above; an older one
    refuses a document with a policy's key it does not know."""
    gone = {"consumer-disconnected-timeout": GONE_MS}
    bounded = {"max-length-bytes": QUEUE_BYTES, **gone}
    return {
        "policies": [
            _policy(vhost, "hotline", _BOUNDED, "quorum_queues", bounded),
            _policy(vhost, "hotline-parked", rf"^{re.escape(PARKED)}$", "quorum_queues", gone),
        ]
    }


def _policy(
    vhost: str, name: str, pattern: str, to: str, definition: dict[str, Any]
) -> dict[str, Any]:
    return {"vhost": vhost, "name": name, "pattern": pattern, "apply-to": to, "priority": 0,
            "definition": definition}  # fmt: skip
