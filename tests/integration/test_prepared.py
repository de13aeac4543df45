"""Statements that are composed once: the same words, rows and errors on both databases."""

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, String, Table, bindparam, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from gateway.database import Database
from telephony.prepared import Among, Prepared, but
from tests.rig.postgres import postgres

META = MetaData()
THING = Table(
    "thing",
    META,
    Column("id", Integer, primary_key=True),
    Column("name", String(40), nullable=False, unique=True),
    Column("note", String(400), nullable=False, default="none"),
    Column("parent", Integer),
)
NEW = Prepared(insert(THING).returning(THING.c.id, THING.c.name), ("name", "parent"))
PLAIN = Prepared(insert(THING), ("name",))
NAMED = Prepared(select(THING.c.id, THING.c.name, THING.c.note).where(Among(THING.c.name, "of")))
NUMBERED = Prepared(select(THING.c.name).where(Among(THING.c.id, "of")))
NOTE = Prepared(
    update(THING)
    .where(THING.c.name == bindparam("this"), THING.c.note == "none")
    .values(note=bindparam("now"))
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    META.create_all(made.engine)
    yield made
    made.dispose()


def test_what_was_made_comes_in_the_order_given(database: Database) -> None:
    """A call gets its own row's id and no other's, and a ticket its own call's."""
    names = [f"thing {n}" for n in (7, 3, 9, 1)]
    with database.begin() as session:
        made = NEW.made(session, [{"name": name, "parent": None} for name in names])
        assert [name for _, name in made] == names
        assert NEW.made(session, []) == []
        rows = NAMED.rows(session, of=names)
    assert {name: number for number, name, _ in rows} == {name: number for number, name in made}


def test_columns_nobody_gives_have_what_the_table_says(database: Database) -> None:
    """A ticket's state, level and the rest are not repeated wherever one is opened."""
    with database.begin() as session:
        PLAIN.run(session, [{"name": "one"}])
        PLAIN.run(session, [{"name": "two"}, {"name": "three"}])
        assert {note for _, _, note in NAMED.rows(session, of=["one", "two", "three"])} == {"none"}


def test_a_list_is_one_parameter(database: Database) -> None:
    """However many calls a batch is about: none, one, or more than a statement has parameters."""
    names = [f"n{number}" for number in range(2_500)]
    with database.begin() as session:
        PLAIN.run(session, [{"name": name} for name in names])
        assert NAMED.rows(session, of=[]) == []
        assert [name for _, name, _ in NAMED.rows(session, of=["n7", "nobody"])] == ["n7"]
        found = NAMED.rows(session, of=names)
        assert len(found) == len(names)
        numbers = sorted(number for number, _, _ in found)
        assert {name for (name,) in NUMBERED.rows(session, of=numbers)} == set(names)


def test_each_row_changes_its_own(database: Database) -> None:
    """Many updates at once, and one whose row somebody changed meanwhile changes nothing."""
    with database.begin() as session:
        PLAIN.run(session, [{"name": "a"}, {"name": "b"}, {"name": "c"}])
        NOTE.run(session, [{"this": "a", "now": "x"}, {"this": "b", "now": "y"}])
        NOTE.run(session, [{"this": "a", "now": "too late"}])
        NOTE.run(session, [])
        notes = {name: note for _, name, note in NAMED.rows(session, of=["a", "b", "c"])}
    assert notes == {"a": "x", "b": "y", "c": "none"}


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(texts=st.lists(TEXTS, unique=True, max_size=5))
def test_what_callers_put_in_comes_back_as_it_was(database: Database, texts: list[str]) -> None:
    """A value is never SQL: quotes, percent signs, colons, brackets, Chinese and 4-byte letters."""
    with database.begin() as session:
        session.execute(THING.delete())
        PLAIN.run(session, [{"name": text} for text in texts])
        assert {name for _, name, _ in NAMED.rows(session, of=texts)} == set(texts)


def test_errors_are_sqlalchemys_and_name_no_value(database: Database) -> None:
    """Whoever catches the database's errors catches these; no caller's number is in them."""
    with database.begin() as session:
        PLAIN.run(session, [{"name": "13812345678"}])
    for rows in ([{"name": "13812345678"}], [{"name": "x"}, {"name": "13812345678"}]):
        with pytest.raises(IntegrityError) as caught, database.begin() as session:
            PLAIN.run(session, rows)
        assert "138" not in str(caught.value).partition("DETAIL")[0]
    with database.begin() as session:
        assert NAMED.rows(session, of=["x"]) == []  # the whole act was undone


def test_it_is_part_of_the_sessions_transaction(database: Database) -> None:
    """One transaction an act: what fails later undoes it, too."""
    with pytest.raises(RuntimeError), database.begin() as session:
        PLAIN.run(session, [{"name": "undone"}])
        raise RuntimeError
    with database.reading() as session:
        assert NAMED.rows(session, of=["undone"]) == []


def test_it_is_part_of_a_savepoint(database: Database) -> None:
    """What is undone to a savepoint is undone, whoever wrote it; what was written before stays."""
    with database.begin() as session:
        PLAIN.run(session, [{"name": "a"}])
        with session.begin_nested() as part:
            PLAIN.run(session, [{"name": "undone"}])
            part.rollback()
        with pytest.raises(RuntimeError), session.begin_nested():
            PLAIN.run(session, [{"name": "undone"}])
            raise RuntimeError
        session.execute(insert(THING).values(name="b"))
        PLAIN.run(session, [{"name": "c"}])
    with database.reading() as session:
        names = [name for _, name, _ in NAMED.rows(session, of=["a", "b", "c", "undone"])]
    assert sorted(names) == ["a", "b", "c"]


def test_all_but() -> None:
    """Names of columns as the statement is to know them."""
    assert but(THING, "id", "note") == ["name", "parent"]


def test_a_connection_that_died_is_used_no_more() -> None:
    """A server killed between two statements: an error that says so, then a new connection."""
    with postgres() as cluster:
        database = Database(cluster.fresh_database())
        META.create_all(database.engine)
        with pytest.raises(DBAPIError) as caught, database.begin() as session:
            PLAIN.run(session, [{"name": "a"}])
            (me,) = session.connection().exec_driver_sql("SELECT pg_backend_pid()").one()
            os.kill(me, signal.SIGTERM)
            for _ in range(50):
                NAMED.rows(session, of=["a"])
        assert isinstance(caught.value, OperationalError)
        assert caught.value.connection_invalidated
        with database.begin() as session:
            assert NAMED.rows(session, of=["a"]) == []
        database.dispose()
