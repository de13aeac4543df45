"""What goes when, and what stays longer, and why: read from the catalogue, month by month.

What extends a recording's time (an open ticket, a hold, a request) is not this room's to know in
full: the gateway hands over `Extensions`.  What always holds: memory does not grow with the number
of recordings; nothing is written; a key is due when all its recordings are and its own name says
so, whichever is later.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from recordings import custodians, keys, retention
from recordings.errors import NotYet
from recordings.tables import RecordingRow
from recordings.tables_retention import PlanRow

_AT_ONCE = 2000


class Extended(NamedTuple):
    """A recording that stays longer, for one reason; `until_at` (µs) where its end is known."""

    recording_id: int
    why: str
    until_at: int | None


class Item(NamedTuple):
    """One recording of a key, with the reasons for which it stays; none: it goes."""

    recording_id: int
    sealed_sha256: bytes
    why: tuple[str, ...]

    @property
    def fate(self) -> str:
        """`keep` where anything keeps it, else `destroy`."""
        return "keep" if self.why else "destroy"


@dataclass(frozen=True, slots=True)
class Extensions:
    """What the gateway knows: `of(session, key_id)` gives what stays longer of a key's recordings,
    by ascending id; `call_end(session, key_id)` when the latest of their calls ended, if any."""

    of: Callable[[Session, str], Iterator[Extended]]
    call_end: Callable[[Session, str], int | None]


@dataclass(frozen=True, slots=True)
class MonthPlan:
    """One key: how many recordings it opens and how long the sealed bytes are, from when on they
    may go, how many stay longer, and for which reasons; the open plan, if one was made."""

    key_id: str
    recordings: int
    sealed_size: int
    due_at: int
    extended: int
    reasons: dict[str, int]
    plan: PlanRow | None

    def due(self, now: int) -> bool:
        """Whether it may be proposed; the keyring has its own word beside this."""
        return self.due_at <= now


def months(session: Session, extensions: Extensions, key_id: str = "") -> Iterator[MonthPlan]:
    """Every key that opens recordings (or that one), by name; one aggregate for all of them."""
    row = RecordingRow
    query = (
        select(
            row.key_id,
            func.count(),
            func.sum(row.sealed_size),
            func.max(row.recorded_at + row.duration_ms * 1000),
            func.max(row.sealed_at),
        )
        .where(row.destroyed_at.is_(None))
        .group_by(row.key_id)
        .order_by(row.key_id)
    )
    if key_id:
        query = query.where(row.key_id == key_id)
    under_way = open_plans(session)
    for name, count, size, recorded_end, sealed_at in session.execute(query).all():
        extended, reasons = _counted(extensions.of(session, name))
        due = retention.due_at(
            recorded_end=recorded_end,
            call_end=extensions.call_end(session, name),
            sealed_at=sealed_at,
        )
        yield MonthPlan(name, count, int(size), max(due, keys.not_before_at(name)), extended,
                        reasons, under_way.get(name))  # fmt: skip


def open_plans(session: Session) -> dict[str, PlanRow]:
    """The plans that are neither void nor carried out, by key."""
    rows = session.scalars(select(PlanRow).where(PlanRow.state.not_in(retention.OVER)))
    return {row.key_id: row for row in rows}


def items(session: Session, key_id: str, extensions: Extensions) -> Iterator[Item]:
    """Every recording the key opens, by ascending id, with what keeps it."""
    rows = session.execute(
        select(RecordingRow.id, RecordingRow.sealed_sha256)
        .where(RecordingRow.key_id == key_id, RecordingRow.destroyed_at.is_(None))
        .order_by(RecordingRow.id)
        .execution_options(yield_per=_AT_ONCE)
    )
    staying = groupby(extensions.of(session, key_id), attrgetter("recording_id"))
    held = next(staying, None)
    for recording_id, sealed_sha256 in rows:
        why: tuple[str, ...] = ()
        while held is not None and held[0] <= recording_id:
            if held[0] == recording_id:
                why = tuple(sorted({one.why for one in held[1]}))
            held = next(staying, None)
        yield Item(recording_id, sealed_sha256, why)


def refuse_copies(session: Session, key_id: str) -> None:
    """Raise NotYet while a copy of the key is unaccounted for: destroying ours would prove
    nothing."""
    if copies := custodians.unaccounted(session, key_id):
        raise NotYet(
            f"{key_id} 有 {copies} 份副本下落不明，须先由两人证明已销毁：hotline keys gone。 "
            f"{copies} copies of {key_id} are unaccounted for: two people attest with keys gone."
        )


class Digest:
    """What two persons agree to, as one number: key, plan, and each recording with its fate."""

    def __init__(self, key_id: str, plan_id: int) -> None:
        self._hashed = hashlib.sha256(f"{key_id} {plan_id}\n".encode())

    def add(self, item: Item) -> None:
        """One more, by ascending id."""
        line = f"{item.recording_id} {item.sealed_sha256.hex()} {item.fate}\n"
        self._hashed.update(line.encode())

    @property
    def text(self) -> str:
        """64 hexadecimal digits."""
        return self._hashed.hexdigest()


def _counted(extended: Iterator[Extended]) -> tuple[int, dict[str, int]]:
    count, reasons = 0, dict[str, int]()
    for _, of_one in groupby(extended, attrgetter("recording_id")):
        count += 1
        for why in {one.why for one in of_one}:
            reasons[why] = reasons.get(why, 0) + 1
    return count, reasons
