"""The signing of the log: only what follows from everything signed before.

A log must not sign a checkpoint inconsistent with one it signed (c2sp.org/tlog-checkpoint).  What
always holds: `sign` runs under the head's lock, takes every checkpoint of this origin that it is
shown or that the database keeps, and signs only if a consistency proof from each of them holds; and
of one origin and size there is one note.  Where the earlier notes were looked for (the database, a
file beside it, places outside) is the caller's business.
"""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from recordings import audit, tree
from recordings.errors import AuditError, CheckpointRolledBack
from recordings.notes import Checkpoint, Signer
from recordings.tables_log import CheckpointRow


def sign(session: Session, signer: Signer, now: int, known: Sequence[Checkpoint] = ()) -> str:
    """The signed note of the log as it stands, kept in the caller's transaction.

    It may leave the house once that is committed, not before. Raises CheckpointRolledBack, and
    signs nothing, where the log does not follow from a checkpoint of this origin.
    """
    size, frontier = audit.locked_head(session)
    root = tree.root(frontier)
    last = newest(session, signer.name)
    kept = [Checkpoint(last.origin, last.size, last.root)] if last else []
    for earlier in (*kept, *known):
        if earlier.origin == signer.name:
            follow(session, earlier, size, root)
    if last and last.size == size:
        return last.note
    note = signer.sign(Checkpoint(signer.name, size, root))
    session.add(CheckpointRow(origin=signer.name, size=size, root=root, note=note, signed_at=now))
    session.flush()
    return note


def follow(session: Session, earlier: Checkpoint, size: int, root: bytes) -> None:
    """Raise CheckpointRolledBack unless the log of that size and root grew out of `earlier`."""
    try:
        if earlier.size == 0:
            grown = earlier.root == tree.EMPTY
        else:
            path = audit.consistency(session, earlier.size, size)
            grown = tree.consistent(earlier.size, size, path, earlier.root, root)
    except AuditError:
        grown = False  # the log is shorter, or lacks the rows that would prove it
    if not grown:
        raise CheckpointRolledBack(
            f"日志（{size} 行）不是检查点 {earlier.size} 的延续：数据库被回退或改写，未签署。"
            "如系从备份恢复，请用 hotline audit checkpoint --after-restore 说明原因。 "
            f"The log ({size} lines) does not follow from checkpoint {earlier.size}: the database "
            "was set back or rewritten; nothing was signed. After a restore from a backup say so "
            "with hotline audit checkpoint --after-restore."
        )


def newest(session: Session, origin: str) -> CheckpointRow | None:
    """The greatest checkpoint of that origin the database keeps."""
    return session.scalar(
        select(CheckpointRow)
        .where(CheckpointRow.origin == origin)
        .order_by(CheckpointRow.size.desc())
        .limit(1)
    )


def all_notes(session: Session) -> list[str]:
    """Every note the database keeps, of whatever origin."""
    return list(session.scalars(select(CheckpointRow.note).order_by(CheckpointRow.id)))


def of_size(session: Session, origin: str, size: int) -> str | None:
    """The note of that origin and size, if one was signed."""
    query = select(CheckpointRow.note).where(
        CheckpointRow.origin == origin, CheckpointRow.size == size
    )
    return session.scalar(query)
