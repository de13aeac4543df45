"""Recordings that were destroyed: what still may be said of them, and that nothing is given.

Their rows stay, as their lines in the log do: when, how long, by which plan, under which
certificate. Whoever asks to hear, to export or for the outline of one is told so (410), and that is
in the log like any refusal. That the keys are gone and nothing could open one is `recordings`'.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.errors import Forbidden, Gone
from gateway.people.accounts import Person
from gateway.people.roles import Permission
from recordings.tables import RecordingRow
from recordings.tables_retention import CertificateRow


@dataclass(frozen=True, slots=True)
class Tomb:
    """A destroyed recording; `certificate` is None until its plan has come to the end."""

    row: RecordingRow
    certificate: CertificateRow | None


def check(session: Session, recording_ids: Collection[int]) -> None:
    """Refuse if one of these was destroyed.

    Raises:
        Gone: the first that was, with the number of its plan, which is its certificate's.
    """
    gone = session.scalars(
        select(RecordingRow)
        .where(RecordingRow.id.in_(recording_ids), RecordingRow.destroyed_at.is_not(None))
        .order_by(RecordingRow.id)
    ).first()
    if gone is not None:
        raise Gone(
            f"录音 {gone.id} 已到期销毁，见销毁证明 {gone.destroyed_plan}。 "
            f"Recording {gone.id} was destroyed on time: see certificate {gone.destroyed_plan}."
        )


def of(session: Session, who: Person, recording_id: int) -> Tomb | None:
    """What is left of it; None where it was not destroyed, or never was.

    Raises:
        Forbidden: the role does not look for recordings.
    """
    if not who.may(Permission.RECORDING_SEARCH):
        raise Forbidden
    row = session.get(RecordingRow, recording_id)
    if row is None or row.destroyed_at is None:
        return None
    return Tomb(row, session.get(CertificateRow, row.destroyed_plan))


def certified(session: Session, rows: Collection[RecordingRow]) -> frozenset[int]:
    """Those of the rows' plans that have their certificate."""
    plans = {row.destroyed_plan for row in rows if row.destroyed_plan is not None}
    found = select(CertificateRow.plan_id).where(CertificateRow.plan_id.in_(plans))
    return frozenset(session.scalars(found)) if plans else frozenset()
