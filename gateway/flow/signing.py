"""Signing in that failed: on record, and so is the account that it locked.

What was typed as a login may be a password in the wrong field, so the attempt's line names nobody;
an account that was locked is one that there is, and its line names it.
"""

from sqlalchemy.orm import Session

from gateway.flow import log
from gateway.people import accounts


def failed(session: Session, login: str, *, at: str, origin: str, now: int) -> None:
    """Write down that a password was wrong; `at` is where it was typed: console, account, cli."""
    log.note(session, "people:session:open", actor=log.NOBODY, origin=origin, obj=at,
             outcome="denied", now=now)  # fmt: skip
    if accounts.just_locked(session, login, now):
        log.note(session, "people:account:lock", actor=log.NOBODY, origin=origin,
                 obj=f"account:{login}", outcome="ok", now=now)  # fmt: skip
