"""The trace of what is being done at this moment, for whoever sends something on because of it.

Set by the request that began it (`console.traced`) and carried along by the context, also into the
thread that does the work; nothing sets it for the timers' own doings, and their messages have none.
"""

import os
from contextvars import ContextVar

from queueing import tracing
from queueing.tracing import Trace

_CURRENT: ContextVar[Trace | None] = ContextVar("trace", default=None)


def begin(header: str) -> None:
    """What follows in this context belongs to the trace that `header` names, or to a new one."""
    given = tracing.parse(header)
    _CURRENT.set(tracing.child(given, os.urandom(8)) if given else tracing.begun(os.urandom(24)))


def onward() -> str:
    """`traceparent` of the next step; empty where no request is at the beginning."""
    current = _CURRENT.get()
    return str(tracing.child(current, os.urandom(8))) if current else ""
