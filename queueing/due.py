"""What is still to be sent: narrow rows beside the outbox, claimed by lease and fence, deleted when
they are done.

A row is here from the moment its message is put until the broker has it or a person has to look,
so being here is the state, and ten million messages that were sent cost a claim nothing. Of each
ordering key only the lowest row may be claimed: a ticket's messages leave in the order of their
ids, one at a time; what was parked is not here and holds nobody up.
Always holds: a claim is a lease with a fence, and only who shows the fence marks the row; looking
writes nothing and takes no writer's turn; a mark finds its rows by primary key, however many wait
and however many are marked at once. What it deliberately has not: a lowest id as more than a hint
(`floor`), for a transaction that commits late must not be skipped (DESIGN §4).
The statements are written out, and twice where the databases take a list in different ways: a
relay that drains says them a hundred times a second (decision 0031).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import TextClause, text, update
from sqlalchemy.orm import Session

from queueing.tables import OutboxDueRow, OutboxRow


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row in one relay's hands until its lease runs out; `attempts` counts this one."""

    id: int
    fence: int
    attempts: int
    department: str
    routing_key: str
    dedupe_key: str
    body: bytes
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """A claimed row that goes back, claimable again from `claimable_at` (µs) on, and why."""

    row: Claimed
    claimable_at: int
    trouble: str


_FIRST: Final = (
    "SELECT d.id FROM outbox_due AS d WHERE d.id >= :floor AND d.claimable_at <= :now AND d.id = "
    "(SELECT min(e.id) FROM outbox_due AS e WHERE e.ordering_key = d.ordering_key) {more}"
    "ORDER BY d.id LIMIT :most"
)
"""The lowest claimable row of each ordering key. The minimum is looked up row by row: an EXISTS may
be turned into a join of all that waits."""
_ONE: Final = "AND d.department NOT IN (SELECT value FROM json_each(:shunned)) "
_OTHER: Final = "AND d.department <> ALL(CAST(:shunned AS text[])) "
_AMONG_ONE: Final = "AND d.department IN (SELECT value FROM json_each(:among)) "
_AMONG_OTHER: Final = "AND d.department = ANY(CAST(:among AS text[])) "
_TAKEN: Final = "SET claimable_at = :until, fence = fence + 1, attempts = attempts + 1"


@dataclass(frozen=True, slots=True)
class _Words:
    """The statements of one kind of database; lists are one parameter each."""

    claim: TextClause
    """`shunned` departments are left out: what their rows wait for is an answer to others."""
    claim_among: TextClause
    """The same for a relay that carries to some departments only."""
    look_among: TextClause
    read: TextClause
    end: TextClause
    confirm: TextClause


def _claim_one(more: str) -> TextClause:
    first = _FIRST.format(more=more)
    return text(f"UPDATE outbox_due {_TAKEN} WHERE id IN ({first}) RETURNING id, fence, attempts")


def _claim_other(more: str) -> TextClause:
    return text(
        f"WITH picked AS MATERIALIZED ({_FIRST.format(more=more)} FOR UPDATE OF d SKIP LOCKED) "
        f"UPDATE outbox_due {_TAKEN} FROM picked WHERE outbox_due.id = picked.id "
        "RETURNING outbox_due.id, fence, attempts"
    )


_SQLITE: Final = _Words(
    claim=_claim_one(_ONE),
    claim_among=_claim_one(_ONE + _AMONG_ONE),
    look_among=text(_FIRST.format(more=_AMONG_ONE)),
    read=text(
        "SELECT id, department, routing_key, dedupe_key, body, trace FROM outbox "
        "WHERE id IN (SELECT value FROM json_each(:ids))"
    ),
    end=text(
        "DELETE FROM outbox_due WHERE id IN (SELECT d.id FROM json_each(:rows) AS shown "
        "CROSS JOIN outbox_due AS d ON d.id = shown.value->>0 AND d.fence = shown.value->>1) "
        "RETURNING id, fence, attempts"
    ),
    confirm=text(
        "UPDATE outbox SET state = 'confirmed', confirmed_at = :now, trouble = NULL, "
        "fence = done.fence, attempts = done.attempts, published_at = done.published_at "
        "FROM (SELECT value->>0 AS id, value->>1 AS fence, value->>2 AS attempts, "
        "value->>3 AS published_at FROM json_each(:rows)) AS done WHERE outbox.id = done.id"
    ),
)
_POSTGRESQL: Final = _Words(
    claim=_claim_other(_OTHER),
    claim_among=_claim_other(_OTHER + _AMONG_OTHER),
    look_among=text(_FIRST.format(more=_AMONG_OTHER)),
    read=text(
        "SELECT id, department, routing_key, dedupe_key, body, trace FROM outbox "
        "WHERE id = ANY(CAST(:ids AS bigint[]))"
    ),
    end=text(
        "DELETE FROM outbox_due USING unnest(CAST(:ids AS bigint[]), CAST(:fences AS integer[])) "
        "AS shown (id, fence) WHERE outbox_due.id = ANY(CAST(:ids AS bigint[])) "
        "AND outbox_due.id = shown.id AND outbox_due.fence = shown.fence "
        "RETURNING outbox_due.id, outbox_due.fence, attempts"
    ),
    confirm=text(
        "UPDATE outbox SET state = 'confirmed', confirmed_at = :now, trouble = NULL, "
        "fence = done.fence, attempts = done.attempts, published_at = done.published_at "
        "FROM unnest(CAST(:ids AS bigint[]), CAST(:fences AS integer[]), "
        "CAST(:attempts AS integer[]), CAST(:published AS bigint[])) "
        "AS done (id, fence, attempts, published_at) "
        "WHERE outbox.id = ANY(CAST(:ids AS bigint[])) AND outbox.id = done.id"
    ),
)
_LOOK: Final = text(_FIRST.format(more=""))
_TROUBLE: Final = text(
    "UPDATE outbox SET trouble = :why WHERE id = :id "
    "AND EXISTS (SELECT 1 FROM outbox_due AS d WHERE d.id = :id AND d.fence = :fence)"
)
_AGAIN: Final = text("UPDATE outbox_due SET claimable_at = :at WHERE id = :id AND fence = :fence")


def look(
    session: Session, now: int, floor: int = 0, among: Sequence[str] | None = None
) -> int | None:
    """The lowest id that a claim would take now; None: there is nothing to do. Reads only."""
    words = _words(session)
    asked = {"floor": floor, "now": now, "most": 1, **_names(words, among=among)}
    said = _LOOK if among is None else words.look_among
    found: int | None = session.scalar(said, asked)
    return found


def claim(
    session: Session,
    *,
    now: int,
    lease_us: int,
    limit: int,
    floor: int = 0,
    shunned: Sequence[str] = (),
    among: Sequence[str] | None = None,
) -> list[Claimed]:
    """Take the lowest claimable row of each ordering key, at most `limit`, for `lease_us` µs.

    From `floor` on, an id: below it nothing is looked at; none of the `shunned` departments, and
    of those `among` only, where they are given. On PostgreSQL rows locked by another relay are
    skipped; on SQLite writers are serialised and the lease alone holds.
    """
    words = _words(session)
    asked = {"floor": floor, "now": now, "most": limit, "until": now + lease_us,
             **_names(words, shunned=shunned, among=among)}  # fmt: skip
    said = words.claim if among is None else words.claim_among
    taken = {row[0]: row for row in session.execute(said, asked)}
    if not taken:
        return []
    ids: Any = sorted(taken)
    bodies = session.execute(words.read, {"ids": json.dumps(ids) if words is _SQLITE else ids})
    found = {row[0]: row for row in bodies}
    return [Claimed(*taken[id_], *found[id_][1:]) for id_ in ids]


def confirm(session: Session, published: Sequence[tuple[Claimed, int]], now: int) -> None:
    """The broker has these; each with when it was published (µs). What another relay claimed
    meanwhile is left to that relay. Two statements, however many rows."""
    if not published:
        return
    words, at = _words(session), {row.id: when for row, when in published}
    shown = sorted((row.id, row.fence) for row, _ in published)
    ended = [(*row, at[row[0]]) for row in session.execute(words.end, _listed(words, shown))]
    if ended:
        session.execute(words.confirm, _listed(words, ended) | {"now": now})


def put_back(session: Session, failed: Sequence[Failed]) -> None:
    """Give rows back, each to be claimed again when it says, with the trouble to be seen."""
    if failed:
        rows = [
            {"id": one.row.id, "fence": one.row.fence, "at": one.claimable_at, "why": one.trouble}
            for one in sorted(failed, key=lambda one: one.row.id)
        ]
        session.execute(_TROUBLE, rows)
        session.execute(_AGAIN, rows)


def hold(session: Session, claimed: Sequence[Claimed], until: int) -> None:
    """Keep rows for longer, or (with `until` now) give them back untried."""
    if claimed:
        ids = sorted((row.id, row.fence) for row in claimed)
        session.execute(_AGAIN, [{"id": id_, "fence": fence, "at": until} for id_, fence in ids])


def park(session: Session, claimed: Claimed, reason: str) -> bool:
    """Take a claimed row out of the relay's way; False when the lease was lost."""
    words = _words(session)
    ended = session.execute(words.end, _listed(words, [(claimed.id, claimed.fence)])).one_or_none()
    if ended is None:
        return False
    _, fence, attempts = ended
    session.execute(
        update(OutboxRow)
        .where(OutboxRow.id == claimed.id)
        .values(state="parked", trouble=reason, fence=fence, attempts=attempts)
    )
    return True


def again(session: Session, outbox_id: int, now: int) -> None:
    """A message that was parked or given up is to be sent once more, under the key it always had.

    Its fence goes on from the last one, so whoever held the row in its first life marks nothing.
    """
    said = session.get_one(OutboxRow, outbox_id, with_for_update=True)
    said.state, said.confirmed_at = "waiting", None
    if session.get(OutboxDueRow, outbox_id) is not None:
        return  # it is on its way as it is
    session.add(
        OutboxDueRow(
            id=said.id,
            ordering_key=said.ordering_key,
            department=said.department,
            claimable_at=now,
            fence=said.fence,
        )
    )
    session.flush()


def _words(session: Session) -> _Words:
    return _SQLITE if session.get_bind().dialect.name == "sqlite" else _POSTGRESQL


def _names(words: _Words, **lists: Sequence[str] | None) -> dict[str, Any]:
    """Lists of departments as the database takes them; those that are not given, not at all."""
    given = {name: list(codes) for name, codes in lists.items() if codes is not None}
    if words is _SQLITE:
        return {name: json.dumps(codes) for name, codes in given.items()}
    return dict(given)


def _listed(words: _Words, rows: Sequence[tuple[int, ...]]) -> dict[str, Any]:
    """The rows as the database takes them: one JSON text, or one array a column."""
    if words is _SQLITE:
        return {"rows": json.dumps(rows)}
    names = ("ids", "fences", "attempts", "published")
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=False))
