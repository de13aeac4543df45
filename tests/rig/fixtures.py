"""The real servers as pytest fixtures: started once in a worker, fresh inside for each test.

`postgres_url` is an empty database, `amqp_url` an empty virtual host. `broker` is the node itself,
for tests that kill it; each xdist worker has its own servers, so no test can hurt another's.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig import on_record
from tests.rig.postgres import Postgres, postgres
from tests.rig.rabbitmq import Broker, rabbitmq
from tests.rig.s3 import S3, server


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """The command sets it for its whole process. Left so by one test, the next one's PBX would hand
    over recordings that the gateway's account may not read."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture(autouse=True)
def on_record_as_said(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that is said to write an act of the log's list does write it."""
    owed = on_record.owed(request.node.nodeid)
    if not owed:
        yield
        return
    with on_record.written() as seen:
        yield
    assert owed <= seen, f"not written: {sorted(owed - seen)}; see tests/rig/on_record.py"


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Postgres]:
    """The worker's PostgreSQL."""
    with postgres() as cluster:
        yield cluster


@pytest.fixture
def postgres_url(postgres_cluster: Postgres) -> str:
    """A fresh, empty PostgreSQL database."""
    return postgres_cluster.fresh_database()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A fresh SQLite file."""
    return f"sqlite:///{tmp_path / 'hotline.sqlite'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The same test on both databases the product promises."""
    name = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    url: str = request.getfixturevalue(name)
    return url


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """The worker's RabbitMQ node."""
    with rabbitmq() as node:
        yield node


@pytest.fixture
def amqp_url(broker: Broker) -> str:
    """A fresh, empty virtual host on the worker's node."""
    return broker.url(broker.fresh_vhost())


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """The worker's S3 server."""
    with server(tmp_path_factory.mktemp("s3")) as made:
        yield made


@pytest.fixture
def bucket(s3: S3) -> str:
    """The URL of a fresh bucket."""
    return s3.bucket(f"hotline-{os.urandom(4).hex()}")
