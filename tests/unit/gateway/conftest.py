"""A house with one person of each role, and a recording with its call and ticket.

A module that needs another house brings its own fixture of that name.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from gateway.flow import linking
from gateway.parts import Parts
from gateway.people.accounts import Person
from gateway.people.roles import Role
from recordings.tables import RecordingRow
from tests.unit.gateway import house


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    with house.house(tmp_path) as made:
        yield made


@pytest.fixture
def session(parts: Parts) -> Iterator[Session]:
    with parts.database.begin() as opened:
        yield opened


@pytest.fixture
def people(session: Session) -> dict[Role, Person]:
    return {
        role: house.person(
            session, str(role), role, department="yanglao" if role is Role.OFFICER else None
        )
        for role in Role
    }


@pytest.fixture
def recorded(session: Session) -> RecordingRow:
    """A recording with its call and ticket."""
    row = house.call(session)
    house.queued(session, row)
    made = house.recording(session)
    linking.captured(session, made)
    return made
