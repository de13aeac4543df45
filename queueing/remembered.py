"""What a department's program remembers across its restarts: a small SQLite file of its own.

    settled   the highest version taken in, by work order: what comes again is recognised
    failed    how often a version could not be worked: what nobody can work is given up at last

Always holds: what was written is on the disk when the call returns (each is one statement, synced),
so a version is remembered before its message is acked; a version only grows. One file is one
department's, on a local disk. It holds numbers of work orders and nothing they say.
"""

import sqlite3
from pathlib import Path
from typing import Final

from queueing.errors import NotRemembered

WAIT_S: Final = 10.0
"""How long another process's write is waited for: `reply` reads beside `listen`."""

_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS settled (
        work_order TEXT PRIMARY KEY, version INTEGER NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS failed (
        work_order TEXT NOT NULL, version INTEGER NOT NULL, times INTEGER NOT NULL,
        PRIMARY KEY (work_order, version))""",
)
_SETTLED: Final = (
    "INSERT INTO settled VALUES (?, ?) ON CONFLICT (work_order) "
    "DO UPDATE SET version = max(version, excluded.version)"
)
_FAILED: Final = (
    "INSERT INTO failed VALUES (?, ?, 1) ON CONFLICT (work_order, version) "
    "DO UPDATE SET times = times + 1 RETURNING times"
)


class Remembered:
    """The file at `path`, made where there is none. Every call raises `NotRemembered` where the
    file cannot be read or written: nothing is acked then."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            # Without an isolation level each statement is a transaction, synced at its end.
            self._file = sqlite3.connect(path, isolation_level=None, timeout=WAIT_S)
        except sqlite3.Error as problem:
            raise NotRemembered(str(path), str(problem)) from problem
        try:
            self._do("PRAGMA synchronous=FULL")
            for table in _TABLES:
                self._do(table)
        except NotRemembered:
            self.close()
            raise

    def get(self, work_order: str, default: int, /) -> int:
        """The highest version settled of this work order; `default` where none was."""
        found = self._do("SELECT version FROM settled WHERE work_order = ?", work_order)
        return default if found is None else found

    def __setitem__(self, work_order: str, version: int) -> None:
        """Remember that this version was taken in; one below what is known changes nothing."""
        self._do(_SETTLED, work_order, version)
        self._do("DELETE FROM failed WHERE work_order = ? AND version <= ?", work_order, version)

    def failures(self, work_order: str, version: int) -> int:
        """How often this version could not be worked so far."""
        asked = "SELECT times FROM failed WHERE work_order = ? AND version = ?"
        return self._do(asked, work_order, version) or 0

    def fail(self, work_order: str, version: int) -> int:
        """Note that it could not be worked; how often that is now."""
        return self._do(_FAILED, work_order, version) or 0

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _do(self, statement: str, *values: str | int) -> int | None:
        """Run one statement; the number it answers, if it does."""
        try:
            row = self._file.execute(statement, values).fetchone()
        except sqlite3.Error as problem:
            raise NotRemembered(str(self._path), str(problem)) from problem
        return row[0] if row else None
