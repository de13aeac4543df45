"""An answered call whose WAV never came is an alarm, wherever somebody looks, until it comes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from gateway.flow import standing, state, unrecorded, wallboard
from gateway.flow.unrecorded import AFTER_US, SHOWN_US
from gateway.parts import Parts
from gateway.people.accounts import Person
from gateway.people.roles import Role
from recordings.tables import RecordingRow
from telephony.tables import CallRow
from tests.unit.gateway import house
from tests.unit.gateway.house import NOW, S

NAME = "1795400000.1"
LATE = NOW + 9 * S + AFTER_US + 1


@pytest.fixture
def parts(tmp_path: Path, database_url: str) -> Iterator[Parts]:
    with house.house(tmp_path, HOTLINE_DATABASE_URL=database_url) as made:
        yield made


@pytest.fixture
def ticket(parts: Parts) -> int:
    """The ticket of a call that was answered, recorded, and is over."""
    with parts.database.begin() as session:
        call = house.call(session, NAME)
        found = house.queued(session, call)
        house.answered(session, call, "PJSIP/8001")
        house.ended(session, call, "answered")
        call.recording_expected = True
        return found.id


def listed(parts: Parts, now: int) -> list[unrecorded.Missing]:
    spools = {one.name: one.spool for one in parts.settings.pbxs}
    with parts.database.reading() as session:
        found = unrecorded.listed(session, spools, now)
        assert unrecorded.count(session, now) == len(found)
        return found


def test_a_wav_that_is_late_is_no_alarm_and_one_that_never_comes_is(
    parts: Parts, ticket: int
) -> None:
    """Ten minutes after the call's end it is named, with its ticket; not one moment before."""
    assert listed(parts, LATE - 1) == []
    (found,) = listed(parts, LATE)
    assert (found.pbx, found.linkedid, found.agent) == ("pbx1", NAME, "PJSIP/8001")
    assert (found.ticket_id, found.lies) == (ticket, False)


def test_it_ends_when_the_recording_comes(parts: Parts, ticket: int) -> None:
    """However late; and what nobody could mend in a month is left to reconcile."""
    assert listed(parts, NOW + SHOWN_US + 10 * S) == []
    with parts.database.begin() as session:
        house.recording(session, NAME)
    assert listed(parts, LATE) == []


def test_a_file_that_lies_there_is_told_apart(parts: Parts, ticket: int) -> None:
    """Not sealed is mended otherwise than never written; a name that is none looks nowhere."""
    spool = parts.settings.pbxs[0].spool
    (spool / f"{NAME}.wav").write_bytes(b"RIFF")
    assert listed(parts, LATE)[0].lies
    with parts.database.begin() as session:
        _call(session).linkedid = "../../etc/x"
    assert not listed(parts, LATE)[0].lies


def _call(session: Session) -> CallRow:
    return session.query(CallRow).one()


def test_whoever_looks_is_told(parts: Parts, ticket: int) -> None:
    """The administrator by name, `pbx status` by PBX, the wallboard of today's."""
    admin = Person(1, "guan", "关", Role.ADMINISTRATOR)
    chief = Person(2, "chen", "陈", Role.SUPERVISOR)
    with parts.database.reading() as session:
        spool = state.overview(session, admin, parts, LATE).spool
        assert (spool.missing, [one.linkedid for one in spool.unrecorded]) == (1, [NAME])
        assert [one.unrecorded for one in standing.of_all(session, parts, LATE)] == [1]
        assert wallboard.board(session, chief, LATE).unrecorded == 1
        assert wallboard.board(session, chief, LATE + 24 * 3600 * S).unrecorded == 0
        assert session.query(RecordingRow).count() == 0
