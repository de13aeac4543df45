"""A log's tree grown anew from its lines, and what that is found to differ from.

Pure.  What always holds: a log nobody touched gives no finding; a line altered, removed, inserted
or exchanged gives one, by the hashes kept with it or by a checkpoint over it; and a checkpoint by
no known key, or of another log, is itself a finding.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from recordings import notes, tree
from recordings.errors import CheckpointInvalid
from recordings.notes import Checkpoint

STOP_AFTER = 100
STRETCH = 1024
"""Lines that are compared at once; a power of two."""


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
        self._altered = False
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
                self._differs(itself=not nodes.startswith(done[0]))
                if len(self._problems) >= self._stop_after:
                    break
            self.size += 1
        self._compare()
        for beyond in sorted(size for size in self._marks if size > self.size):
            self.found(None, f"日志短于检查点 log shorter than checkpoint {beyond}")

    def _differs(self, *, itself: bool) -> None:
        """What is kept with this line is another: its own hash, or one above it, as all above an
        altered line are."""
        if itself:
            self._altered = True
            self.found(self.size, "内容被改动 line altered")
        elif not self._altered:
            self.found(self.size, "上层哈希被改动 hash above the line altered")

    def skip(self, hashes: Sequence[bytes], nodes: Sequence[bytes]) -> bool:
        """A whole stretch at once, from a multiple of STRETCH on: leaf hashes, and what is kept.

        False, and nothing counted, where the two do not fit: then each line says which it is.
        """
        expected, top = _perfect(hashes)
        frontier, done = tree.append(self.frontier, self.size // STRETCH, top)
        expected[-1] += b"".join(done[1:])
        if expected != nodes:
            return False
        if any(self.size <= size < self.size + STRETCH for size in self._marks):
            for leaf in hashes:
                if self.size in self._marks:
                    self._compare()
                self.frontier, _ = tree.append(self.frontier, self.size, leaf)
                self.size += 1
        else:
            self.frontier, self.size = frontier, self.size + STRETCH
        return True

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
        elif notes.follows(origin, mark.origin):
            self._set_aside += 1
        else:
            self.found(None, f"另一日志的检查点 a checkpoint of another log: {mark.origin}")

    def _compare(self) -> None:
        marks, root = self._marks.get(self.size, ()), tree.root(self.frontier)
        fitted = sum(mark.root == root for mark in marks)
        self._fitted += fitted
        if fitted < len(marks):
            self.found(None, f"与检查点不符 differs from checkpoint {self.size}")


def _perfect(hashes: Sequence[bytes]) -> tuple[list[bytes], bytes]:
    """What each of STRETCH lines completes, its leaf first, and the root over them."""
    expected, level, step = list(hashes), list(hashes), 1
    while len(level) > 1:
        step *= 2
        pairs = zip(level[::2], level[1::2], strict=True)
        level = [hashlib.sha256(b"\x01" + left + right).digest() for left, right in pairs]
        for at, node in enumerate(level, 1):
            expected[at * step - 1] += node
    return expected, level[0]
