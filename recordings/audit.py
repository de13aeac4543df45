"""The log: every act that matters, in a Merkle tree that shows any change to itself.

A line is one leaf: the canonical JSON of its fields (sorted keys, no spaces, UTF-8), numbered from
0.  Each row carries the hashes of the perfect subtrees it completes, so that a proof reads a few
rows, and one head row carries the size and the frontier.

What always holds: a line is appended in the caller's transaction and stands or falls with it;
whoever appends holds the head row's lock until that transaction ends, so two gateways on one
database cannot fork the log; lines are never changed or removed by any code here.  What the tree
alone cannot show (all of it rewritten, or set back to an earlier day) a checkpoint signed before
and kept elsewhere shows.  Texts from outside are cut to size and freed of what a database or a
terminal would choke on: an attempt must never escape the log by its spelling.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from recordings import notes, tree
from recordings.errors import AuditError, CheckpointInvalid, LineUnknown
from recordings.notes import Checkpoint, Signer
from recordings.tables import OUTCOMES, AuditHeadRow, AuditLineRow

PAGE = 50
_WIDTHS = {"action": 100, "actor": 100, "origin": 200, "obj": 200}
_MAX_DETAIL = 8000


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing `verify` found; `line` is its number, or None where it concerns the whole."""

    line: int | None
    what: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of `verify`: the log's size and root, checkpoints that fitted, problems."""

    size: int
    root: bytes
    checkpoints: int
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.problems


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
    """Append a line in the caller's transaction; `action` reads `source:subject:action`.

    `detail` holds JSON values without floats, codes and ids only: no number or name of a caller.
    Raises AuditError for an unknown outcome or a detail that is too long or no JSON.
    """
    if outcome not in OUTCOMES:
        raise AuditError(f"未知的结果：{outcome!r}。 Unknown outcome: {outcome!r}.")
    head = _locked_head(session)
    texts = {"action": action, "actor": actor, "origin": origin, "obj": obj}
    line = AuditLineRow(
        id=head.size,
        at=at,
        outcome=outcome,
        grant_id=grant,
        detail=_detail(detail or {}),
        **{name: _clean(text, _WIDTHS[name]) for name, text in texts.items()},
    )
    frontier, done = tree.append(_frontier(head), head.size, tree.leaf_hash(leaf(line)))
    line.nodes = b"".join(done)
    head.frontier, head.size = b"".join(frontier), head.size + 1
    session.add(line)
    session.flush()
    return line


def leaf(line: AuditLineRow) -> bytes:
    """The line as it goes into the tree: canonical JSON, UTF-8."""
    fields = {
        "line": line.id,
        "at": line.at,
        "action": line.action,
        "actor": line.actor,
        "origin": line.origin,
        "object": line.obj,
        "outcome": line.outcome,
        "grant": line.grant_id,
        "detail": line.detail,
    }
    return _canonical(fields).encode()


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


def verify(
    session: Session, checkpoints: Sequence[str] = (), verifier_keys: Sequence[str] = ()
) -> Verdict:
    """Hash every line again and compare: with its own row, the head, and signed checkpoints.

    A checkpoint not signed by one of `verifier_keys` is a problem, not a proof.
    """
    problems: list[Problem] = []
    marks = _checkpoints(checkpoints, verifier_keys, problems)
    fitted, frontier, size = 0, list[bytes](), 0
    rows = select(AuditLineRow).order_by(AuditLineRow.id).execution_options(yield_per=1000)
    with session.scalars(rows) as lines:  # closed also where a missing line ends the reading
        for line in lines:
            if line.id != size:
                problems.append(Problem(size, "缺行或插行 line missing or inserted"))
                break
            fitted += _against(marks.get(size, ()), size, tree.root(frontier), problems)
            frontier, done = tree.append(frontier, size, tree.leaf_hash(leaf(line)))
            if line.nodes != b"".join(done):
                problems.append(Problem(size, "内容被改动 line altered"))
            size += 1
            session.expunge(line)
    fitted += _against(marks.get(size, ()), size, tree.root(frontier), problems)
    problems.extend(
        Problem(None, f"日志短于检查点 log shorter than checkpoint {beyond}")
        for beyond in sorted(at for at in marks if at > size)
    )
    head = session.get(AuditHeadRow, 1, populate_existing=True)
    if (head.size if head else 0) != size or (_frontier(head) if head else []) != frontier:
        problems.append(Problem(None, "行数或根与表头不符 lines do not match the head"))
    return Verdict(size, tree.root(frontier), fitted, tuple(problems))


def checkpoint(session: Session, signer: Signer) -> str:
    """A signed note of the log as it stands; meant to be kept where the database's owner is not."""
    head = session.get(AuditHeadRow, 1, populate_existing=True)
    size, frontier = (head.size, _frontier(head)) if head else (0, [])
    return signer.sign(Checkpoint(signer.name, size, tree.root(frontier)))


def prove(session: Session, index: int) -> Proof:
    """The proof that line `index` is in the log as it stands; raises LineUnknown."""
    line = session.get(AuditLineRow, index)
    head = session.get(AuditHeadRow, 1, populate_existing=True)
    if line is None or head is None:
        raise LineUnknown(f"日志没有第 {index} 行。 The log has no line {index}.")

    def node(level: int, at: int) -> bytes:
        last = session.get(AuditLineRow, ((at + 1) << level) - 1)
        if last is None or len(last.nodes) < (level + 1) * tree.HASH:
            raise AuditError("日志不完整，请先核验。 The log is incomplete: verify it first.")
        return last.nodes[level * tree.HASH : (level + 1) * tree.HASH]

    path = tree.inclusion_path(index, head.size, node)
    return Proof(index, head.size, leaf(line), tuple(path), tree.root(_frontier(head)))


def _locked_head(session: Session) -> AuditHeadRow:
    """The head row, locked until the transaction ends; made by whoever comes first."""
    query = select(AuditHeadRow).with_for_update().execution_options(populate_existing=True)
    session.flush()
    head = session.scalar(query)
    if head is None:
        dialect = session.get_bind().dialect.name
        insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
        first = insert(AuditHeadRow).values(id=1, size=0, frontier=b"")
        session.execute(first.on_conflict_do_nothing())
        head = session.scalars(query).one()
    return head


def _frontier(head: AuditHeadRow) -> list[bytes]:
    return [head.frontier[at : at + tree.HASH] for at in range(0, len(head.frontier), tree.HASH)]


def _checkpoints(
    texts: Sequence[str], keys: Sequence[str], problems: list[Problem]
) -> dict[int, list[Checkpoint]]:
    marks: dict[int, list[Checkpoint]] = {}
    for text in texts:
        try:
            mark = notes.verify(text, keys)
        except CheckpointInvalid as error:
            problems.append(Problem(None, str(error)))
        else:
            marks.setdefault(mark.size, []).append(mark)
    return marks


def _against(marks: Sequence[Checkpoint], size: int, root: bytes, problems: list[Problem]) -> int:
    fitted = sum(mark.root == root for mark in marks)
    if fitted < len(marks):
        problems.append(Problem(None, f"与检查点不符 differs from checkpoint {size}"))
    return fitted


def _detail(detail: Mapping[str, Any]) -> str:
    try:
        text = _canonical(detail)
    except (TypeError, ValueError) as error:
        raise AuditError("日志细节不是 JSON。 The detail of a line must be JSON.") from error
    if len(text) > _MAX_DETAIL:
        raise AuditError("日志细节过长。 The detail of a line is too long.")
    return text


def _canonical(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _clean(text: str, width: int) -> str:
    printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return printable if len(printable) <= width else printable[: width - 1] + "…"


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
