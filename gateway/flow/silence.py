"""The recording is silent while an identity number or a bank card is spoken (录音暂停).

Who, why, from when to when is on record beside the recording; the file itself goes on and holds
silence, so that its length stays the call's. Only the agent who has the caller pauses and resumes.
A silence ends with the call, and by itself after `LIMIT_US`: what is not recorded cannot be checked
later, so forgetting it must not cost the rest of the call. For the same reason the gateway resumes,
when it starts, whatever it was told to pause before it died.

The pause is committed before the PBX is asked, the resuming after: should anything die in between,
the record says too much silence rather than too little.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import notices
from gateway.errors import BadInput, ControlFailed, Forbidden, IllegalStep
from gateway.flow import control
from gateway.flow.control import Asking, Line
from gateway.parts import Parts
from gateway.people.roles import Permission
from gateway.tables import RecordingPauseRow
from gateway.tickets import words
from recordings.tables import RecordingRow
from telephony.errors import TelephonyError
from telephony.prepared import Among, Prepared
from telephony.tables import CallRow

_PAUSE = RecordingPauseRow.__table__.c
_SILENT = Prepared(
    select(_PAUSE.id, _PAUSE.call_id, _PAUSE.began_at).where(
        Among(_PAUSE.call_id, "calls"), _PAUSE.ended_at.is_(None)
    )
)

LIMIT_US = 180_000_000
"""How long a recording may be silent at a stretch."""


def pause(asking: Asking, reason: str) -> RecordingPauseRow:
    """Silence in the recording of the call this agent has now.

    Raises:
        Forbidden: the role may not.
        BadInput: no such reason.
        IllegalStep: there is no such call, it is not recorded, or it is silent already.
        ControlFailed: the PBX is not asked, away, or says no; then nothing is silent.
    """
    _permitted(asking)
    if reason not in words.codes(words.SILENCE_REASONS):
        raise BadInput({"reason": "请从列表中选择原因。 Choose a reason of the list."})
    asks = control.control_of(asking.parts, asking.pbx)
    with asking.parts.database.begin() as session:
        call = _at_hand(session, asking)
        if call.recording_started_at is None:
            raise IllegalStep("本通话没有录音。 This call is not recorded.")
        if open_of(session, call.id) is not None:
            raise IllegalStep("录音已经暂停。 The recording is paused already.")
        row = RecordingPauseRow(call_id=call.id, reason=reason, paused_by=asking.who.login,
                                began_at=asking.parts.clock(), ended_by="")  # fmt: skip
        session.add(row)
        session.flush()
        line = Line("control:recording:pause", f"call:{call.id}", {"reason": reason})
        control.note(session, asking, line)
        _told(session, call)
        pause_id, channel = row.id, channel_of(call)

    def failed(session: Session, kind: str) -> None:
        # Not answered: the PBX may have done it. It stands as asked until it is resumed.
        if kind != "away":
            _end(session, pause_id, "failed", asking.parts.clock())

    control.ask(asking, lambda: asks.mute(channel, muted=True), failed, line)
    return row


def resume(asking: Asking) -> RecordingPauseRow:
    """The recording goes on.

    Raises:
        Forbidden, IllegalStep, ControlFailed: as for `pause`; then it is silent still.
    """
    _permitted(asking)
    asks = control.control_of(asking.parts, asking.pbx)
    with asking.parts.database.reading() as session:
        call = _at_hand(session, asking)
        row = open_of(session, call.id)
        if row is None:
            raise IllegalStep("录音没有暂停。 The recording is not paused.")
        pause_id, channel = row.id, channel_of(call)
        line = Line("control:recording:resume", f"call:{call.id}", {})
    control.ask(asking, lambda: asks.mute(channel, muted=False), lambda _session, _kind: None, line)
    with asking.parts.database.begin() as session:
        control.note(session, asking, line)
        return _end(session, pause_id, asking.who.login, asking.parts.clock())


def calls_ended(session: Session, ended: Mapping[int, int]) -> None:
    """These calls are over (id → when), and with them whatever silence there was."""
    if not ended:
        return
    for pause_id, call_id, began_at in _SILENT.rows(session, calls=sorted(ended)):
        _end(session, pause_id, "call", max(ended[call_id], began_at))


def keep(parts: Parts, pbx: str, *, restarted_at: int | None = None) -> None:
    """Resume what has been silent too long at that PBX, or since before `restarted_at`.

    Raises:
        TelephonyError: the PBX did not do it; it is tried again.
    """
    now = parts.clock()
    before = now - LIMIT_US if restarted_at is None else restarted_at
    with parts.database.reading() as session:
        due = [
            (pause.id, call.id, channel_of(call))
            for pause, call in session.execute(
                select(RecordingPauseRow, CallRow)
                .join(CallRow, CallRow.id == RecordingPauseRow.call_id)
                .where(
                    CallRow.pbx == pbx,
                    RecordingPauseRow.ended_at.is_(None),
                    RecordingPauseRow.began_at < before,
                )
            )
        ]
    for pause_id, call_id, channel in due:
        by = "limit" if restarted_at is None else "restart"
        try:
            control.control_of(parts, pbx).mute(channel, muted=False)
        except (ControlFailed, TelephonyError):
            with parts.database.begin() as session:
                call = session.get_one(CallRow, call_id)
                if call.ended_at is None:
                    raise
                calls_ended(session, {call_id: call.ended_at})
            continue
        with parts.database.begin() as session:
            control.by_itself(session, "control:recording:resume", f"call:{call_id}", by, now)
            _end(session, pause_id, by, parts.clock())


def open_of(session: Session, call_id: int) -> RecordingPauseRow | None:
    """The silence that this call's recording is in."""
    return session.scalar(
        select(RecordingPauseRow).where(
            RecordingPauseRow.call_id == call_id, RecordingPauseRow.ended_at.is_(None)
        )
    )


@dataclass(frozen=True, slots=True)
class Silent:
    """A silent part of a recording. `from_ms` and `to_ms` are about where it lies in the sound,
    which begins when somebody answers; our clock and the PBX's may differ."""

    row: RecordingPauseRow
    from_ms: int
    to_ms: int


def of_recording(session: Session, recording: RecordingRow) -> list[Silent]:
    """The silent parts of a recording, in order; what the PBX refused to silence is none."""
    found = session.execute(
        select(RecordingPauseRow, CallRow)
        .join(CallRow, CallRow.id == RecordingPauseRow.call_id)
        .where(CallRow.pbx == recording.pbx, CallRow.linkedid == recording.name)
        .where(RecordingPauseRow.ended_by != "failed", RecordingPauseRow.ended_at.is_not(None))
        .order_by(RecordingPauseRow.id)
    )
    silent = []
    for row, call in found:
        since = call.answered_at if call.answered_at is not None else call.arrived_at
        ends = row.ended_at or row.began_at
        silent.append(
            Silent(row, max(0, row.began_at - since) // 1000, max(0, ends - since) // 1000)
        )
    return silent


def channel_of(call: CallRow) -> str:
    """The channel that is recorded: the caller's, or that of whom we called."""
    return call.linkedid if call.direction == "inbound" else call.far_channel or call.linkedid


def _permitted(asking: Asking) -> None:
    if not asking.who.may(Permission.RECORDING_PAUSE):
        raise Forbidden


def _at_hand(session: Session, asking: Asking) -> CallRow:
    """The call this agent has."""
    call = session.scalars(
        select(CallRow)
        .where(
            control.at_phone(asking.pbx, asking.interface),
            CallRow.state.in_(("talking", "held")),
        )
        .order_by(CallRow.arrived_at.desc())
        .limit(1)
    ).first()
    if call is None:
        raise IllegalStep("您现在没有通话。 You have no call now.")
    return call


def _end(session: Session, pause_id: int, by: str, at: int) -> RecordingPauseRow:
    row = session.get_one(RecordingPauseRow, pause_id)
    if row.ended_at is None:
        row.ended_at, row.ended_by = at, by
        session.flush()
        _told(session, session.get_one(CallRow, row.call_id))
    return row


def _told(session: Session, call: CallRow) -> None:
    if call.last_agent:
        notices.tell(session, notices.agent(call.pbx, call.last_agent), "silence", call.id)
