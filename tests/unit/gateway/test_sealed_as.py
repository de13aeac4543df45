"""A recording's row against its line in the log: rows exchanged wholly, or forged to fit the files.

Two real recordings of two calls, sealed as the gateway does; then somebody writes SQL.
"""

import json
import os
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from gateway.flow import linking
from gateway.parts import Parts
from gateway.tables import RecordingLinkRow
from recordings import audit, rewrap
from recordings.capture import Capture
from recordings.keys import Identity
from recordings.tables import AuditLineRow, RecordingRow
from tests.unit.gateway import house

COLUMNS = [column.key for column in RecordingRow.__table__.columns if column.key != "id"]
NAMES = ("1795400000.1", "1795400000.2")


@pytest.fixture(params=["sealed", "re-wrapped"])
def parts(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Parts]:
    """A house in which two calls were recorded, as they were sealed, or given to a hold key."""
    with house.house(tmp_path) as made:
        with made.database.begin() as session:
            for name in NAMES:
                house.queued(session, house.call(session, name))
        spool = made.settings.pbxs[0].spool
        (spool / "ready").mkdir(parents=True)
        for name in NAMES:
            with wave.open(str(spool / "ready" / f"{name}.wav"), "wb") as file:
                file.setparams((1, 2, 8000, 0, "NONE", ""))
                file.writeframes(name.encode() * 2000)
        capture = Capture(spool, "pbx1", made.recipients, made.store, made.database.begin,
                          made.clock, linking.captured)  # fmt: skip
        assert len(capture.once()) == 2
        if request.param == "re-wrapped":
            give_to_a_hold_key(made)
        yield made


def give_to_a_hold_key(made: Parts) -> None:
    """What keeping them for longer does to both."""
    assert made.identities is not None
    hold = Identity("hold-2028-12", os.urandom(32))
    for at in (0, 1):
        with made.database.begin() as session:
            row = rows(session)[at]
            old = made.identities.of(row.key_id)
            rewrap.apply(row, rewrap.rewrap([made.store], row, old, hold, os.urandom))
            linking.rewrapped(session, row, "timers", made.clock())


def rows(session: Session) -> tuple[RecordingRow, RecordingRow]:
    first, second = session.scalars(select(RecordingRow).order_by(RecordingRow.id))
    return first, second


def fits(parts: Parts) -> list[bool]:
    """What the log says of each recording, as playback asks it."""
    with parts.database.reading() as session:
        return [linking.sealed_as(session, row) for row in rows(session)]


def exchange(session: Session, columns: list[str]) -> None:
    """Each row gets the other's values in these columns."""
    first, second = rows(session)
    held = [{name: getattr(row, name) for name in columns} for row in (first, second)]
    for row in (first, second):  # past the unique columns
        row.name, row.object_key = f"x{row.id}", f"x{row.id}"
    session.flush()
    kept = {name: NAMES for name in ("name",) if name not in columns}
    for at, row in enumerate((first, second)):
        for name, value in held[1 - at].items():
            setattr(row, name, value)
        for name, values in kept.items():
            setattr(row, name, values[at])
    session.flush()


def relinked(session: Session) -> None:
    """Wholly, and the links to the calls as well."""
    first, second = rows(session)
    links = [session.get_one(RecordingLinkRow, row.id) for row in (first, second)]
    calls = [link.call_id for link in links]
    links[0].call_id, links[1].call_id = calls[1], calls[0]
    exchange(session, COLUMNS)


def without(*left: str) -> Callable[[Session], None]:
    return lambda session: exchange(session, [name for name in COLUMNS if name not in left])


def one(**values: object) -> Callable[[Session], None]:
    return lambda session: void(session.execute(update(RecordingRow).values(values)))


def void(_: object) -> None:
    return None


def other_calls(session: Session) -> None:
    """The links alone: each recording under the other's call."""
    links = session.scalars(select(RecordingLinkRow).order_by(RecordingLinkRow.recording_id)).all()
    links[0].call_id, links[1].call_id = links[1].call_id, links[0].call_id


def lines_altered(session: Session) -> None:
    """The rows exchanged but for their lines, and the lines' texts made to fit."""
    exchange(session, [name for name in COLUMNS if name != "seal_line"])
    for row in rows(session):
        line = session.get_one(AuditLineRow, row.seal_line)
        line.detail = json.dumps(linking.seal_fields(row), sort_keys=True, separators=(",", ":"))


def test_what_was_sealed_fits(parts: Parts) -> None:
    """No false alarm."""
    assert fits(parts) == [True, True]


@pytest.mark.parametrize(
    "forge",
    [
        without(),
        without("seal_line"),
        without("name", "seal_line"),
        without("recorded_at", "seal_line"),
        relinked,
        other_calls,
        lines_altered,
        one(recorded_at=1),
        one(plain_sha256=b"x" * 32),
        one(plain_size=1),
        one(key_id="2026-12"),
        lambda session: one(peaks_sha256=None if rows(session)[0].peaks_sha256 else bytes(32))(
            session
        ),
        lambda session: one(header_version=3 - rows(session)[0].header_version)(session),
        one(seal_line=None),
        one(seal_line=10_000),
        lambda session: exchange(session, ["seal_line"]),
    ],
)
def test_a_forged_row_does_not(parts: Parts, forge: Callable[[Session], None]) -> None:
    """Whatever is changed in the catalogue alone, the log does not say so."""
    with parts.database.begin() as session:
        forge(session)
    assert fits(parts) == [False, False]


def test_a_line_of_before_says_less_and_is_held_to_that(parts: Parts) -> None:
    """Recordings sealed before 0011 go by their hashes; those sealed since cannot pass as such."""
    old = ("key", "header_sha256", "sealed_sha256")
    with parts.database.begin() as session:
        first, _ = rows(session)
        fields = linking.seal_fields(first)
        act = linking.SEALED if first.header_version == 1 else linking.REWRAPPED
        line = audit.append(session, act, actor="capture", origin="pbx1",
                            obj=f"recording:{first.id}", outcome="ok", at=1,
                            detail={name: fields[name] for name in old})  # fmt: skip
        new, first.seal_line = first.seal_line, line.id
    assert fits(parts) == [True, True]
    with parts.database.begin() as session:
        rows(session)[0].sealed_sha256 = b"x" * 32
    assert fits(parts) == [False, True]
    with parts.database.begin() as session:
        first, _ = rows(session)
        first.sealed_sha256 = bytes.fromhex(fields["sealed_sha256"])
        first.recorded_at, first.seal_line = 1, new
    assert fits(parts) == [False, True]
