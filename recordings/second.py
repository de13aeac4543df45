"""Bringing the second copy up to date: what is catalogued and not there yet, the oldest first.

What always holds: a recording counts as copied only once its objects in the second place hash to
the catalogue's word, and when that was is on record; one that the first place does not have as it
was sealed is put down as such there, and stops no other; a place that is away ends the round and
loses nothing.  Sealed bytes alone are read; no transaction is open while they are copied.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, func, select
from sqlalchemy.orm import Session

from recordings import catalogue, copying, scrub
from recordings.capture import Begin
from recordings.errors import EvidenceAltered, ObjectMissing, ObjectUnreadable
from recordings.manifest import Kept
from recordings.place import Store
from recordings.tables import RecordingRow
from recordings.tables_store import COPY, OK, STORE, StoreCheckRow


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is not copied yet: how many, and when the oldest of them was sealed."""

    count: int
    oldest_at: int | None


def due(session: Session, after: int, limit: int) -> list[int]:
    """The ids greater than `after` of what is not copied yet, ascending."""
    query = select(RecordingRow.id).where(RecordingRow.id > after, _wanted())
    return list(session.scalars(query.order_by(RecordingRow.id).limit(limit)))


def waiting(session: Session) -> Waiting:
    """What is not copied yet."""
    query = select(func.count(), func.min(RecordingRow.sealed_at)).where(_wanted())
    count, oldest = session.execute(query).one()
    return Waiting(count, oldest)


def copy(
    begin: Begin,
    first: Store,
    second: Store,
    recording_id: int,
    clock: Callable[[], int],
    on_found: scrub.OnFound = lambda _session, _row, _place, _outcome: None,
) -> bool:
    """Copy one recording, or find that the first place does not have it as it was sealed.

    Raises StoreError or OSError where a place is away; EvidenceAltered where something else lies
    in the second under the recording's name.
    """
    with begin() as session:
        row = catalogue.get(session, recording_id)
    kept = Kept.of(row)
    try:
        copying.copy(kept, first, second, copying.objects(kept))
    except (EvidenceAltered, ObjectMissing, ObjectUnreadable):
        found = scrub.check(begin, STORE, first, [recording_id], clock, on_found)
        if found[recording_id] == OK:  # then it is the second place that is not as it should be
            raise
        return False
    with begin() as session:
        now = clock()
        session.merge(
            StoreCheckRow(
                recording_id=recording_id, place=COPY, checked_at=now, outcome=OK, copied_at=now
            )
        )
    return True


def _wanted() -> ColumnElement[bool]:
    copied = exists().where(
        StoreCheckRow.recording_id == RecordingRow.id,
        StoreCheckRow.place == COPY,
        StoreCheckRow.copied_at.is_not(None),
    )
    return and_(RecordingRow.destroyed_at.is_(None), ~copied)
