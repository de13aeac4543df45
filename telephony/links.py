"""Where the link to a PBX stands, and the intervals in which it was down.

An interval begins with the last packet heard, not with our noticing, and there is at most one open
for each PBX. A process that was killed leaves no word: when the next one connects and finds the
link recorded as up, it writes the interval that nobody could.
"""

from typing import Final

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from telephony.batch import Batch, Connected, Lost
from telephony.prepared import Prepared
from telephony.tables import Base, LinkGapRow, LinkStateRow

FRESH_US: Final = 1_000_000

_STATE: Final = Base.metadata.tables["link_state"]
_HEARD: Final = Prepared(
    update(_STATE)
    .where(_STATE.c.pbx == bindparam("of"))
    .values(
        last_packet_at=bindparam("at"),
        unknown_events=_STATE.c.unknown_events + bindparam("refused"),
    )
)


def note(session: Session, pbx: str, batch: Batch, *, refused: int = 0, noted_at: int = 0) -> int:
    """Writes what the batch says of the link: up, down or simply heard; answers when that was
    written last. That it is heard need not be written again within `FRESH_US` of `noted_at`: an
    interval then begins so much too early, which loses nothing."""
    if batch.change is None:
        if not refused and noted_at <= batch.received_at < noted_at + FRESH_US:
            return noted_at
        _HEARD.run(session, [{"of": pbx, "at": batch.received_at, "refused": refused}])
        return batch.received_at
    state = session.get(LinkStateRow, pbx, populate_existing=True)
    if isinstance(batch.change, Connected):
        _came(session, pbx, batch, state)
    else:
        _went(session, pbx, batch, state, batch.change)
    session.flush()
    return batch.received_at


def passed_over(session: Session, pbx: str, batch: Batch) -> None:
    """A batch was set aside: what it told is an interval not heard, and to be back-filled."""
    state = session.get(LinkStateRow, pbx)
    began_at = batch.received_at
    if state is not None:
        began_at = min(state.last_packet_at, began_at)
        state.last_packet_at = batch.received_at
    gap = LinkGapRow(pbx=pbx, began_at=began_at, ended_at=batch.received_at, reason="poison")
    session.add(gap)
    session.flush()


def _came(session: Session, pbx: str, batch: Batch, state: LinkStateRow | None) -> None:
    at = batch.received_at
    if state is None:
        state = LinkStateRow(pbx=pbx, unknown_events=0)
    elif state.connected and state.link_session == batch.link_session:
        return  # this very word was committed before
    elif state.connected:
        began = min(state.last_packet_at, at)
        session.add(LinkGapRow(pbx=pbx, began_at=began, ended_at=at, reason="killed"))
    session.execute(
        update(LinkGapRow)
        .where(LinkGapRow.pbx == pbx, LinkGapRow.ended_at.is_(None))
        .values(ended_at=at)
    )
    state.connected = True
    state.since_at = at
    state.last_packet_at = at
    state.link_session = batch.link_session
    session.add(state)


def _went(session: Session, pbx: str, batch: Batch, state: LinkStateRow | None, lost: Lost) -> None:
    at = batch.received_at
    if state is None:
        state = LinkStateRow(pbx=pbx, unknown_events=0, last_packet_at=at)
    state.connected = False
    state.since_at = at
    state.last_packet_at = lost.last_packet_at or state.last_packet_at
    state.link_session = batch.link_session
    session.add(state)
    lasting = session.scalars(
        select(LinkGapRow).where(LinkGapRow.pbx == pbx, LinkGapRow.ended_at.is_(None))
    ).first()
    if lasting is None:
        began = state.last_packet_at if lost.last_packet_at is None else lost.last_packet_at
        session.add(LinkGapRow(pbx=pbx, began_at=began, reason=lost.reason))


def incomplete(
    session: Session, *, pbx: str | None = None, since_at: int = 0, until_at: int | None = None
) -> list[LinkGapRow]:
    """Intervals that are not back-filled and touch `since_at` <= time < `until_at` (µs; None: now
    and later), of one PBX or of all, oldest first: figures of that time may lack calls."""
    wanted = select(LinkGapRow).where(
        LinkGapRow.backfilled_at.is_(None),
        LinkGapRow.ended_at.is_(None) | (LinkGapRow.ended_at >= since_at),
    )
    if until_at is not None:
        wanted = wanted.where(LinkGapRow.began_at < until_at)
    if pbx is not None:
        wanted = wanted.where(LinkGapRow.pbx == pbx)
    return list(session.scalars(wanted.order_by(LinkGapRow.began_at, LinkGapRow.id)))


def gaps(session: Session, pbx: str, *, since_at: int = 0) -> list[LinkGapRow]:
    """Intervals not yet back-filled, or ended after `since_at`; oldest first."""
    return list(
        session.scalars(
            select(LinkGapRow)
            .where(
                LinkGapRow.pbx == pbx,
                LinkGapRow.backfilled_at.is_(None) | (LinkGapRow.ended_at > since_at),
            )
            .order_by(LinkGapRow.began_at)
        )
    )
