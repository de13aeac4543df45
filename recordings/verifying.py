"""The checking of the whole log: every line hashed again, and compared.

With what: its own row, the head, and signed checkpoints (`tally`).  What always holds: a log nobody
touched gives no finding, also while others append (one consistent view: the caller's transaction
must be a snapshot); and nothing is mended here.

The database itself writes each line's canonical JSON, a stretch at a time: that is fast, and only
ever says "sound". From the first stretch on that it does not say so of, each line is written anew
here, and what is found is found by that.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import cast

from sqlalchemy import Table, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from recordings import audit, lines
from recordings.tables import AuditLineRow
from recordings.tally import STOP_AFTER, STRETCH, Leaf, Tally, Verdict

_LINE = cast("Table", AuditLineRow.__table__).c
_ALL = select(
    _LINE.id, _LINE.at, _LINE.action, _LINE.actor, _LINE.origin, _LINE.obj, _LINE.outcome,
    _LINE.grant_id, _LINE.detail, _LINE.nodes,
).order_by(_LINE.id)  # fmt: skip
WRITTEN = {
    "sqlite": (
        "SELECT id, json_object('action', action, 'actor', actor, 'at', at, 'detail', detail, "
        "'grant', grant_id, 'line', id, 'object', obj, 'origin', origin, 'outcome', outcome), "
        "nodes FROM audit_line ORDER BY id"
    ),
    "postgresql": (
        """SELECT id, '{"action":' || to_json(action)::text || ',"actor":' || to_json(actor)::text
        || ',"at":' || at || ',"detail":' || to_json(detail)::text
        || ',"grant":' || coalesce(grant_id::text, 'null') || ',"line":' || id
        || ',"object":' || to_json(obj)::text || ',"origin":' || to_json(origin)::text
        || ',"outcome":' || to_json(outcome)::text || '}', nodes FROM audit_line ORDER BY id"""
    ),
}
"""The line's canonical JSON in each database's own words."""


def verify(
    session: Session,
    checkpoints: Sequence[str] = (),
    verifier_keys: Sequence[str] = (),
    *,
    origin: str = "",
    stop_after: int = STOP_AFTER,
) -> Verdict:
    """Hash every line again and compare: with its own row, the head, and signed checkpoints.

    A checkpoint not signed by one of `verifier_keys`, or of another log than `origin` ("": of
    whichever), is a problem, not a proof. After `stop_after` problems no more are looked for.
    """
    tally = Tally(checkpoints, verifier_keys, origin=origin, stop_after=stop_after)
    _skim(session, tally)
    tally.count(leaves(session, tally.size))
    if audit.head(session) != (tally.size, tally.frontier):
        tally.found(None, "行数或根与表头不符 lines do not match the head")
    return tally.verdict()


def leaves(session: Session, start: int = 0) -> Iterator[Leaf]:
    """Every line there is from number `start` on, in order."""
    wanted = _ALL.where(_LINE.id >= start) if start else _ALL
    rows = session.connection().execute(wanted.execution_options(yield_per=1000))
    with rows:  # closed also by whoever stops reading
        for row in rows:
            try:
                yield row[0], lines.leaf(*row[:-1]), row[-1]
            except (TypeError, ValueError):  # a type no line has: this row was not written by us
                yield row[0], b"", row[-1]


def _skim(session: Session, tally: Tally) -> None:
    """Count the sound stretches from the beginning; end at whatever is not one."""
    connection = session.connection()
    written = WRITTEN[connection.dialect.name]
    try:
        rows = connection.exec_driver_sql(written, execution_options={"yield_per": STRETCH})
        with rows:
            for part in rows.partitions(STRETCH):
                numbers, texts, nodes = zip(*part, strict=True)
                if numbers != tuple(range(tally.size, tally.size + STRETCH)):
                    return
                hashes = [hashlib.sha256(b"\0" + text.encode()).digest() for text in texts]
                if not tally.skip(hashes, list(nodes)):
                    return
    except (DBAPIError, AttributeError):
        return  # SQLite holds a type that JSON has not: each line will say
