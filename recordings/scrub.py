"""Recordings read again and compared with the catalogue: a share of everything, the oldest check
first, in every place that keeps them.

What always holds: a recording is whole where all its objects hash to what was catalogued when
it was sealed, and how each was found is on record; a place that is away is not taken for one that
lost everything; no transaction is open while bytes are read.  It heals nothing: what is wrong in
one place may be right in another or in a backup, and evidence is put back by people.

A recording that was never checked here counts as checked when it was sealed: capture had read it
back.  How often there is a share to do, and who is told, is the gateway's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVarTuple

from sqlalchemy import Select, and_, exists, func, select
from sqlalchemy.orm import Session

from recordings import catalogue, copying
from recordings.capture import Begin
from recordings.errors import EvidenceAltered, ObjectMissing, ObjectUnreadable, StoreError
from recordings.manifest import Kept
from recordings.place import Store
from recordings.tables import RecordingRow
from recordings.tables_store import ALTERED, COPY, MISSING, OK, UNREADABLE, StoreCheckRow

Ts = TypeVarTuple("Ts")
OnFound = Callable[[Session, RecordingRow, str, str], None]
"""Told, inside the transaction that writes it down, what was found otherwise than the last time:
the recording, the place, the outcome."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """A recording that was not found whole, the last time it was looked at."""

    recording_id: int
    place: str
    outcome: str
    checked_at: int


def due(session: Session, place: str, share: float) -> list[int]:
    """The ids of a share of all recordings (at least one), the longest unchecked first."""
    query = (
        select(RecordingRow.id)
        .join(
            StoreCheckRow,
            and_(StoreCheckRow.recording_id == RecordingRow.id, StoreCheckRow.place == place),
            isouter=place != COPY,  # what was never copied cannot be missing there
        )
        .where(RecordingRow.destroyed_at.is_(None))
        .order_by(func.coalesce(StoreCheckRow.checked_at, RecordingRow.sealed_at), RecordingRow.id)
    )
    count = -int(-catalogue.extent(session)[1] * share // 1)
    return list(session.scalars(query.limit(count)))


def check(
    begin: Begin,
    place: str,
    store: Store,
    ids: Sequence[int],
    clock: Callable[[], int],
    on_found: OnFound = lambda _session, _row, _place, _outcome: None,
) -> dict[int, str]:
    """Compare these recordings in one place and write down how each was found; the outcomes by id,
    without what is still to be copied there, or destroyed.

    Raises StoreError where the place is away: nothing is known of its recordings then.
    """
    found: dict[int, str] = {}
    for recording_id in ids:
        with begin() as session:
            row = catalogue.get(session, recording_id)
            if row.destroyed_at is not None:
                continue
            if place == COPY and not session.get(StoreCheckRow, (recording_id, place)):
                continue
        outcome = _outcome(store, row)
        if outcome == MISSING:
            there(store, place)
        with begin() as session:
            if _write(session, row.id, place, outcome, clock()):
                on_found(session, row, place, outcome)
        found[recording_id] = outcome
    return found


def there(store: Store, place: str) -> None:
    """Raise StoreError where a place that kept recordings holds nothing at all: it is away."""
    if next(iter(store.keys("")), None) is None:
        raise StoreError(
            f"存放处（{place}）是空的或未挂载，未作核对与复制。 "
            f"The {place} is empty or not mounted: nothing was compared or copied."
        )


def any_in(session: Session, place: str) -> bool:
    """Whether anything is known of a place."""
    return bool(session.scalar(select(exists().where(StoreCheckRow.place == place))))


def wrong(session: Session, limit: int) -> list[Wrong]:
    """What was not found whole, the latest finding first."""
    query = _not_whole(select(StoreCheckRow))
    rows = session.scalars(
        query.order_by(StoreCheckRow.checked_at.desc(), StoreCheckRow.recording_id).limit(limit)
    )
    return [Wrong(row.recording_id, row.place, row.outcome, row.checked_at) for row in rows]


def count_wrong(session: Session) -> int:
    """How many findings stand."""
    query = _not_whole(select(func.count()).select_from(StoreCheckRow))
    return session.scalar(query) or 0


def silent_since(session: Session, place: str, now: int) -> int:
    """For how long (µs) nothing was compared in a place that has something to compare; else 0."""
    latest = session.scalar(
        select(func.max(StoreCheckRow.checked_at)).where(StoreCheckRow.place == place)
    )
    if latest is None:
        latest = session.scalar(select(func.min(RecordingRow.sealed_at)))
    return 0 if latest is None else now - latest


def _not_whole(query: Select[*Ts]) -> Select[*Ts]:
    """What was destroyed in its time is not missed."""
    there = RecordingRow.id == StoreCheckRow.recording_id
    kept = query.join(RecordingRow, there).where(RecordingRow.destroyed_at.is_(None))
    return kept.where(StoreCheckRow.outcome != OK)


def _outcome(store: Store, row: RecordingRow) -> str:
    try:
        copying.verify(Kept.of(row), store)
    except ObjectMissing:
        return MISSING
    except EvidenceAltered:
        return ALTERED
    except (ObjectUnreadable, OSError):
        return UNREADABLE
    return OK


def _write(session: Session, recording_id: int, place: str, outcome: str, now: int) -> bool:
    """Write the finding down; whether it is another than before (unchecked counts as whole)."""
    row = session.get(StoreCheckRow, (recording_id, place))
    before = row.outcome if row else OK
    if row is None:
        row = StoreCheckRow(recording_id=recording_id, place=place)
        session.add(row)
    row.checked_at, row.outcome = now, outcome
    return outcome != before
