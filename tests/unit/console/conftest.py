"""A furnished house once for each file of tests, and browsers that are signed in."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from gateway.console.visit import TOKEN_COOKIE
from gateway.people import sessions
from tests.acceptance import look_morning as scene
from tests.acceptance.look import app
from tests.rig.passwords import quick_passwords  # noqa: F401 - for every test here

Browser = Callable[[str], TestClient]


@pytest.fixture(scope="module")
def morning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[scene.Morning]:
    """The house at half past ten, as `look` shows it; on SQLite."""
    made = scene.full(scene.people(scene.house(tmp_path_factory.mktemp("house"))))
    yield made
    made.parts.hub.close()
    made.parts.database.dispose()


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[scene.Morning]:
    """A house with its people and nothing done yet."""
    made = scene.people(scene.house(tmp_path))
    yield made
    made.parts.hub.close()
    made.parts.database.dispose()


def browser(morning: scene.Morning, login: str) -> TestClient:
    """A browser in which `login` is signed in (nobody, if empty); it sends the CSRF header."""
    client = TestClient(app(morning), base_url="http://hotline.test", follow_redirects=False)
    if login:
        with morning.parts.database.begin() as session:
            person = morning.people[login]
            opened = sessions.open_session(session, person, morning.parts.clock())
        client.cookies.set(TOKEN_COOKIE, opened.token)
        client.headers["X-CSRF-Token"] = opened.csrf
    return client


@pytest.fixture
def signed_in(morning: scene.Morning) -> Browser:
    """`signed_in("wang")` is Wang's browser."""
    return lambda login: browser(morning, login)
