"""Playing: a play is begun, then its ranges are asked for, and what was heard is told.

    a yes that holds → a play, counted → each range, with its line before the first byte → heard

Every attempt is in the log with its object, also one that is refused: nothing here raises for a
refusal, it is returned, so that the caller commits the line first and refuses then (DESIGN §3,
promise 5). What was destroyed is gone for whoever had a yes. Whether the matter is about whoever
listens (回避) is asked anew at every range: a ticket joined in mid-play stops it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from gateway.errors import Forbidden, HotlineError
from gateway.flow import tombs
from gateway.flow.refusal import Refused, denied, note
from gateway.people.accounts import Person
from gateway.people.roles import Permission
from gateway.tickets import recusal
from recordings import grants, plays
from recordings.errors import GrantError
from recordings.grants import Grant
from recordings.tables import GrantRow, RecordingRow, RequestRow
from recordings.tables_grants import PlayRow

OPEN = "recordings:player:open"


@dataclass(frozen=True, slots=True)
class Permitted:
    """The line is in the log: once it is committed, these bytes may be served."""

    row: RecordingRow
    grant: Grant


@dataclass(frozen=True, slots=True)
class May:
    """A yes as its holder sees it before hearing: `left` plays (None: not counted), and the one
    that is going on."""

    row: RecordingRow
    grant: GrantRow
    request: RequestRow
    left: int | None
    running: PlayRow | None


@dataclass(frozen=True, slots=True)
class Begun:
    """A play that was begun and counted; `left` are those that are left."""

    play: PlayRow
    left: int | None


def may_begin(
    session: Session, who: Person, grant_id: int, recording_id: int, *, origin: str, now: int
) -> May | Refused:
    """What the player's page says before a play; only a refusal is a line in the log."""
    try:
        grant = _usable(session, who, grant_id, recording_id, now)
    except (GrantError, HotlineError) as error:
        return denied(session, who, OPEN, f"recording:{recording_id}", origin, now, error,
                      grant=grant_id)  # fmt: skip
    return _seen(session, who, grant, now)


def play_seen(
    session: Session, who: Person, play_id: int, recording_id: int, *, origin: str, now: int
) -> May | Refused:
    """The same for the player itself, by the play it is for."""
    try:
        grant = _playing(session, who, play_id, recording_id, now)
    except (GrantError, HotlineError) as error:
        return denied(session, who, OPEN, f"recording:{recording_id}", origin, now, error,
                      detail={"play": play_id})  # fmt: skip
    return _seen(session, who, grant, now, session.get(PlayRow, play_id))


def _seen(
    session: Session, who: Person, grant: Grant, now: int, play: PlayRow | None = None
) -> May:
    row = session.get_one(GrantRow, grant.grant_id)
    return May(
        session.get_one(RecordingRow, grant.recording_id),
        row,
        session.get_one(RequestRow, grant.request_id),
        plays.left(session, row),
        play or plays.running(session, row.id, who.login, grant.recording_id, now),
    )


def begin(
    session: Session, who: Person, grant_id: int, recording_id: int, *, origin: str, now: int
) -> Begun | Refused:
    """Begin one play under this yes: it is counted here, and nowhere else."""
    obj = f"recording:{recording_id}"
    try:
        play = plays.begin(session, _usable(session, who, grant_id, recording_id, now), now)
    except (GrantError, HotlineError) as error:
        return denied(
            session, who, "recordings:play:begin", obj, origin, now, error, grant=grant_id
        )
    left = plays.left(session, session.get_one(GrantRow, grant_id))
    note(session, who, "recordings:play:begin", obj, origin, now, grant=grant_id,
         detail={"play": play.id, "left": left})  # fmt: skip
    return Begun(play, left)


def open_for_play(
    session: Session,
    who: Person,
    play_id: int,
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
    obj, detail = f"recording:{recording_id}", {"play": play_id}
    try:
        grant = _playing(session, who, play_id, recording_id, now)
    except (GrantError, HotlineError) as error:
        return denied(
            session, who, "recordings:recording:play", obj, origin, now, error, detail=detail
        )
    row = session.get_one(RecordingRow, recording_id)
    note(session, who, "recordings:recording:play", obj, origin, now, grant=grant.grant_id,
         detail={**detail, "asked": [list(span) for span in asked(row)]})  # fmt: skip
    return Permitted(row, grant)


def open_for_peaks(
    session: Session, who: Person, play_id: int, recording_id: int, *, origin: str, now: int
) -> Permitted | Refused:
    """The same for the outline of its loudness, which tells when somebody spoke."""
    obj, detail = f"recording:{recording_id}", {"play": play_id}
    try:
        grant = _playing(session, who, play_id, recording_id, now)
    except (GrantError, HotlineError) as error:
        return denied(
            session, who, "recordings:recording:outline", obj, origin, now, error, detail=detail
        )
    note(
        session,
        who,
        "recordings:recording:outline",
        obj,
        origin,
        now,
        grant=grant.grant_id,
        detail=detail,
    )
    return Permitted(session.get_one(RecordingRow, recording_id), grant)


def _usable(session: Session, who: Person, grant_id: int, recording_id: int, now: int) -> Grant:
    if not who.may(Permission.RECORDING_LISTEN):
        raise Forbidden
    return _not_about(session, who, grants.usable(session, grant_id, who.login, recording_id, now))


def _playing(session: Session, who: Person, play_id: int, recording_id: int, now: int) -> Grant:
    if not who.may(Permission.RECORDING_LISTEN):
        raise Forbidden
    return _not_about(session, who, plays.usable(session, play_id, who.login, recording_id, now))


def _not_about(session: Session, who: Person, grant: Grant) -> Grant:
    request = session.get_one(RequestRow, grant.request_id)
    recusal.check(
        who,
        recusal.of_recordings(session, [grant.recording_id], request.ticket_no, request.call_id),
    )
    tombs.check(session, [grant.recording_id])
    return grant


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
    note(
        session,
        who,
        "recordings:recording:heard",
        f"recording:{recording_id}",
        origin,
        now,
        grant=grant_id,
        outcome=outcome,
        detail={"bytes": [list(part) for part in ranges]},
    )
