"""Calls that were answered and recorded, and whose WAV never came: the alarm, and what to do.

A WAV is sealed within seconds of its call's end; one that is not in the catalogue `AFTER_US` later
is not merely late: the PBX died before it wrote it, its disk was full, the post-process command did
not run, or the file lies where nobody looks. All calls are recorded and kept as evidence
(DOMAIN.md, Recordings), so each such call is named until its recording comes, for `SHOWN_US`; what
is older `hotline reconcile` still names. It shows the call's name at the PBX and its ticket, never
a caller.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from gateway.tables import TicketCallRow
from recordings import naming
from recordings.spool import READY
from recordings.tables import RecordingRow
from telephony.tables import CallRow

AFTER_US = 10 * 60 * 1_000_000
SHOWN_US = 31 * 24 * 3600 * 1_000_000
LONGEST_US = 24 * 3600 * 1_000_000  # no call lasts a day: bounds the index that is read
LISTED = 20

WHAT_TO_DO = (
    "请在交换机录音目录按名称查找 WAV：找到则移入 ready/，即自动封存；没有则检查磁盘空间、"
    "recording-ready 是否执行、交换机当时是否断电，并在工单中注明无录音。 "
    "Look for the WAV of that name in the PBX's spool: move it into ready/ and it is sealed; if "
    "there is none, check the disk, recording-ready, and whether the PBX died, and note it in the "
    "ticket."
)


@dataclass(frozen=True, slots=True)
class Missing:
    """One call without its recording. `lies`: a WAV of its name is in the spool, not sealed."""

    pbx: str
    linkedid: str
    ended_at: int
    agent: str
    ticket_id: int | None
    lies: bool


def count(session: Session, now: int, *, pbx: str = "", since_at: int = 0) -> int:
    """How many there are, of calls that came in since `since_at` at one PBX, or at all."""
    wanted = select(func.count()).select_from(CallRow).where(*_missing(now, since_at))
    if pbx:
        wanted = wanted.where(CallRow.pbx == pbx)
    return session.scalar(wanted) or 0


def listed(session: Session, spools: Mapping[str, Path], now: int) -> list[Missing]:
    """The newest of them, `LISTED` at most; `spools`: where each PBX's WAVs lie on this machine."""
    rows = session.execute(
        select(CallRow, TicketCallRow.ticket_id)
        .outerjoin(TicketCallRow, TicketCallRow.call_id == CallRow.id)
        .where(*_missing(now, 0))
        .order_by(CallRow.ended_at.desc())
        .limit(LISTED)
    )
    return [
        Missing(call.pbx, call.linkedid, call.ended_at or 0, call.last_agent or "", ticket,
                _lies(spools.get(call.pbx), call.linkedid))
        for call, ticket in rows
    ]  # fmt: skip


def _lies(spool: Path | None, linkedid: str) -> bool:
    if spool is None or not naming.is_safe(linkedid):
        return False
    return any((place / f"{linkedid}.wav").exists() for place in (spool, spool / READY))


def _missing(now: int, since_at: int) -> tuple[ColumnElement[bool], ...]:
    sealed = select(RecordingRow.id).where(
        RecordingRow.pbx == CallRow.pbx, RecordingRow.name == CallRow.linkedid
    )
    return (
        CallRow.recording_expected.is_(True),
        CallRow.arrived_at >= max(since_at, now - SHOWN_US - LONGEST_US),
        CallRow.ended_at < now - AFTER_US,
        CallRow.ended_at >= now - SHOWN_US,
        ~sealed.exists(),
    )
