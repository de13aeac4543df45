"""The log: every act that matters, in a Merkle tree that shows any change to itself.

Lines are numbered from 0.  Each row carries the hashes of the perfect subtrees it completes, so
that a proof reads a few rows, and one head row carries the size and the frontier.

What always holds: a line is written in the transaction of its act and stands or falls with it;
whoever writes holds the head row's lock until that transaction ends, so two gateways on one
database cannot fork the log; lines are never changed or removed by any code here.

Lines are noted as they happen (`defer`) and written together (`settle`) right before the commit:
the head's lock is the last a transaction takes and is held for one commit alone, so it can neither
deadlock with another lock nor make an act wait for another's work.  What the tree alone cannot show
(all of it rewritten, or set back to an earlier day) a checkpoint signed before and kept elsewhere
shows (`checkpoints`).  The checking of the whole log is `verifying`.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from recordings import lines, tail, tree
from recordings.errors import AuditError, LineUnknown
from recordings.lines import Noted
from recordings.notes import Checkpoint, Signer
from recordings.tables import AuditHeadRow, AuditLineRow

PAGE = 50
_NOTED = "audit.noted"  # in the session's info: lines that have no number yet
_TOLD = "audit.told"  # and who wants to know the numbers of which


@dataclass(frozen=True, slots=True)
class Proof:
    """That a line is in the log of that size and root (RFC 6962 section 2.1.1)."""

    index: int
    size: int
    leaf: bytes
    path: tuple[bytes, ...]
    root: bytes

    def holds(self) -> bool:
        """Whether the proof is sound in itself; the root is to be compared with a checkpoint."""
        leaf = tree.leaf_hash(self.leaf)
        return tree.included(leaf, self.index, self.size, self.path, self.root)


def defer(session: Session, noted: Noted) -> None:
    """Note a line; `settle` writes it with the commit of the caller's transaction.

    Raises AuditError within a savepoint: undone, it would leave the line of what was not done.
    """
    if session.in_nested_transaction():
        raise AuditError("嵌套事务中不能记日志。 No line can be noted within a savepoint.")
    session.info.setdefault(_NOTED, []).append(noted)


def numbered(session: Session, told: Callable[[int], None]) -> None:
    """Have the line noted last tell its number: once `settle` has given it, before the commit.

    What `told` changes must be this transaction's own already: the log is locked by then.
    """
    noted = session.info[_NOTED]
    session.info.setdefault(_TOLD, []).append((len(noted) - 1, told))


def settle(session: Session) -> range:
    """Write what was noted, as the last thing before the commit; answers the numbers given."""
    noted: list[Noted] = session.info.pop(_NOTED, [])
    if not noted:
        return range(0)
    numbers = _write(session, noted)
    for place, told in session.info.pop(_TOLD, []):
        told(numbers[place])
    session.flush()
    return numbers


def append(
    session: Session,
    action: str,
    *,
    actor: str,
    origin: str,
    obj: str,
    outcome: str,
    at: int,
    grant: int | None = None,
    detail: Mapping[str, Any] | None = None,
) -> AuditLineRow:
    """Write one line at once, and hold the log until the caller's transaction ends.

    The fields are those of `lines.noted`, which says what is refused.
    """
    line = lines.noted(action, actor=actor, origin=origin, obj=obj, outcome=outcome, at=at,
                       grant=grant, detail=detail)  # fmt: skip
    numbers = _write(session, [line])
    return session.get_one(AuditLineRow, numbers[0])


def page(
    session: Session,
    *,
    before: int | None = None,
    action: str = "",
    actor: str = "",
    obj: str = "",
    outcome: str = "",
    limit: int = PAGE,
) -> list[AuditLineRow]:
    """Lines, latest first, numbered below `before`; `action` may be a beginning (`recordings:`)."""
    query = select(AuditLineRow).order_by(AuditLineRow.id.desc()).limit(limit)
    if before is not None:
        query = query.where(AuditLineRow.id < before)
    if action:
        query = query.where(AuditLineRow.action.startswith(action, autoescape=True))
    for column, wanted in ((AuditLineRow.actor, actor), (AuditLineRow.obj, obj)):
        query = query.where(column == wanted) if wanted else query
    if outcome:
        query = query.where(AuditLineRow.outcome == outcome)
    return list(session.scalars(query))


def head(session: Session) -> tuple[int, list[bytes]]:
    """How many lines there are, and the tree's frontier."""
    row = session.get(AuditHeadRow, 1, populate_existing=True)
    return (row.size, split(row.frontier)) if row else (0, [])


def locked_head(session: Session) -> tuple[int, list[bytes]]:
    """The head, locked until the transaction ends."""
    size, frontier = tail.locked(session.connection())
    return size, split(frontier)


def checkpoint(session: Session, signer: Signer) -> str:
    """A signed note of the log as it stands; meant to be kept where the database's owner is not."""
    size, frontier = head(session)
    return signer.sign(Checkpoint(signer.name, size, tree.root(frontier)))


def split(hashes: bytes) -> list[bytes]:
    """A row's run of hashes, one by one."""
    return [hashes[at : at + tree.HASH] for at in range(0, len(hashes), tree.HASH)]


def leaf(line: AuditLineRow) -> bytes:
    """The row as it goes into the tree."""
    return lines.leaf(line.id, line.at, line.action, line.actor, line.origin, line.obj,
                      line.outcome, line.grant_id, line.detail)  # fmt: skip


def prove(session: Session, index: int, size: int | None = None) -> Proof:
    """The proof that line `index` is in the log, as it stands or as it was at `size` lines.

    Raises LineUnknown where the log of that size has no such line.
    """
    line = session.get(AuditLineRow, index)
    whole, _ = head(session)
    size = whole if size is None else size
    if line is None or not index < size <= whole:
        raise LineUnknown(f"日志没有第 {index} 行。 The log has no line {index}.")
    path = tree.inclusion_path(index, size, _nodes(session))
    return Proof(index, size, leaf(line), tuple(path), root_at(session, size))


def root_at(session: Session, size: int) -> bytes:
    """The root of the log as it was at `size` lines; raises LineUnknown beyond its end."""
    whole, frontier = head(session)
    if not 0 <= size <= whole:
        raise LineUnknown(f"日志只有 {whole} 行。 The log has {whole} lines only.")
    if size == whole:
        return tree.root(frontier)
    return tree.range_hash(0, size, _nodes(session)) if size else tree.EMPTY


def consistency(session: Session, first: int, second: int) -> tuple[bytes, ...]:
    """The proof that the log at `first` lines begins that at `second`, 0 < first ≤ second.

    Raises LineUnknown for sizes the log never had.
    """
    whole, _ = head(session)
    if not 0 < first <= second <= whole:
        raise LineUnknown(f"日志只有 {whole} 行。 The log has {whole} lines only.")
    return tuple(tree.consistency_path(first, second, _nodes(session)))


def line_holds(
    session: Session, index: int, wanted: Mapping[str, Any], *, may_lack: Collection[str] = ()
) -> bool:
    """Whether line `index` is in the tree as it stands and says all of `wanted`.

    `wanted` names fields of the line or of its detail.  Those of `may_lack` need not be there;
    where they are, they must say the same.  Reads as many rows as a proof does.
    """
    try:
        proof = prove(session, index)
    except AuditError:
        return False
    if not proof.holds():
        return False
    line = json.loads(proof.leaf)
    said = json.loads(line["detail"]) | line
    return all(
        said[name] == value if name in said else name in may_lack for name, value in wanted.items()
    )


def _nodes(session: Session) -> tree.Node:
    """Perfect subtrees out of the rows that complete them."""

    def node(level: int, at: int) -> bytes:
        last = session.get(AuditLineRow, ((at + 1) << level) - 1)
        if last is None or len(last.nodes) < (level + 1) * tree.HASH:
            raise AuditError("日志不完整，请先核验。 The log is incomplete: verify it first.")
        return last.nodes[level * tree.HASH : (level + 1) * tree.HASH]

    return node


def _write(session: Session, noted: Sequence[Noted]) -> range:
    session.flush()  # whatever the act still holds back comes before the log's lock
    start, frontier = locked_head(session)
    rows: list[tail.Line] = []
    for number, line in enumerate(noted, start):
        leaf = lines.leaf(number, line.at, line.action, line.actor, line.origin, line.obj,
                          line.outcome, line.grant, line.detail)  # fmt: skip
        frontier, done = tree.append(frontier, number, tree.leaf_hash(leaf))
        rows.append((number, line.at, line.action, line.actor, line.origin, line.obj,
                     line.outcome, line.grant, line.detail, b"".join(done)))  # fmt: skip
    stop = start + len(rows)
    tail.write(session.connection(), rows, stop, b"".join(frontier))
    return range(start, stop)
