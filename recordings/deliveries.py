"""Checkpoints on their way out: to each place the newest, until it is there.

A place is written in one word:

    /var/spool/evidence                     a directory (also file:///…)
    https://witness.example/log#KEY         a C2SP witness and its verifier key
    mail:/var/mail/auditor?to=a@b.example   a maildir, and whom the message is for

The newest checkpoint answers for all before it, so one that failed is not brought later: its
successor is.  What always holds: a place that fails is tried again each round and stops neither the
others nor the log; how often and why is on record.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from recordings import drops, notes, witness
from recordings.errors import CheckpointInvalid
from recordings.notes import Checkpoint
from recordings.tables_log import CheckpointRow, DeliveryRow
from recordings.witness import ProofFrom


@dataclass(frozen=True, slots=True)
class Place:
    """Where checkpoints are brought: `name` in tables and on pages, `to` and `key` as its kind."""

    kind: str
    name: str
    target: str
    extra: str = ""

    @property
    def directory(self) -> Path | None:
        """Where earlier notes can be read again; None of a place one only sends to."""
        return Path(self.target) if self.kind == "directory" else None


@dataclass(frozen=True, slots=True)
class Due:
    """A checkpoint a place has not got; `old` is the size of the last it got (0: none)."""

    place: Place
    checkpoint_id: int
    checkpoint: Checkpoint
    note: str
    old: int


def places(text: str) -> tuple[Place, ...]:
    """The places in a setting, separated by blanks; raises ValueError naming a wrong one."""
    return tuple(_place(word) for word in text.split())


def due(session: Session, given: Sequence[Place], origin: str) -> list[Due]:
    """Of each place that has not got the newest checkpoint of that origin: what to bring."""
    newest = session.scalar(
        select(CheckpointRow)
        .where(CheckpointRow.origin == origin)
        .order_by(CheckpointRow.size.desc())
        .limit(1)
    )
    if newest is None:
        return []
    checkpoint = Checkpoint(newest.origin, newest.size, newest.root)
    got = {place.name: _last(session, place, origin) for place in given}
    return [
        Due(place, newest.id, checkpoint, newest.note, got[place.name])
        for place in given
        if got[place.name] != newest.size
    ]


def bring(one: Due, verifier_key: str, proof_from: ProofFrom) -> str:
    """Bring it there; answers what the place says to it.

    Raises PlaceFailed, to be tried again; CheckpointRolledBack where a witness saw another log.
    """
    match one.place.kind:
        case "directory":
            drops.put(Path(one.place.target), one.checkpoint, one.note, verifier_key)
        case "mail":
            drops.mail(Path(one.place.target), one.place.extra, one.checkpoint, one.note)
        case _:
            return witness.submit(one.place.target, one.place.extra, one.checkpoint, one.note,
                                  one.old, proof_from)  # fmt: skip
    return ""


def record(session: Session, one: Due, *, answer: str = "", trouble: str = "", now: int) -> int:
    """Write down how it went; answers how often it was tried."""
    row = session.get(DeliveryRow, (one.checkpoint_id, one.place.name))
    if row is None:
        row = DeliveryRow(checkpoint_id=one.checkpoint_id, place=one.place.name, tries=0,
                          trouble="", answer="")  # fmt: skip
        session.add(row)
    row.tries += 1
    row.trouble, row.answer = trouble, answer
    row.sent_at = None if trouble else now
    return row.tries


def late(session: Session, place: Place, before: int) -> bool:
    """Whether the place got nothing since `before`, though there was something then already."""
    arrived = select(DeliveryRow.place).where(
        DeliveryRow.place == place.name, DeliveryRow.sent_at >= before
    )
    signed = select(CheckpointRow.id).where(CheckpointRow.signed_at < before)
    return session.scalar(signed.limit(1)) is not None and session.scalar(arrived) is None


def standing(session: Session, place: Place) -> tuple[DeliveryRow, CheckpointRow] | None:
    """The last delivery to a place, as far as it came."""
    found = session.execute(
        select(DeliveryRow, CheckpointRow)
        .join(CheckpointRow, CheckpointRow.id == DeliveryRow.checkpoint_id)
        .where(DeliveryRow.place == place.name)
        .order_by(CheckpointRow.id.desc())
        .limit(1)
    ).first()
    return (found[0], found[1]) if found else None


def _last(session: Session, place: Place, origin: str) -> int:
    return (
        session.scalar(
            select(CheckpointRow.size)
            .join(DeliveryRow, DeliveryRow.checkpoint_id == CheckpointRow.id)
            .where(DeliveryRow.place == place.name, DeliveryRow.sent_at.is_not(None))
            .where(CheckpointRow.origin == origin)
            .order_by(CheckpointRow.size.desc())
            .limit(1)
        )
        or 0
    )


def _place(word: str) -> Place:
    parts = urlsplit(word)
    try:
        match parts.scheme:
            case "" | "file" if Path(unquote(parts.path)).is_absolute():
                path = unquote(parts.path)
                return Place("directory", path, path)
            case "mail" if parse_qs(parts.query).get("to"):
                path = unquote(parts.path)
                return Place("mail", f"mail:{path}", path, parse_qs(parts.query)["to"][0])
            case "http" | "https" if parts.hostname and not parts.username:
                notes.check_key(parts.fragment, witness=True)
                url = parts._replace(fragment="").geturl()
                return Place("witness", url, url, parts.fragment)
    except CheckpointInvalid as error:
        raise ValueError(word) from error
    raise ValueError(word)
