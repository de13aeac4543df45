"""A proof that a line is in the log, as a text that stands without us.

C2SP tlog-proof (c2sp.org/tlog-proof): where the line is, the hashes beside its way to the root, and
the signed checkpoint with that root.  The line itself goes along as the extra data.  Pure.  What
always holds: `check` believes the checkpoint's signature by a given key and the path to its root,
and nothing else in the text.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from recordings import notes, tree
from recordings.errors import CheckpointInvalid, ProofInvalid
from recordings.notes import Checkpoint

_FIRST = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")
_MAX_PATH = 63


@dataclass(frozen=True, slots=True)
class Proved:
    """What a proof's text says: nothing of it is checked yet."""

    index: int
    path: tuple[bytes, ...]
    note: str
    extra: bytes


def encode(index: int, path: Sequence[bytes], note: str, extra: bytes = b"") -> str:
    """The text; `note` is the signed checkpoint, `extra` goes along unauthenticated."""
    lines = [_FIRST, *([f"extra {notes.encode(extra)}"] if extra else []), f"index {index}"]
    return "\n".join([*lines, *map(notes.encode, path)]) + f"\n\n{note}"


def parse(text: str) -> Proved:
    """What the text says; raises ProofInvalid for anything `encode` would not write."""
    head, _, note = text.partition("\n\n")
    lines = head.split("\n")
    if not note or lines.pop(0) != _FIRST or not lines:
        raise ProofInvalid("不是 tlog-proof 证明。 This is no tlog-proof.")
    try:
        extra = b""
        if lines[0].startswith("extra "):
            extra = notes.decode(lines.pop(0).removeprefix("extra "))
            if not extra:
                raise ProofInvalid("证明格式不对。 The proof is malformed.")
        index = _INDEX.fullmatch(lines.pop(0)) if lines else None
        path = tuple(notes.decode(line) for line in lines)
    except CheckpointInvalid as error:
        raise ProofInvalid(str(error)) from error
    if index is None or len(path) > _MAX_PATH or any(len(one) != tree.HASH for one in path):
        raise ProofInvalid("证明格式不对。 The proof is malformed.")
    return Proved(int(index[1]), path, note, extra)


def check(text: str, leaf: bytes, verifier_keys: Collection[str]) -> Checkpoint:
    """The checkpoint under which the line `leaf` is proved by this text.

    Raises CheckpointInvalid where no given key signed it, ProofInvalid where the path leads
    elsewhere.
    """
    proved = parse(text)
    checkpoint = notes.verify(proved.note, verifier_keys)
    hashed = tree.leaf_hash(leaf)
    if not tree.included(hashed, proved.index, checkpoint.size, proved.path, checkpoint.root):
        raise ProofInvalid("证明与检查点不符。 The proof does not lead to the checkpoint's root.")
    return checkpoint
