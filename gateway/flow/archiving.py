"""Backups, drills and restores as acts of the house: done, and written into the log.

Recordings are copied sealed, tried in memory and put back (recordings.backup, .drill, .restore);
here is who did it, how it ended, and what the backup does not have yet. A drill also runs where the
house's database is gone, which is when it matters most: then nothing is compared, nothing is in the
log, and the verdict says so.
"""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from gateway.flow import log, scrubbing
from gateway.parts import Parts
from recordings import backup, catalogue, drill, restore
from recordings.backup import Backed
from recordings.drill import Drilled
from recordings.listing import Told
from recordings.manifest import OBJECTS
from recordings.place import Store
from recordings.restore import Restored, Source
from recordings.tables import RecordingRow
from recordings.tables_store import COPY, STORE

OPERATOR = "operator"  # whoever may run the command on the machine


@dataclass(frozen=True, slots=True)
class Restorable:
    """A drill's verdict. `later`: recordings sealed since that backup, None where the database
    could not be asked."""

    drilled: Drilled
    later: int | None


@dataclass(frozen=True, slots=True)
class Putting:
    """What was put back. `behind`: the database is older than the backup and does not know all
    that is in it."""

    restored: Restored
    behind: bool


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


def put_back(parts: Parts, target: Store | None, place: str, told: Told) -> Putting:
    """Put back into the store what it lacks, out of a backup, or out of the second copy where
    `target` is None; whatever lies there is compared, and the run written into the log.

    Raises BackupInvalid where no finished backup lies in `target`.
    """
    made = drill.newest(target) if target is not None else None
    source = Source(parts.places[COPY]) if target is None else Source(target, OBJECTS)
    with parts.database.reading() as session:
        behind = made is not None and made.last_id > catalogue.extent(session)[0]
    done = restore.restore(
        parts.database.begin, source, parts.places[STORE], parts.identities, parts.clock,
        on_found=scrubbing.noted(parts, OPERATOR, "cli"), told=told,
    )  # fmt: skip
    with parts.database.begin() as session:
        _note(session, parts, "restore", made.run if made else COPY, not done.failed.count,
              {"place": place, "put_back": done.put_back, "whole": done.whole,
               "failed": done.failed.count})  # fmt: skip
    return Putting(done, behind)


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
