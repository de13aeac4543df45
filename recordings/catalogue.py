"""What recordings there are, and which WAVs could not be sealed: the rows, read and written.

Takes the caller's Session and never commits.  A recording's row is written once and not changed;
which call and ticket it belongs to is the gateway's to know.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from recordings.errors import RecordingsError
from recordings.tables import CaptureTroubleRow, RecordingRow

PAGE = 50


def get(session: Session, recording_id: int) -> RecordingRow:
    """The recording of that id; raises RecordingsError where there is none."""
    row = session.get(RecordingRow, recording_id)
    if row is None:
        raise RecordingsError(f"没有编号 {recording_id} 的录音。 No recording {recording_id}.")
    return row


def by_name(session: Session, pbx: str, name: str) -> RecordingRow | None:
    """The recording of one channel of one PBX, by its UNIQUEID."""
    return session.scalar(
        select(RecordingRow).where(RecordingRow.pbx == pbx, RecordingRow.name == name)
    )


def by_names(session: Session, pbx: str, names: Collection[str]) -> dict[str, RecordingRow]:
    """Those of the names that have a row."""
    rows = session.scalars(
        select(RecordingRow).where(RecordingRow.pbx == pbx, RecordingRow.name.in_(names))
    )
    return {row.name: row for row in rows}


def page(
    session: Session,
    *,
    since: int | None = None,
    until: int | None = None,
    pbx: str = "",
    condition: str = "",
    ids: Collection[int] | None = None,
    offset: int = 0,
    limit: int = PAGE,
) -> Sequence[RecordingRow]:
    """Recordings, latest first, whose recording began in [since, until) (µs); `ids` narrows."""
    query = select(RecordingRow).order_by(RecordingRow.recorded_at.desc(), RecordingRow.id.desc())
    if since is not None:
        query = query.where(RecordingRow.recorded_at >= since)
    if until is not None:
        query = query.where(RecordingRow.recorded_at < until)
    if pbx:
        query = query.where(RecordingRow.pbx == pbx)
    if condition:
        query = query.where(RecordingRow.condition == condition)
    if ids is not None:
        query = query.where(RecordingRow.id.in_(ids))
    return session.scalars(query.offset(offset).limit(limit)).all()


def extent(session: Session) -> tuple[int, int]:
    """The greatest id, and how many recordings there are."""
    last, count = session.execute(select(func.max(RecordingRow.id), func.count())).one()
    return last or 0, count


def following(session: Session, after: int, until: int, limit: int) -> Sequence[RecordingRow]:
    """Recordings of the ids (after, until], ascending."""
    query = select(RecordingRow).where(RecordingRow.id > after, RecordingRow.id <= until)
    return session.scalars(query.order_by(RecordingRow.id).limit(limit)).all()


def counts_by_key(session: Session) -> dict[str, int]:
    """How many recordings each key opens; those that were destroyed are opened by none."""
    query = select(RecordingRow.key_id, func.count()).where(RecordingRow.destroyed_at.is_(None))
    query = query.group_by(RecordingRow.key_id)
    return {key_id: count for key_id, count in session.execute(query)}  # noqa: C416 - rows unpack


def troubles(session: Session, pbx: str | None = None) -> Sequence[CaptureTroubleRow]:
    """WAVs that could not be sealed, longest waiting first."""
    query = select(CaptureTroubleRow).order_by(CaptureTroubleRow.first_at, CaptureTroubleRow.id)
    if pbx is not None:
        query = query.where(CaptureTroubleRow.pbx == pbx)
    return session.scalars(query).all()


def note_trouble(
    session: Session, pbx: str, name: str, what: str, message: str, now: int
) -> CaptureTroubleRow:
    """Write down, or count once more, that this WAV could not be sealed."""
    row = session.scalar(
        select(CaptureTroubleRow).where(
            CaptureTroubleRow.pbx == pbx, CaptureTroubleRow.name == name
        )
    )
    if row is None:
        row = CaptureTroubleRow(pbx=pbx, name=name, first_at=now, tries=0)
        session.add(row)
    row.what, row.message, row.last_at = what, message, now
    row.tries += 1
    session.flush()
    return row


def clear_trouble(session: Session, pbx: str, name: str) -> None:
    """Forget the trouble with a WAV that is sealed now."""
    session.execute(
        delete(CaptureTroubleRow).where(
            CaptureTroubleRow.pbx == pbx, CaptureTroubleRow.name == name
        )
    )
