"""The checking of the whole log: every line hashed again, and compared.

With what: its own row, the head, and signed checkpoints.  What always holds: a log nobody touched
gives no finding, also while others append (one consistent view: the caller's transaction must be a
snapshot); and nothing is mended here.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from recordings import audit, lines, logkeys, notes, tree
from recordings.errors import CheckpointInvalid
from recordings.notes import Checkpoint
from recordings.tables import AuditLineRow

STOP_AFTER = 100

_LINE = cast("Table", AuditLineRow.__table__).c
_ALL = select(
    _LINE.id, _LINE.at, _LINE.action, _LINE.actor, _LINE.origin, _LINE.obj, _LINE.outcome,
    _LINE.grant_id, _LINE.detail, _LINE.nodes,
).order_by(_LINE.id)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that was found; `line` is its number, or None where it concerns the whole."""

    line: int | None
    what: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome: the log's size and root, checkpoints that fitted, problems.

    `set_aside` counts checkpoints of an earlier origin, given up on record after a restore.
    """

    size: int
    root: bytes
    checkpoints: int
    problems: tuple[Problem, ...]
    set_aside: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.problems


Leaf = tuple[int, bytes, bytes | None]
"""A line's number, its bytes, and the hashes kept with it (None: none are kept)."""


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
    tally.count(leaves(session))
    if audit.head(session) != (tally.size, tally.frontier):
        tally.found(None, "行数或根与表头不符 lines do not match the head")
    return tally.verdict()


class Tally:
    """A tree grown anew from lines in their order, and what it is found to differ from."""

    def __init__(
        self,
        checkpoints: Sequence[str],
        verifier_keys: Sequence[str],
        *,
        origin: str = "",
        stop_after: int = STOP_AFTER,
    ) -> None:
        self.size = 0
        self.frontier: list[bytes] = []
        self._set_aside = 0
        self._fitted = 0
        self._problems: list[Problem] = []
        self._stop_after = stop_after
        self._marks: dict[int, list[Checkpoint]] = {}
        for text in dict.fromkeys(checkpoints):
            self._mark(text, verifier_keys, origin)

    @property
    def covered(self) -> int:
        """How many lines the greatest checkpoint answers for."""
        return max(self._marks, default=0)

    def found(self, line: int | None, what: str) -> None:
        """One more problem."""
        self._problems.append(Problem(line, what))

    def count(self, leaves: Iterable[Leaf]) -> None:
        """All lines there are; ends at a missing one, and after as many problems as are wanted."""
        for number, leaf, nodes in leaves:
            if number != self.size:
                self.found(self.size, "缺行或插行 line missing or inserted")
                break
            if self.size in self._marks:
                self._compare()
            self.frontier, done = tree.append(self.frontier, self.size, tree.leaf_hash(leaf))
            if nodes is not None and nodes != b"".join(done):
                self.found(self.size, "内容被改动 line altered")
                if len(self._problems) >= self._stop_after:
                    break
            self.size += 1
        self._compare()
        for beyond in sorted(size for size in self._marks if size > self.size):
            self.found(None, f"日志短于检查点 log shorter than checkpoint {beyond}")

    def verdict(self) -> Verdict:
        """What came of it."""
        root, problems = tree.root(self.frontier), tuple(self._problems)
        return Verdict(self.size, root, self._fitted, problems, self._set_aside)

    def _mark(self, text: str, verifier_keys: Sequence[str], origin: str) -> None:
        try:
            mark = notes.verify(text, verifier_keys)
        except CheckpointInvalid as error:
            self.found(None, str(error))
            return
        if origin in ("", mark.origin):
            self._marks.setdefault(mark.size, []).append(mark)
        elif logkeys.follows(origin, mark.origin):
            self._set_aside += 1
        else:
            self.found(None, f"另一日志的检查点 a checkpoint of another log: {mark.origin}")

    def _compare(self) -> None:
        marks, root = self._marks.get(self.size, ()), tree.root(self.frontier)
        fitted = sum(mark.root == root for mark in marks)
        self._fitted += fitted
        if fitted < len(marks):
            self.found(None, f"与检查点不符 differs from checkpoint {self.size}")


def leaves(session: Session) -> Iterator[Leaf]:
    """Every line there is, in order."""
    rows = session.connection().execute(_ALL.execution_options(yield_per=1000))
    with rows:  # closed also by whoever stops reading
        for row in rows:
            try:
                yield row[0], lines.leaf(*row[:-1]), row[-1]
            except (TypeError, ValueError):  # a type no line has: this row was not written by us
                yield row[0], b"", row[-1]
