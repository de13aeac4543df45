"""Who may do what at the broker, and all of it as a RabbitMQ definitions document. Pure.

    hotline            configures, writes and reads what is hotline.* or department.*
    department.<code>  reads its own queue; writes to hotline.replies, with its own key alone

Always holds: a department has a topic permission on both exchanges, because RabbitMQ lets who has
none on an exchange use every key there; nothing of ours matches the default exchange, so nobody but
the gateway reaches a queue past its exchange; binding a queue to an exchange takes the right to
read that exchange and to write to that queue, and a department has neither. Names of departments
hold no dot and no sign of a pattern (`messages.Department`), and are escaped all the same.
Passwords are here as salted hashes only; chance is an argument.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from queueing import topology
from queueing.topology import PARKED, REPLIES, WORKORDERS, Kind, Queue

GATEWAY: Final = "hotline"
"""The gateway's own account."""
VHOST: Final = "hotline"
OURS: Final = r"^(hotline|department)\."
NOTHING: Final = "^$"
HASHING: Final = "rabbit_password_hashing_sha256"


@dataclass(frozen=True, slots=True)
class Right:
    """What one account may do: patterns of names, and of the keys it may publish."""

    user: str
    configure: str
    write: str
    read: str
    keys: Mapping[str, str]
    """By exchange, the routing keys it may publish; where an exchange is not here, every key."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything the broker has to have for these departments."""

    departments: tuple[str, ...]
    kind: Kind = "quorum"

    def queues(self) -> list[Queue]:
        """Every queue, with its binding and arguments."""
        return topology.queues(self.departments, self.kind)

    def rights(self) -> list[Right]:
        """The gateway's account, and one a department."""
        return [
            Right(GATEWAY, OURS, OURS, OURS, {}),
            *(right_of(code) for code in sorted(set(self.departments))),
        ]


def right_of(department: str) -> Right:
    """What a department's own account may do, and nothing else."""
    code = re.escape(department)
    keys = {
        REPLIES: rf"^reply\.{code}\.v1$",
        WORKORDERS: NOTHING,
        PARKED: NOTHING,
    }
    return Right(
        user=topology.user_of(department),
        configure=NOTHING,
        write=rf"^{re.escape(REPLIES)}$",
        read=rf"^department\.{code}$",
        keys=keys,
    )


def hashed(password: str, salt: bytes) -> str:
    """The password as RabbitMQ keeps it: base64 of 4 bytes of salt and SHA-256 of salt, password
    (RabbitMQ, "Passwords": this is their computation, not ours to choose)."""
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def definitions(
    layout: Layout, *, vhost: str = VHOST, users: Mapping[str, str] | None = None
) -> dict[str, list[dict[str, Any]]]:
    """For `rabbitmqctl import_definitions`, which adds to what is there and removes nothing.

    `users` are hashed passwords by account; only these accounts are written, with their rights.
    """
    known = users or {}
    rights = [right for right in layout.rights() if right.user in known]
    return {
        "vhosts": [{"name": vhost}],
        **accounts(rights, known, vhost),
        **topology.definitions(layout.departments, layout.kind, vhost),
    }


def accounts(
    rights: Iterable[Right], hashes: Mapping[str, str], vhost: str
) -> dict[str, list[dict[str, Any]]]:
    """The part of a definitions document that makes these accounts and gives them their rights."""
    rights = list(rights)
    return {
        "users": [
            {
                "name": right.user,
                "password_hash": hashes[right.user],
                "hashing_algorithm": HASHING,
                "tags": "",
                "limits": {},
            }
            for right in rights
        ],
        "permissions": [
            {
                "user": right.user,
                "vhost": vhost,
                "configure": right.configure,
                "write": right.write,
                "read": right.read,
            }
            for right in rights
        ],
        "topic_permissions": [
            {"user": right.user, "vhost": vhost, "exchange": name, "write": keys, "read": NOTHING}
            for right in rights
            for name, keys in sorted(right.keys.items())
        ],
    }
