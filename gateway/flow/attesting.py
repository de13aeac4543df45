"""How well the log is attested just now, and proofs of single lines for whoever receives them.

What an auditor asks first: how many lines the newest checkpoint covers, since when, which places
outside have it, and when the whole was last verified and how that ended. A proof leads to the
newest checkpoint; where that one is older than the line, the log is signed on demand. Signing in
time and bringing the notes is `witnessing`; checking a proof is anybody's (`recordings.proofs`).
"""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from gateway.errors import Conflict, Forbidden
from gateway.flow import log, witnessing
from gateway.parts import Parts
from gateway.people.accounts import Person
from gateway.people.roles import Permission
from recordings import audit, checkpoints, deliveries, logkeys, proofs
from recordings.errors import CheckpointRolledBack, LogKeyMissing
from recordings.tables import AuditLineRow
from recordings.tables_log import CheckpointRow

VERIFIED = "log:log:verify"


@dataclass(frozen=True, slots=True)
class Placed:
    """A place outside: whether it has the newest checkpoint, how many lines the last one it was
    sent covers (0: none), when that arrived (µs), and what stands in the way."""

    name: str
    has: bool
    size: int
    sent_at: int | None
    trouble: str


@dataclass(frozen=True, slots=True)
class Standing:
    """The log and what attests it; `key` is the verifier key in use, '' before there was one."""

    lines: int
    checkpoint: CheckpointRow | None
    places: tuple[Placed, ...]
    verified: AuditLineRow | None
    key: str

    @property
    def open_lines(self) -> int:
        """Lines that no checkpoint covers yet."""
        return self.lines - (self.checkpoint.size if self.checkpoint else 0)

    @property
    def everywhere(self) -> bool:
        """Whether every place outside has the newest checkpoint; there must be one."""
        return bool(self.places) and all(place.has for place in self.places)


def standing(session: Session, parts: Parts, who: Person) -> Standing:
    """How it stands now.

    Raises:
        Forbidden: only who reads the log is told.
    """
    if not who.may(Permission.LOG_READ):
        raise Forbidden
    last = newest(session, parts)
    verified = audit.page(session, before=None, action=VERIFIED, actor="", limit=1)
    placed = tuple(_placed(session, place, last) for place in parts.settings.checkpoints)
    return Standing(audit.head(session)[0], last, placed, verified[0] if verified else None,
                    verifier_key(parts))  # fmt: skip


def newest(session: Session, parts: Parts) -> CheckpointRow | None:
    """The newest checkpoint of the log under the name it goes by now."""
    key = verifier_key(parts)
    return checkpoints.newest(session, key.split("+", 1)[0]) if key else None


def verifier_key(parts: Parts) -> str:
    """The key that checkpoints are checked with, as C2SP signed-note writes it; '' for none."""
    keys = logkeys.known(parts.settings.keyring)
    return keys[-1] if keys else ""


def proof(parts: Parts, who: Person, line: int, *, origin: str) -> str:
    """A proof that the line is in the log (c2sp.org/tlog-proof), on record; its units of work are
    its own. Who may have it, the caller decides.

    Raises:
        Conflict: no checkpoint covers the line yet, and none can be signed here and now.
    """
    row = _covering(parts, line)
    with parts.database.reading() as session:
        made = audit.prove(session, line, row.size)
    with parts.database.begin() as session:
        log.note(session, "log:line:prove", actor=who.login, origin=origin, obj=f"line:{line}",
                 outcome="ok", now=parts.clock())  # fmt: skip
    return proofs.encode(made.index, made.path, row.note, made.leaf)


def _covering(parts: Parts, line: int) -> CheckpointRow:
    with parts.database.reading() as session:
        row = newest(session, parts)
    if row is None or row.size <= line:
        try:
            witnessing.sign(parts)
        except (CheckpointRolledBack, LogKeyMissing) as error:
            raise Conflict(
                "该行还没有检查点，此刻也不能签署，请一小时后再试。 No checkpoint covers this line "
                "yet and none can be signed now: try again in an hour."
            ) from error
        with parts.database.reading() as session:
            row = newest(session, parts)
    if row is None or row.size <= line:
        raise Conflict("日志中还没有这一行。 The log has no such line yet.")
    return row


def _placed(session: Session, place: deliveries.Place, last: CheckpointRow | None) -> Placed:
    found = deliveries.standing(session, place)
    if found is None:
        return Placed(place.name, has=False, size=0, sent_at=None, trouble="")
    row, brought = found
    arrived = row.sent_at is not None
    return Placed(place.name, arrived and last is not None and brought.id == last.id,
                  brought.size if arrived else 0, row.sent_at, row.trouble)  # fmt: skip
