"""The log's checkpoints: signed in time, remembered outside the database, brought where they go.

The timers sign once an hour when there are new lines, and at a thousand; anybody at the machine may
in between. What always holds: before signing, the greatest checkpoint known is looked for in the
database, in `<state>/log.latest` and in every directory outside, and a log that does not follow
from it is not signed: that is an alert to leader and auditor. A note leaves the house only after
its row is committed. A place that cannot be reached stops nothing.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from gateway.flow import log
from gateway.parts import Parts
from gateway.people.accounts import Person
from gateway.people.roles import Role
from recordings import audit, checkpoints, deliveries, disk, drops, logkeys, notes
from recordings.deliveries import Due
from recordings.errors import CheckpointRolledBack, LogKeyMissing, PlaceFailed
from recordings.notes import Checkpoint, Signer
from recordings.tally import Problem, Verdict

EVERY_US = 3600 * 1_000_000
EVERY_LINES = 1000
LATE_US = 24 * 3600 * 1_000_000
_LATEST = "log.latest"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of earlier checkpoints, and what is wrong with where they lie."""

    notes: tuple[str, ...]
    keys: tuple[str, ...]
    origin: str
    problems: tuple[str, ...]


def tend(parts: Parts) -> None:
    """What the timers do each round: sign if it is time, and bring what has not arrived."""
    try:
        signer = logkeys.load(parts.settings.keyring)
        if _is_time(parts, signer):
            sign(parts)
        bring(parts, signer)
    except CheckpointRolledBack:
        pass  # `sign` has told whom it concerns
    except LogKeyMissing as error:
        _alarm(parts, "log-key-missing", "log.key", str(error))


def sign(parts: Parts) -> str:
    """The signed note of the log as it stands.

    Raises LogKeyMissing, or CheckpointRolledBack where the log was set back or rewritten.
    """
    signer = logkeys.load(parts.settings.keyring)
    known = _greatest(parts, signer)
    try:
        with parts.database.begin() as session:
            note = checkpoints.sign(session, signer, parts.clock(), known)
    except CheckpointRolledBack as error:
        _alarm(parts, "log-rolled-back", signer.name, str(error))
        raise
    _remember(parts, note, signer)
    return note


def begin_anew(parts: Parts, reason: str, actor: str, origin: str) -> str:
    """After a restore: the log goes on under its next name, and its first act there is to say so.

    The line quotes the greatest checkpoint that was known of the name given up.
    """
    keys, now = logkeys.known(parts.settings.keyring), parts.clock()
    before = keys[-1].split("+", 1)[0] if keys else ""
    lost = max(_known(parts, keys, before), key=lambda one: one.size, default=None)
    signer = logkeys.begin_anew(parts.settings.keyring, os.urandom(32))
    detail = {"given_up": before, "reason": reason[:500]}
    if lost:
        detail |= {"size": str(lost.size), "root": lost.root.hex()}
    with parts.database.begin() as session:
        log.note_now(session, "log:log:restart", actor=actor, origin=origin,
                     obj=f"log:{signer.name}", outcome="ok", now=now, detail=detail)  # fmt: skip
        note = checkpoints.sign(session, signer, now)
        for role in (Role.LEADER, Role.AUDITOR):
            log.tell(session, role, "log-restarted", signer.name,
                     f"日志恢复后以新名继续。 It goes on under {signer.name}.", now)  # fmt: skip
    _remember(parts, note, signer)
    return note


def bring(parts: Parts, signer: Signer) -> list[tuple[str, str]]:
    """Bring the newest checkpoint to every place that has not got it; each with its trouble."""
    places = parts.settings.checkpoints
    with parts.database.reading() as session:
        waiting = deliveries.due(session, places, signer.name)
    return [(one.place.name, _brought(parts, signer, one)) for one in waiting]


def evidence(parts: Parts) -> Evidence:
    """Every checkpoint known here and in the directories outside, and the keys to check them."""
    own = logkeys.known(parts.settings.keyring)
    with parts.database.reading() as session:
        found = checkpoints.all_notes(session)
    found += _latest(parts)
    keys, problems = list(own), list[str]()
    if not own and found:
        problems.append("本机没有日志公钥 the log's verifier keys are missing here")
    for place in parts.settings.checkpoints:
        if place.directory is None:
            continue
        there = drops.keys_in(place.directory)
        if there and own and own[-1] not in there:
            problems.append(f"{place.name} 不认识现用密钥 does not know the key in use")
        found += drops.notes_in(place.directory)
        keys += [key for key in there if key not in keys]
    origin = own[-1].split("+", 1)[0] if own else ""
    return Evidence(tuple(dict.fromkeys(found)), tuple(keys), origin, tuple(problems))


def verdict(parts: Parts, session: Session, who: Person) -> Verdict:
    """The whole log checked, with every checkpoint known; raises Forbidden."""
    known = evidence(parts)
    found = log.verify(session, who, known.notes, known.keys, known.origin)
    more = tuple(Problem(None, what) for what in known.problems)
    return replace(found, problems=(*found.problems, *more))


def _brought(parts: Parts, signer: Signer, one: Due) -> str:
    def proof_from(old: int) -> Sequence[bytes]:
        with parts.database.reading() as session:
            return audit.consistency(session, old, one.checkpoint.size)

    answer, trouble = "", ""
    try:
        answer = deliveries.bring(one, signer.verifier_key, proof_from)
    except CheckpointRolledBack as error:
        trouble = str(error)
        _alarm(parts, "log-rolled-back", one.place.name, trouble)
    except PlaceFailed as error:
        trouble = str(error)
    now = parts.clock()
    with parts.database.begin() as session:
        deliveries.record(session, one, answer=answer, trouble=trouble, now=now)
        if trouble and deliveries.late(session, one.place, now - LATE_US):
            text = f"检查点一天未能送达：{trouble} No checkpoint was brought there for a day."
            log.tell(session, Role.AUDITOR, "checkpoint-late", one.place.name, text, now)
    return trouble


def _is_time(parts: Parts, signer: Signer) -> bool:
    with parts.database.reading() as session:
        last, (size, _) = checkpoints.newest(session, signer.name), audit.head(session)
    if last is None:
        return size > 0
    new = size - last.size
    return new >= EVERY_LINES or (new != 0 and last.signed_at <= parts.clock() - EVERY_US)


def _greatest(parts: Parts, signer: Signer) -> list[Checkpoint]:
    return _known(parts, logkeys.known(parts.settings.keyring), signer.name)


def _known(parts: Parts, keys: list[str], origin: str) -> list[Checkpoint]:
    """The greatest checkpoint of each place that shows what it has."""
    shown = [_latest(parts)]
    directories = (place.directory for place in parts.settings.checkpoints)
    shown += [drops.notes_in(directory) for directory in directories if directory]
    greatest = (drops.latest(found, keys, origin) for found in shown)
    return [one for one in greatest if one is not None]


def _latest(parts: Parts) -> list[str]:
    try:
        return [(parts.settings.state / _LATEST).read_text(encoding="utf-8", errors="replace")]
    except OSError:
        return []


def _remember(parts: Parts, note: str, signer: Signer) -> None:
    """Keep the note where restoring the database does not reach it."""
    size = notes.verify(note, [signer.verifier_key]).size
    had = drops.latest(_latest(parts), [signer.verifier_key], signer.name)
    if had is None or had.size <= size:
        disk.rewrite(parts.settings.state / _LATEST, note.encode())


def _alarm(parts: Parts, kind: str, ref: str, text: str) -> None:
    with parts.database.begin() as session:
        told = [log.tell(session, role, kind, ref, text, parts.clock())
                for role in (Role.LEADER, Role.AUDITOR)]  # fmt: skip
        if any(told):
            log.note(session, "log:checkpoint:refuse", actor="gateway", origin=log.NOBODY,
                     obj=f"log:{ref}", outcome="failed", now=parts.clock(),
                     detail={"why": kind})  # fmt: skip
