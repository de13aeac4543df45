"""When a batch is given up: its own work fails again and again, not the database's.

A database that is away, locked or stopped is waited for without end: nothing is wrong with what it
would have taken. But a batch whose processing raises anything else each time would stand in the way
of all that follow, for ever. After `TRIES` such failures it is proven to be poison, and the switch-
board sets it aside. A value the database refuses to hold is the batch's fault, not the database's.
Pure; remembers one batch, the one that is being offered.
"""

from typing import Final

from sqlalchemy.exc import DataError, SQLAlchemyError

from telephony.batch import Batch

TRIES: Final = 3


def environments(error: Exception) -> bool:
    """Whether this is the database's or the machine's failing, and passes."""
    if isinstance(error, DataError):
        return False
    return isinstance(error, SQLAlchemyError | OSError | MemoryError)


class Suspect:
    """Counts the failures of the batch that is being offered."""

    def __init__(self) -> None:
        self._name: tuple[str, int] | None = None
        self._failures = 0

    def proven(self, batch: Batch, error: Exception) -> bool:
        """Notes one failure; True when this batch has failed by itself `TRIES` times.

        Word of the link itself (no messages) is never given up: it holds nothing of a caller's."""
        if environments(error) or not batch.messages:
            return False
        name = (batch.link_session, batch.seq)
        self._failures = self._failures + 1 if name == self._name else 1
        self._name = name
        return self._failures >= TRIES


def described(error: BaseException) -> str:
    """The kind of an error and the line that raised it: its text may hold what a caller said."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    module = trace.tb_frame.f_globals.get("__name__", "?")
    return f"{type(error).__name__} in {module}:{trace.tb_lineno}"
