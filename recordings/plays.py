"""A play: begun once, counted once, and named by every range that is asked for under it.

A browser asks for ranges as it likes; counting those would count nothing a person means. So a play
is begun by an act of its own. What always holds: under one grant no more plays begin than it was
given for, however many ask at once (the grant's row is locked while they are counted); and a play
opens nothing that its grant does not open at that moment, so that an ended grant stops it at the
next range. A play that is over is not begun again by itself.
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from recordings import grants
from recordings.errors import GrantUsedUp, NotGranted, PlayOver
from recordings.grants import Grant
from recordings.tables import GrantRow
from recordings.tables_grants import PlayRow

LASTS_US = 4 * 3600 * 1_000_000
"""Long enough for the longest call to be heard twice, with stops."""


def begin(session: Session, grant: Grant, now: int) -> PlayRow:
    """Begin one play of the grant's recording; raises GrantUsedUp where none is left."""
    row = session.get_one(GrantRow, grant.grant_id, with_for_update=True, populate_existing=True)
    if (rest := left(session, row)) is not None and rest <= 0:
        raise GrantUsedUp(
            f"授权的 {row.plays_max} 次收听已用完，请重新申请。 "
            f"All {row.plays_max} plays of this grant are used: ask again."
        )
    play = PlayRow(
        grant_id=grant.grant_id,
        recording_id=grant.recording_id,
        person=grant.person,
        began_at=now,
        ends_at=min(now + LASTS_US, grant.expires_at),
    )
    session.add(play)
    session.flush()
    return play


def left(session: Session, grant: GrantRow) -> int | None:
    """How many plays of the grant are left; None where they are not counted."""
    if grant.plays_max is None:
        return None
    begun = select(func.count()).select_from(PlayRow).where(PlayRow.grant_id == grant.id)
    return max(0, grant.plays_max - (session.scalar(begun) or 0))


def usable(session: Session, play_id: int, person: str, recording_id: int, now: int) -> Grant:
    """The Grant that this play was begun under, if both still hold.

    Raises NotGranted for no play or another's, PlayOver, and what `grants.usable` raises.
    """
    row = session.get(PlayRow, play_id)
    if row is None or (row.person, row.recording_id) != (person, recording_id):
        raise NotGranted("未获此录音的授权，请先申请。 No grant for this recording: ask for one.")
    grant = grants.usable(session, row.grant_id, person, recording_id, now)
    if now >= row.ends_at:
        raise PlayOver("本次收听已结束，请重新开始。 This play is over: begin another.")
    return grant


def running(
    session: Session, grant_id: int, person: str, recording_id: int, now: int
) -> PlayRow | None:
    """The newest play of this recording under this grant that is not over."""
    return session.scalar(
        select(PlayRow)
        .where(
            PlayRow.grant_id == grant_id,
            PlayRow.person == person,
            PlayRow.recording_id == recording_id,
            PlayRow.ends_at > now,
        )
        .order_by(PlayRow.id.desc())
        .limit(1)
    )
