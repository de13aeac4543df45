"""A line of the log in a person's name, and a refusal that is on record before it is told.

What is refused is returned and not raised: whoever owns the transaction commits the line first and
raises then (DESIGN §3, promise 5). What is asked for, and who may, is not known here.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from gateway.errors import Forbidden, HotlineError
from gateway.flow import log
from gateway.people.accounts import Person


@dataclass(frozen=True, slots=True)
class Refused:
    """The refusal is in the log: once it is committed, raise `error`."""

    error: HotlineError


def denied(
    session: Session, who: Person, act: str, obj: str, origin: str, now: int,
    error: Exception, *, grant: int | None = None, detail: dict[str, Any] | None = None,
) -> Refused:  # fmt: skip
    """Write the refusal into the log; what is to be raised once it is committed."""
    note(session, who, act, obj, origin, now, outcome="denied", grant=grant,
         detail={**(detail or {}), "why": type(error).__name__})  # fmt: skip
    return Refused(error if isinstance(error, HotlineError) else Forbidden(str(error)))


def note(
    session: Session, who: Person, act: str, obj: str, origin: str, now: int,
    *, outcome: str = "ok", grant: int | None = None, detail: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    """One line in this person's name."""
    log.note(session, act, actor=who.login, origin=origin, obj=obj,
             outcome=outcome, grant=grant, detail=detail, now=now)  # fmt: skip
