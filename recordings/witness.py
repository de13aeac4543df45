"""A witness: a server of somebody else's that signs only what follows from what it saw before.

C2SP tlog-witness, `add-checkpoint`: we send the size it last saw, the proof from there, and the
note; it answers with its cosignature, or with the size it saw.  What always holds: a cosignature is
kept only if it verifies by the key we were given for that witness; and a witness that saw more of
the log than there is now, or another log, is an alarm and never worked around.
"""

import re
from collections.abc import Callable, Sequence

from recordings import notes, remote
from recordings.errors import CheckpointInvalid, CheckpointRolledBack, PlaceFailed
from recordings.notes import Checkpoint

ProofFrom = Callable[[int], Sequence[bytes]]
"""The consistency proof from that earlier size to the checkpoint's."""

_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n")


def request(old: int, path: Sequence[bytes], note: str) -> bytes:
    """The body of `add-checkpoint`."""
    return "".join(
        [f"old {old}\n", *(f"{notes.encode(one)}\n" for one in path), f"\n{note}"]
    ).encode()


def submit(
    url: str, key: str, checkpoint: Checkpoint, note: str, old: int, proof_from: ProofFrom
) -> str:
    """Have the witness cosign; answers its signature line.

    `old` is the size it is thought to have seen. Raises CheckpointRolledBack where it saw a log
    this one does not follow from, PlaceFailed where it does not answer as a witness does.
    """
    status, body = _sent(url, old, checkpoint, note, proof_from)
    if status == 409:
        size = _SIZE.fullmatch(body)
        if size is None:
            raise PlaceFailed(
                "见证方应答不合规范（409）。 The witness's answer breaks the protocol."
            )
        old = int(size[1])
        if old <= checkpoint.size:
            status, body = _sent(url, old, checkpoint, note, proof_from)
    if status in (409, 422):
        raise CheckpointRolledBack(
            f"见证方见过不同的日志（{old} 行）：日志被回退或改写，请立即告知审计员。 "
            f"The witness saw another log ({old} lines): ours was set back or rewritten."
        )
    if status != 200:
        raise PlaceFailed(
            f"见证方拒绝（{status}）：请核对密钥与来源登记。 The witness refuses ({status})."
        )
    try:
        return notes.cosignature(note, body.decode("utf-8", "replace"), key)
    except CheckpointInvalid as error:
        raise PlaceFailed(str(error)) from error


def _sent(
    url: str, old: int, checkpoint: Checkpoint, note: str, proof_from: ProofFrom
) -> tuple[int, bytes]:
    path = proof_from(old) if 0 < old < checkpoint.size else ()
    return remote.post(url.rstrip("/") + "/add-checkpoint", request(old, path, note))
