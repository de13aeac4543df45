"""A statement composed once for each kind of database, and run on the driver's own cursor.

A busy PBX brings hundreds of batches a second, each a dozen statements, and SQLAlchemy takes ten to
twenty times as long over one as SQLite over running it. So what every batch says is written in
SQLAlchemy's terms, composed on first use, and handed to the driver as it stands. What always holds:

- It runs in the session's own transaction. What the session holds back is not flushed, and what it
  has read is not refreshed: whoever mixes the two does that.
- The driver's errors come as SQLAlchemy's, without the values; a connection that is gone is given
  up as SQLAlchemy would.
- Values and rows are the driver's: no type is converted on the way. Columns that need it (a boolean
  read from SQLite, JSON) are not for this.

Not a second way to the database for everything: pages and commands use the session.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from sqlalchemy import Boolean, ColumnDefault, ColumnElement, Connection, FromClause, bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BindParameter, ClauseElement

Row = tuple[Any, ...]
Cursor = Any
"""The driver's own: sqlite3's or psycopg's."""
T = TypeVar("T")

_CONNECTION: Final = "prepared"

_DIALECTS: Final[dict[str, Dialect]] = {
    "sqlite": sqlite.dialect(paramstyle="named"),
    "postgresql": postgresql.psycopg.dialect(),  # type: ignore[no-untyped-call]
}


def say(database: Connection, sql: str) -> None:
    """A word without values or an answer. Raises `sqlalchemy.exc.DBAPIError`."""
    try:
        database.connection.cursor().execute(sql)
    except database.dialect.loaded_dbapi.Error as error:
        raise _told(database, sql, error) from error


def but(table: FromClause, *names: str) -> list[str]:
    """The names of all columns but these."""
    return [column.key for column in table.c if column.key not in names]


class Among(ColumnElement[bool]):
    """`column` has one of the values in a list, which is one parameter however long it is."""

    inherit_cache = False
    type = Boolean()

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        self.column = column
        self.values: BindParameter[Any] = bindparam(name)


@compiles(Among, "sqlite")
def _among_json(among: Among, compiler: SQLCompiler, **how: Any) -> str:  # noqa: ANN401
    column, values = (compiler.process(part, **how) for part in (among.column, among.values))
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - of our own columns


@compiles(Among, "postgresql")
def _among_array(among: Among, compiler: SQLCompiler, **how: Any) -> str:  # noqa: ANN401
    column, values = (compiler.process(part, **how) for part in (among.column, among.values))
    return f"{column} = ANY({values})"


class Prepared:
    """See the module. Every value is a parameter of the name it has in `statement`. `columns`: of
    an INSERT, those whose values are given; the others have what the table says.

    Each method raises `sqlalchemy.exc.DBAPIError`, by its kind.
    """

    def __init__(self, statement: ClauseElement, columns: Sequence[str] = ()) -> None:
        self._statement = statement
        self._columns = columns
        self._composed: dict[str, _Composed] = {}

    def run(self, session: Session, rows: Sequence[dict[str, Any]]) -> None:
        """Once for each of `rows`."""
        if not rows:
            return

        def act(cursor: Cursor, composed: _Composed) -> None:
            given = composed.complete(rows)
            if len(given) == 1:
                cursor.execute(composed.sql, given[0])
            else:
                cursor.executemany(composed.sql, given)

        self._do(session, act)

    def rows(self, session: Session, **values: Any) -> list[Row]:  # noqa: ANN401 - the columns'
        """What it answers to these values; a list is for `Among`."""

        def act(cursor: Cursor, composed: _Composed) -> list[Row]:
            cursor.execute(composed.sql, composed.asked(values))
            return list(cursor.fetchall())

        return self._do(session, act)

    def made(self, session: Session, rows: Sequence[dict[str, Any]]) -> list[Row]:
        """Of an INSERT … RETURNING, what each of `rows` brought, in their order."""
        if not rows:
            return []

        def act(cursor: Cursor, composed: _Composed) -> list[Row]:
            given = composed.complete(rows)
            if composed.sqlite:
                return [cursor.execute(composed.sql, row).fetchone() for row in given]
            cursor.executemany(composed.sql, given, returning=True)  # one round trip for all
            found = [cursor.fetchone()]
            while cursor.nextset():
                found.append(cursor.fetchone())
            return found

        return self._do(session, act)

    def _do(self, session: Session, act: "Callable[[Cursor, _Composed], T]") -> T:
        database = _connection(session)
        name = database.dialect.name
        composed = self._composed.get(name)
        if composed is None:
            composed = self._composed[name] = _compose(self._statement, name, self._columns)
        cursor = database.connection.cursor()
        try:
            return act(cursor, composed)
        except database.dialect.loaded_dbapi.Error as error:
            raise _told(database, composed.sql, error) from error
        finally:
            cursor.close()


def _connection(session: Session) -> Connection:
    """The session's connection, asked for once a transaction, or savepoint (which is not set before
    it is asked for): the session takes its time."""
    inmost = session.get_nested_transaction() or session.get_transaction()
    known: tuple[object, Connection] | None = session.info.get(_CONNECTION)
    if known is None or inmost is None or known[0] is not inmost:
        database = session.connection()
        inmost = session.get_nested_transaction() or session.get_transaction()
        known = session.info[_CONNECTION] = inmost, database
    return known[1]


@dataclass(frozen=True, slots=True)
class _Composed:
    """A statement in one database's words; `constants`: the values it has of itself, and those that
    the table gives the columns nobody speaks of."""

    sql: str
    sqlite: bool
    constants: dict[str, Any]

    def complete(self, rows: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
        return [self.constants | row for row in rows] if self.constants else rows

    def asked(self, values: dict[str, Any]) -> dict[str, Any]:
        if self.sqlite:
            values = {
                name: json.dumps(value) if isinstance(value, list) else value
                for name, value in values.items()
            }
        return self.constants | values


def _compose(statement: ClauseElement, name: str, columns: Sequence[str]) -> _Composed:
    compiled = statement.compile(dialect=_DIALECTS[name], column_keys=[*columns] or None)
    if not isinstance(compiled, SQLCompiler):
        raise TypeError(f"no statement: {statement!r}")
    constants = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
    own = {column.key: cast("ColumnDefault", column.default) for column in compiled.insert_prefetch}
    constants |= {name: default.arg for name, default in own.items()}
    return _Composed(str(compiled), name == "sqlite", constants)


def _told(database: Connection, sql: str, error: Any) -> BaseException:  # noqa: ANN401 - either driver's
    """The driver's error as SQLAlchemy's; a connection that is gone is used no more."""
    dialect, driver = database.dialect, database.dialect.loaded_dbapi
    gone = dialect.is_disconnect(error, database.connection.dbapi_connection, None)
    if gone:
        database.invalidate(error)
    told: BaseException = DBAPIError.instance(
        sql,
        None,
        error,
        driver.Error,
        hide_parameters=True,
        connection_invalidated=gone,
        dialect=dialect,
    )
    return told
