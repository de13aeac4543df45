"""The databases and the transports that queueing's promises are tried on."""

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager

import pytest

from queueing.broker import RabbitMQ
from queueing.embedded import Embedded
from queueing.transport import Transport
from tests.rig.pulled import Pulled
from tests.rig.store import Clock, Store
from tests.rig.waiting import closing

MakeTransport = Callable[[], AbstractAsyncContextManager[Transport]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """On SQLite and on PostgreSQL."""
    made = Store(database_url)
    yield made
    made.engine.dispose()


@pytest.fixture
def sqlite_store(sqlite_url: str) -> Iterator[Store]:
    """For tests whose subject is the broker."""
    made = Store(sqlite_url)
    yield made
    made.engine.dispose()


@pytest.fixture
def postgres_store(postgres_url: str) -> Iterator[Store]:
    """For tests about many processes side by side."""
    made = Store(postgres_url)
    yield made
    made.engine.dispose()


@pytest.fixture(
    params=[
        "embedded-sqlite",
        "embedded-postgresql",
        "pulled-sqlite",
        "pulled-postgresql",
        "rabbit-quorum",
        "rabbit-classic",
    ]
)
def transports(request: pytest.FixtureRequest, clock: Clock) -> Iterator[MakeTransport]:
    """Makes transports to one and the same broker; each stands for another process."""
    kind = str(request.param).split("-")[1]
    if str(request.param).startswith("embedded"):
        url = request.getfixturevalue("sqlite_url" if kind == "sqlite" else "postgres_url")
        home = Store(url)
        yield lambda: closing(Embedded(home.begin, clock))
        home.engine.dispose()
    elif str(request.param).startswith("pulled"):
        url = request.getfixturevalue("sqlite_url" if kind == "sqlite" else "postgres_url")
        home = Store(url)
        yield lambda: closing(Pulled(home, clock))
        home.engine.dispose()
    else:
        url = request.getfixturevalue("amqp_url")
        yield lambda: closing(RabbitMQ(url, kind="quorum" if kind == "quorum" else "classic"))
