"""Each PBX as it stands: its link, who has it, what was missed, what waits, what was no use.

Read from what the duties have written, so it is the same from whichever process it is asked, but
for the spill: that is a file beside the process that has the link, and told of this machine. A PBX
that is set and was never heard stands here, too; one that was heard and is no longer set is
`here=False`. Nothing here shows a caller or a number.
"""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gateway import lease
from gateway.flow import unrecorded
from gateway.parts import Parts
from gateway.tables import LeaseRow
from telephony import links, spill
from telephony.tables import CelMarkRow, LinkStateRow, PoisonRow


@dataclass(frozen=True, slots=True)
class Standing:
    """One PBX. Times in µs; None: it was never heard, or its CEL never read."""

    pbx: str
    here: bool
    """Whether it is set in this process."""
    connected: bool
    since_at: int | None
    last_packet_at: int | None
    holder: str
    """The process that has the link; '' while nobody has."""
    lasting_gaps: int
    """Intervals without the link that have not ended."""
    waiting_gaps: int
    """Intervals that have ended and are not back-filled from CEL."""
    oldest_gap_at: int | None
    spill_bytes: int
    """Received on this machine, and not yet committed."""
    unknown_events: int
    """Events that the table of calls refused: late, repeated or out of order."""
    poison: int
    """Batches that could not be worked, and were set aside in the journal."""
    cel_unreadable: int
    """Records of CEL that could not be read."""
    cel_read_at: int | None
    """When CEL was last read on."""
    unrecorded: int
    """Answered calls whose recording never came."""

    @property
    def open_gaps(self) -> int:
        """Intervals whose figures are not complete."""
        return self.lasting_gaps + self.waiting_gaps


def of_all(session: Session, parts: Parts, now: int) -> list[Standing]:
    """Every PBX that is set or was ever heard; those that are set first. `now`: µs."""
    here = [one.name for one in parts.settings.pbxs]
    heard = session.scalars(select(LinkStateRow.pbx).order_by(LinkStateRow.pbx))
    names = [*here, *(name for name in heard if name not in here)]
    return [_of(session, parts, name, name in here, now) for name in names]


def _of(session: Session, parts: Parts, pbx: str, here: bool, now: int) -> Standing:
    state = session.get(LinkStateRow, pbx)
    mark = session.get(CelMarkRow, pbx)
    held = session.get(LeaseRow, lease.of_pbx(pbx))
    gaps = links.incomplete(session, pbx=pbx)
    lasting = sum(1 for gap in gaps if gap.ended_at is None)
    poison = select(func.count()).select_from(PoisonRow).where(PoisonRow.pbx == pbx)
    return Standing(
        pbx=pbx,
        here=here,
        connected=state is not None and state.connected,
        since_at=state.since_at if state else None,
        last_packet_at=state.last_packet_at if state else None,
        holder=held.holder.partition(":")[2] if held and held.expires_at > now else "",
        lasting_gaps=lasting,
        waiting_gaps=len(gaps) - lasting,
        oldest_gap_at=gaps[0].began_at if gaps else None,
        spill_bytes=spill.waiting_bytes(spill.files(parts.settings.state / "spill", pbx)),
        unknown_events=state.unknown_events if state else 0,
        poison=session.scalar(poison) or 0,
        cel_unreadable=mark.unreadable if mark else 0,
        cel_read_at=mark.read_at if mark else None,
        unrecorded=unrecorded.count(session, now, pbx=pbx),
    )
