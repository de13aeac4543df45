"""The register of the pairs that were made, kept apart from the directory of public halves.

What always holds: an entry's public half never changes, and an entry is never removed, only marked
as destroyed. What is sealed to a half that the register does not know is named by `strangers`:
our keyring does not open it.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from recordings.keys import Recipient
from recordings.tables import RecordingRow
from recordings.tables_keys import SealingKeyRow


def enter(
    session: Session, made: Recipient, *, provider: str, not_before: int, now: int
) -> SealingKeyRow:
    """Enter a pair that was made, or found in the keyring, at `now`."""
    row = SealingKeyRow(
        key_id=made.key_id,
        recipient=made.text,
        provider=provider,
        made_at=now,
        not_before_at=not_before,
    )
    session.add(row)
    session.flush()
    return row


def entries(session: Session) -> list[SealingKeyRow]:
    """All of it, oldest month first."""
    return list(session.scalars(select(SealingKeyRow).order_by(SealingKeyRow.key_id)))


def halves(session: Session) -> dict[str, str]:
    """Name → age1… of the keys that were not destroyed."""
    return {row.key_id: row.recipient for row in entries(session) if row.destroyed_at is None}


def destroyed(session: Session, key_id: str, now: int) -> None:
    """Note that this key is gone; noted again, nothing changes."""
    row = session.get(SealingKeyRow, key_id)
    if row is not None and row.destroyed_at is None:
        row.destroyed_at = now
        session.flush()


def strangers(session: Session, limit: int = 100) -> list[tuple[int, str]]:
    """Recordings sealed to a public half that is not the register's: id and key, newest first."""
    found = session.execute(
        select(RecordingRow.id, RecordingRow.key_id)
        .join(SealingKeyRow, SealingKeyRow.key_id == RecordingRow.key_id)
        .where(SealingKeyRow.recipient != RecordingRow.recipient)
        .order_by(RecordingRow.id.desc())
        .limit(limit)
    )
    return [(recording_id, key_id) for recording_id, key_id in found]
