"""How the house stands, for the administrator: link, queues, keys, spool, what is stuck.

Reads what the duties have written, so it shows the same from whichever process it is asked.
Nothing here shows a caller, a number or what a message says.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gateway.errors import Forbidden
from gateway.flow import custody, scrubbing, soundness, standing, unrecorded
from gateway.flow.custody import Trouble
from gateway.flow.soundness import Unsound
from gateway.flow.standing import Standing
from gateway.flow.unrecorded import Missing
from gateway.parts import Parts
from gateway.people.accounts import Person
from gateway.people.roles import Permission
from gateway.tables import DepartmentRow, RecordingLinkRow
from queueing import depth, parked, telling, topology
from queueing.depth import DepartmentDepth
from recordings import catalogue
from recordings.errors import KeysError
from recordings.tables import AuditHeadRow, CaptureTroubleRow, RecordingRow


@dataclass(frozen=True, slots=True)
class Queue:
    """What one department has not got yet: not sent, or not fetched from our own queues."""

    department: str
    name: str
    mode: str
    waiting: int
    oldest_at: int | None
    parked: int


@dataclass(frozen=True, slots=True)
class Key:
    """One month's pair and how much it seals."""

    key_id: str
    recipient: str
    has_private: bool
    recordings: int


@dataclass(frozen=True, slots=True)
class Spool:
    """WAVs that lie in the spool, recordings that never came, and why some could not be sealed."""

    waiting: int
    missing: int
    unrecorded: list[Missing]
    """The newest of the missing."""
    unlinked: int
    troubles: list[CaptureTroubleRow]


@dataclass(frozen=True, slots=True)
class Parked:
    """A message that waits for a person."""

    id: int
    direction: str
    department: str
    reason: str
    times: int
    parked_at: int


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything on one page."""

    links: list[Standing]
    queues: list[Queue]
    outbox_waiting: int
    outbox_oldest_at: int | None
    relays: int
    """How many tell of themselves."""
    broker_up: bool
    """Whether one of them reaches the broker, or the database where that carries."""
    keys: list[Key]
    key_troubles: list[Trouble | Unsound]
    """What is wrong with the recordings' keys, the log's, its checkpoints, and what is read."""
    spool: Spool
    kept: scrubbing.Standing
    parked: list[Parked]
    log_lines: int
    database: str
    broker: str


def overview(session: Session, who: Person, parts: Parts, now: int) -> Overview:
    """How the house stands.

    Raises:
        Forbidden: the role does not look at it.
    """
    if not who.may(Permission.STATE_READ):
        raise Forbidden
    waiting, oldest = depth.waiting(session)
    carriers = telling.carriers(session, now)
    return Overview(
        links=standing.of_all(session, parts, now),
        queues=_queues(session),
        outbox_waiting=waiting,
        outbox_oldest_at=oldest,
        relays=len(carriers),
        broker_up=any(one.up for one in carriers),
        keys=_keys(session, parts),
        key_troubles=[*custody.troubles(parts, session), *soundness.found(parts, session, now)],
        spool=_spool(session, {one.name: one.spool for one in parts.settings.pbxs}, now),
        kept=scrubbing.standing(session, parts, now),
        parked=[
            Parked(row.id, row.direction, row.department, row.reason, row.times, row.parked_at)
            for row in parked.unresolved(session)
        ],
        log_lines=session.scalar(select(AuditHeadRow.size)) or 0,
        database=parts.settings.database_place,
        broker=parts.settings.broker_place,
    )


def _queues(session: Session) -> list[Queue]:
    depths = {one.department: one for one in depth.by_department(session)}
    lying = depth.lying(session)
    queues = []
    for row in session.scalars(select(DepartmentRow).order_by(DepartmentRow.code)):
        unsent = depths.get(row.code, DepartmentDepth(row.code, 0, None, 0))
        here, since = lying.get(topology.department_queue(row.code), (0, None))
        oldest = min((at for at in (unsent.oldest_at, since) if at is not None), default=None)
        count = unsent.waiting + here
        queues.append(Queue(row.code, row.name, row.mode, count, oldest, unsent.parked))
    return queues


def _keys(session: Session, parts: Parts) -> list[Key]:
    counts = catalogue.counts_by_key(session)
    private: set[str] = set()
    with suppress(KeysError):  # the keyring is locked: then no key can be used
        private = set(parts.identities.key_ids()) if parts.identities else set()
    return [
        Key(key_id, _half(parts, key_id), key_id in private, counts.get(key_id, 0))
        for key_id in parts.recipients.key_ids()
    ]


def _half(parts: Parts, key_id: str) -> str:
    """The public half as text; empty where the file is none, which `key_troubles` tells."""
    try:
        return parts.recipients.of(key_id).text
    except KeysError:
        return ""


def _spool(session: Session, spools: Mapping[str, Path], now: int) -> Spool:
    unlinked = (
        select(func.count())
        .select_from(RecordingRow)
        .outerjoin(RecordingLinkRow, RecordingLinkRow.recording_id == RecordingRow.id)
        .where(RecordingLinkRow.recording_id.is_(None))
    )
    return Spool(
        waiting=sum(1 for spool in spools.values() for _ in spool.rglob("*.wav")),
        missing=unrecorded.count(session, now),
        unrecorded=unrecorded.listed(session, spools, now),
        unlinked=session.scalar(unlinked) or 0,
        troubles=list(catalogue.troubles(session)),
    )
