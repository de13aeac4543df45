"""Playing: what a grant opens for a person and a time, and what of it was heard, each on record.

Every attempt is in the log, also one that is refused: `open_for_play` never raises for a refusal,
it returns it, so that the caller commits the line first and refuses then (DESIGN §3, promise 5).
The bytes themselves are `recordings.playback`'s; this never sees any.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from gateway.errors import Forbidden, HotlineError
from gateway.flow import log
from gateway.flow.listening import Refused
from gateway.people.accounts import Person
from gateway.people.roles import Permission
from recordings import grants
from recordings.errors import GrantError
from recordings.grants import Grant
from recordings.tables import RecordingRow


@dataclass(frozen=True, slots=True)
class Permitted:
    """The line is in the log: once it is committed, these bytes may be served."""

    row: RecordingRow
    grant: Grant


def open_for_play(
    session: Session,
    who: Person,
    grant_id: int,
    recording_id: int,
    *,
    origin: str,
    now: int,
    asked: Callable[[RecordingRow], Sequence[tuple[int, int]]],
) -> Permitted | Refused:
    """Whether `who` may hear this now; either way it is in the log once this is committed.

    The line holds the ranges `asked` for: should the process die while it sends them, what may
    have been heard is on record all the same.
    """
    decided = _usable(session, who, "play", grant_id, recording_id, origin, now)
    if isinstance(decided, Permitted):
        spans = [list(span) for span in asked(decided.row)]
        _note(session, who, "play", recording_id, origin, now, grant=grant_id,
              detail={"asked": spans})  # fmt: skip
    return decided


def open_for_peaks(
    session: Session, who: Person, grant_id: int, recording_id: int, *, origin: str, now: int
) -> Permitted | Refused:
    """The same for the outline of its loudness, which tells when somebody spoke."""
    decided = _usable(session, who, "outline", grant_id, recording_id, origin, now)
    if isinstance(decided, Permitted):
        _note(session, who, "outline", recording_id, origin, now, grant=grant_id)
    return decided


def _usable(
    session: Session, who: Person, act: str, grant_id: int, recording_id: int, origin: str, now: int
) -> Permitted | Refused:
    try:
        if not who.may(Permission.RECORDING_LISTEN):
            raise Forbidden
        grant = grants.usable(session, grant_id, who.login, recording_id, now)
        row = session.get_one(RecordingRow, recording_id)
    except (GrantError, HotlineError) as error:
        _note(session, who, act, recording_id, origin, now, outcome="denied", grant=grant_id,
              detail={"why": type(error).__name__})  # fmt: skip
        return Refused(error if isinstance(error, HotlineError) else Forbidden(str(error)))
    return Permitted(row, grant)


def heard(
    session: Session,
    who: Person,
    grant_id: int,
    recording_id: int,
    ranges: Sequence[tuple[int, int]],
    *,
    origin: str,
    now: int,
    outcome: str = "ok",
) -> None:
    """What left the house: byte ranges of the WAV, written when the stream ends or breaks."""
    _note(session, who, "heard", recording_id, origin, now, grant=grant_id,
          outcome=outcome, detail={"bytes": [list(part) for part in ranges]})  # fmt: skip


def _note(
    session: Session, who: Person, act: str, recording_id: int, origin: str, now: int,
    *, grant: int, outcome: str = "ok", detail: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    log.note(session, f"recordings:recording:{act}", actor=who.login, origin=origin,
             obj=f"recording:{recording_id}", outcome=outcome, grant=grant, detail=detail,
             now=now)  # fmt: skip
