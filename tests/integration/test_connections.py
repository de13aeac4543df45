"""Connections kept between acts: one that died meanwhile is noticed before it is used."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from gateway.database import Database

ENDED = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    """A database of its own."""
    made = Database(postgres_url)
    yield made
    made.dispose()


def asked(database: Database) -> int:
    """The process that serves this database's next transaction."""
    with database.begin() as session:
        return int(session.scalars(text("SELECT pg_backend_pid()")).one())


def test_an_act_after_the_server_ended_its_connections_succeeds(
    database: Database, postgres_url: str
) -> None:
    """A PostgreSQL restarted at night costs the first clerk of the morning no error."""
    before = asked(database)
    other = Database(postgres_url)
    with other.begin() as session:
        assert session.scalars(ENDED).all() == [True]
    other.dispose()
    assert asked(database) != before


def test_a_connection_that_is_well_is_used_again(database: Database) -> None:
    """Looking at it must not cost a connection an act."""
    assert asked(database) == asked(database)
