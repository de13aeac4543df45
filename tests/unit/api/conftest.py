"""A furnished house for each file of tests, on SQLite or on each database where it matters."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig.passwords import quick_passwords  # noqa: F401 - for every test here
from tests.rig.postgres import Postgres
from tests.unit.api.scene import Scene, scene


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The house of this file; what one test does, the next one finds."""
    with scene(tmp_path_factory.mktemp("house")) as made:
        yield made


@pytest.fixture
def anew(tmp_path: Path, database_url: str) -> Iterator[Scene]:
    """A house of one's own, on SQLite and on PostgreSQL."""
    with scene(tmp_path, HOTLINE_DATABASE_URL=database_url) as made:
        yield made


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def on_each(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """The house of this file on each database, where tests change little."""
    root = tmp_path_factory.mktemp("house")
    url = f"sqlite:///{root / 'hotline.db'}"
    if request.param == "postgresql":
        cluster: Postgres = request.getfixturevalue("postgres_cluster")
        url = cluster.fresh_database()
    with scene(root, HOTLINE_DATABASE_URL=url) as made:
        yield made
