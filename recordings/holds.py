"""Holds: recordings that somebody orders to be kept, whatever their age.

By recording or by ticket (all of its recordings).  What always holds: whoever placed a hold does
not lift it; a hold is refused, not taken in silence, where the recording is destroyed already or
is being destroyed.  Which recordings a ticket has, the gateway knows; who may, too.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from recordings import retention
from recordings.errors import HoldInvalid, SamePerson
from recordings.tables import RecordingRow
from recordings.tables_retention import HoldRow, ItemRow, PlanRow


def place(
    session: Session,
    *,
    of: Collection[int],
    ticket_id: int | None,
    why: str,
    by: str,
    now: int,
    until_at: int | None = None,
) -> HoldRow:
    """Hold the one recording `of`, or the ticket whose recordings these are.

    Raises HoldInvalid without a reason, for no recording, for an end in the past, and where one of
    them cannot be kept any more.
    """
    if not why.strip():
        raise HoldInvalid("请写明保留理由。 Say why it has to be kept.")
    if until_at is not None and until_at <= now:
        raise HoldInvalid("截止时间须在以后。 A hold ends in the future, or when it is lifted.")
    if ticket_id is None and len(of) != 1:
        raise HoldInvalid("请指定一段录音或一个工单。 Name one recording or one ticket.")
    # Whoever begins to destroy holds the same lock: either it sees this hold, or we see its plan.
    agreed = select(PlanRow.id).where(PlanRow.state.in_(("confirmed", "rewrapped")))
    session.scalars(agreed.with_for_update()).all()
    if gone := _gone(session, of):
        listed = ", ".join(str(one) for one in gone[:5])
        raise HoldInvalid(
            f"录音 {listed} 已销毁或正在销毁，无法保留。 "
            f"Recording {listed} is destroyed, or is being destroyed: it cannot be held."
        )
    hold = HoldRow(
        recording_id=None if ticket_id is not None else next(iter(of)),
        ticket_id=ticket_id,
        why=why.strip(),
        placed_by=by,
        placed_at=now,
        until_at=until_at,
    )
    session.add(hold)
    session.flush()
    return hold


def lift(session: Session, hold_id: int, *, by: str, now: int) -> HoldRow:
    """End a hold; raises SamePerson for who placed it, HoldInvalid where there is none."""
    hold = session.get(HoldRow, hold_id, with_for_update=True, populate_existing=True)
    if hold is None or hold.lifted_at is not None:
        raise HoldInvalid(f"没有保留令 {hold_id}，或已解除。 No hold {hold_id}, or it is lifted.")
    if hold.placed_by == by:
        raise SamePerson(
            "解除保留须由另一人办理。 Somebody else than who placed it has to lift a hold."
        )
    hold.lifted_by, hold.lifted_at = by, now
    session.flush()
    return hold


def standing(session: Session, now: int) -> Sequence[HoldRow]:
    """The holds that count, oldest first."""
    return session.scalars(
        select(HoldRow)
        .where(HoldRow.lifted_at.is_(None), or_(HoldRow.until_at.is_(None), HoldRow.until_at > now))
        .order_by(HoldRow.id)
    ).all()


def _gone(session: Session, of: Collection[int]) -> list[int]:
    """Those that are destroyed, or that a plan destroys which cannot be stopped any more."""
    dead = select(RecordingRow.id).where(
        RecordingRow.id.in_(of), RecordingRow.destroyed_at.is_not(None)
    )
    dying = (
        select(ItemRow.recording_id)
        .join(PlanRow, PlanRow.id == ItemRow.plan_id)
        .where(
            ItemRow.recording_id.in_(of),
            ItemRow.fate == "destroy",
            PlanRow.state.in_(retention.GONE),
        )
    )
    return sorted({*session.scalars(dead), *session.scalars(dying)})
