"""A small house for tests: a database brought up by the migrations, people of every role, calls."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import compose, settings
from gateway.exchange import Exchange
from gateway.flow import intake, playing
from gateway.flow.playing import Permitted
from gateway.flow.refusal import Refused
from gateway.parts import Parts
from gateway.people import accounts
from gateway.people.accounts import Person
from gateway.people.roles import Role
from gateway.settings import Settings
from gateway.tables import AccountRow, DepartmentRow, TicketCallRow, TicketRow
from recordings.tables import RecordingRow
from telephony.facts import Answered, Ended, Queued
from telephony.tables import CallRow

NOW = 1_795_400_000_000_000  # 2026-11-23 in China, a Monday
S = 1_000_000
PASSWORD = "correct horse battery"
DEPARTMENTS = (("yanglao", "养老保险科"), ("gongshang", "工伤保险科"))


@contextmanager
def house(state: Path, **more: str) -> Iterator[Parts]:
    """A gateway's parts in `state`, prepared, with two departments and nobody yet."""
    made = compose.parts(settings.read({"HOTLINE_STATE": str(state), **more}))
    try:
        compose.prepare(made)
        with made.database.begin() as session:
            session.add_all(DepartmentRow(code=code, name=name) for code, name in DEPARTMENTS)
        yield made
    finally:
        made.database.dispose()


def person(
    session: Session,
    login: str,
    role: Role,
    department: str | None = None,
    extension: str | None = None,
) -> Person:
    """An account whose password is not hashed for real: hashing is slow, and tried elsewhere."""
    row = AccountRow(login=login, name=login, role=role, department=department,
                     extension=extension, password_hash="-", created_at=NOW)  # fmt: skip
    session.add(row)
    session.flush()
    return accounts.person(row)


def call(session: Session, linkedid: str = "1795400000.1", phone: str = "13800138013") -> CallRow:
    """A call that has come in."""
    row = CallRow(pbx="pbx1", linkedid=linkedid, direction="inbound", caller_number=phone,
                  caller_name="", dialled="12333", state="queued", arrived_at=NOW)  # fmt: skip
    session.add(row)
    session.flush()
    return row


def queued(session: Session, row: CallRow) -> TicketRow:
    """The ticket that stands once the call is queued."""
    fact = Queued(pbx=row.pbx, linkedid=row.linkedid, at=NOW, call_id=row.id, queue="hotline")
    intake.take(session, [fact])
    ticket = ticket_of(session, row.id)
    assert ticket is not None
    return ticket


def answered(session: Session, row: CallRow, interface: str) -> None:
    """The agent at `interface` answers."""
    row.state, row.last_agent, row.first_agent = "talking", interface, interface
    session.flush()
    fact = Answered(pbx=row.pbx, linkedid=row.linkedid, at=NOW + S, call_id=row.id, leg="x",
                    interface=interface, member="", waited_ms=1000)  # fmt: skip
    intake.take(session, [fact])


def ended(session: Session, row: CallRow, outcome: str) -> None:
    """The call is over."""
    row.state, row.ended_at, row.outcome = "ended", NOW + 9 * S, outcome
    session.flush()
    fact = Ended(pbx=row.pbx, linkedid=row.linkedid, at=NOW + 9 * S, call_id=row.id,
                 outcome=outcome, cause="caller")  # fmt: skip
    intake.take(session, [fact])


def recording(session: Session, name: str = "1795400000.1") -> RecordingRow:
    """A catalogued recording; what lies in the store is not looked at."""
    noise = random.Random(name).randbytes(32)
    row = RecordingRow(
        pbx="pbx1", name=name, object_key=f"2026/11/23/pbx1/{name}-00000000", key_id="2026-11",
        recipient="age1", header=b"h", header_sha256=noise, sealed_sha256=noise,
        plain_sha256=noise, plain_size=16044, sealed_size=16260, duration_ms=1000,
        sample_rate=8000, channels=1, data_offset=44, condition="ok", recorded_at=NOW,
        sealed_at=NOW + 10 * S,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def next_range(
    session: Session, who: Person, play_id: int, recording_id: int, *, origin: str, now: int
) -> Permitted | Refused:
    """One more range of a play is asked for: the whole recording."""
    return playing.open_for_play(session, who, play_id, recording_id, origin=origin, now=now,
                                 asked=lambda row: [(0, row.plain_size)])  # fmt: skip


def ticket_of(session: Session, call_id: int) -> TicketRow | None:
    """The ticket of this call: which it opened, or from which it was placed."""
    return session.scalar(
        select(TicketRow)
        .join(TicketCallRow, TicketCallRow.ticket_id == TicketRow.id)
        .where(TicketCallRow.call_id == call_id)
    )


def only(session: Session) -> TicketRow:
    """The one ticket there is."""
    return session.scalars(select(TicketRow)).one()


def cel_file(read: Settings) -> Path:
    """The only PBX's CEL file."""
    return cel_file_of(read.pbxs[0])


def cel_file_of(exchange: Exchange) -> Path:
    """One PBX's CEL file."""
    assert isinstance(exchange.cel, Path)
    return exchange.cel


class _Undo(Exception):
    pass


@contextmanager
def undone(parts: Parts) -> Iterator[Session]:
    """A transaction that is undone: every test in it starts from the same house."""
    try:
        with parts.database.begin() as session:
            yield session
            raise _Undo
    except _Undo:
        pass


def who(session: Session, login: str) -> Person:
    """The person of that login."""
    return accounts.person(session.scalars(select(AccountRow).filter_by(login=login)).one())
