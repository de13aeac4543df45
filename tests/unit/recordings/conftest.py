"""Fixtures of the recordings room's own tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.recordings.room import Room


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A room on SQLite."""
    room = Room(tmp_path)
    yield room
    room.engine.dispose()
