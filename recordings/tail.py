"""The end of the log in the database: the head locked, lines and head written.

What always holds: whoever was given the head holds its row's lock until the transaction ends, so
nobody else's line can come between; lines and head are written together.  What a line holds, and
how the tree grows, is not known here.

Said to the driver as it stands, for every act of the product ends here, and composing a statement
anew takes longer than a small one does (decision 0020).  Where the database can do it, lines and
head are one statement: each is a way there and back, while others wait for the lock.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

Line = tuple[Any, ...]
"""The values of COLUMNS."""

COLUMNS = ("id", "at", "action", "actor", "origin", "obj", "outcome", "grant_id", "detail", "nodes")
_NAMED = ", ".join(COLUMNS)

_FIRST = "INSERT INTO audit_head (id, size, frontier) VALUES (1, 0, {empty}) ON CONFLICT DO NOTHING"
_LOCKED = "SELECT size, frontier FROM audit_head WHERE id = 1"
_LINES = f"INSERT INTO audit_line ({_NAMED}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 - our own words
_HEAD = "UPDATE audit_head SET size = ?, frontier = ? WHERE id = 1"
_TYPES = ("bigint", "bigint", *["text"] * 5, "bigint", "text", "bytea")
_BOTH = (
    f"WITH written AS (INSERT INTO audit_line ({_NAMED}) "  # noqa: S608 - our own words
    f"SELECT * FROM unnest({', '.join(f'%s::{kind}[]' for kind in _TYPES)})) "
    "UPDATE audit_head SET size = %s, frontier = %s WHERE id = 1"
)


def locked(connection: Connection) -> tuple[int, bytes]:
    """How many lines there are, and the frontier; the row is made by whoever comes first."""
    postgresql = connection.dialect.name == "postgresql"
    # SQLite's writer is alone from its BEGIN IMMEDIATE on
    asked = f"{_LOCKED} FOR UPDATE" if postgresql else _LOCKED
    found = connection.exec_driver_sql(asked).first()
    if found is None:
        connection.exec_driver_sql(_FIRST.format(empty="''" if postgresql else "x''"))
        found = connection.exec_driver_sql(asked).one()
    return found[0], found[1]


def write(connection: Connection, lines: Sequence[Line], size: int, frontier: bytes) -> None:
    """The lines, and the head as it is after them; the head is `locked`."""
    if connection.dialect.name == "postgresql":
        columns = [list(column) for column in zip(*lines, strict=True)]
        connection.exec_driver_sql(_BOTH, (*columns, size, frontier))
    else:
        connection.exec_driver_sql(_LINES, list(lines))
        connection.exec_driver_sql(_HEAD, (size, frontier))
