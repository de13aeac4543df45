"""Backups and drills as acts of the house: done, and written into the log.

Recordings are copied sealed and tried in memory (recordings.backup, recordings.drill); here is who
did it, how it ended, and what the backup does not have yet. A drill also runs where the house's
database is gone, which is when it matters most: then nothing is compared, nothing is in the log,
and the verdict says so.
"""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from gateway.flow import log
from gateway.parts import Parts
from recordings import backup, drill
from recordings.backup import Backed, Told
from recordings.drill import Drilled
from recordings.place import Store
from recordings.tables import RecordingRow

OPERATOR = "operator"  # whoever may run the command on the machine


@dataclass(frozen=True, slots=True)
class Restorable:
    """A drill's verdict. `later`: recordings sealed since that backup, None where the database
    could not be asked."""

    drilled: Drilled
    later: int | None


def back_up(parts: Parts, target: Store, place: str, checkpoint: str, told: Told) -> Backed:
    """Copy what the backup lacks, and write the run into the log."""
    done = backup.backup(
        parts.database.begin, parts.store, target, parts.clock(), checkpoint=checkpoint, told=told
    )
    made = done.manifest
    with parts.database.begin() as session:
        _note(session, parts, "make", made.run, not made.failed,
              {"place": place, "recordings": made.recordings, "copied": done.copied,
               "failed": made.failed})  # fmt: skip
    return done


def try_backup(
    parts: Parts, target: Store, place: str, told: Told, *, every: bool, reachable: bool
) -> Restorable:
    """Try the newest backup; `every` chunk of it, or a few of each recording. `reachable`: there is
    a database to write the log into."""
    sample = None if every else drill.SAMPLE
    keyring = parts.identities if parts.identities and parts.identities.key_ids() else None
    drilled = drill.drill(target, keyring, sample=sample, told=told)
    later: int | None = None
    if reachable:
        try:
            with parts.database.begin() as session:
                later = _later(session, drilled.manifest.last_id)
                _note(session, parts, "drill", drilled.manifest.run, not drilled.failed.count,
                      {"place": place, "recordings": drilled.manifest.recordings,
                       "failed": drilled.failed.count})  # fmt: skip
        except SQLAlchemyError:
            later = None
    return Restorable(drilled, later)


def _later(session: Session, last_id: int) -> int:
    query = select(func.count()).select_from(RecordingRow).where(RecordingRow.id > last_id)
    return session.scalar(query) or 0


def _note(
    session: Session, parts: Parts, act: str, run: str, well: bool, detail: dict[str, object]
) -> None:
    log.note(
        session, f"recordings:backup:{act}", actor=OPERATOR, origin="cli", obj=f"backup:{run}",
        outcome="ok" if well else "failed", now=parts.clock(), detail=detail,
    )  # fmt: skip
