"""A fresh SQLite database with telephony's tables for each test."""

from pathlib import Path

import pytest

from tests.unit.telephony.house import Store, Taker


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path / 'telephony.sqlite'}")


@pytest.fixture
def taker(store: Store) -> Taker:
    return Taker(store)
