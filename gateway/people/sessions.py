"""Signed-in sessions: a random token that the browser or program keeps, its hash that we keep.

A session ends twelve hours after it was opened (a long shift), after two hours unused, or at once
when somebody signs out or the account is closed. The CSRF token belongs to the session and is
another secret than the session's own. Where the token travels (cookie, bearer) is the web's affair.
"""

import hashlib
import secrets
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.people.accounts import Person, person
from gateway.tables import AccountRow, SignInRow

LASTS_US = 12 * 3600 * 1_000_000
UNUSED_US = 2 * 3600 * 1_000_000
SEEN_EVERY_US = 60 * 1_000_000  # a write for every request would be too many


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """A session just opened. `token` is told once and kept nowhere."""

    token: str
    csrf: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Signed:
    """Who is signed in, and the CSRF token their forms must carry."""

    person: Person
    csrf: str
    sign_in_id: int
    stale: bool  # `seen_at` is old enough to be written anew


def open_session(session: Session, who: Person, now: int, kind: str = "cookie") -> Opened:
    """Open a session for `who`; `kind` is `cookie` (pages) or `bearer` (programs)."""
    opened = Opened(secrets.token_urlsafe(32), secrets.token_urlsafe(32), now + LASTS_US)
    session.add(
        SignInRow(
            token_sha256=_sha256(opened.token),
            account_id=who.id,
            kind=kind,
            csrf=opened.csrf,
            opened_at=now,
            expires_at=opened.expires_at,
            seen_at=now,
        )
    )
    return opened


def find(session: Session, token: str, now: int, kind: str = "cookie") -> Signed | None:
    """Whose session `token` is; None when there is none, or it has ended."""
    found = session.execute(
        select(SignInRow, AccountRow)
        .join(AccountRow, AccountRow.id == SignInRow.account_id)
        .where(SignInRow.token_sha256 == _sha256(token), SignInRow.kind == kind)
    ).one_or_none()
    if found is None:
        return None
    row, account = found
    ended = row.closed_at is not None or row.expires_at <= now or row.seen_at + UNUSED_US <= now
    if ended or not account.active:
        return None
    return Signed(person(account), row.csrf, row.id, row.seen_at + SEEN_EVERY_US <= now)


def seen(session: Session, sign_in_id: int, now: int) -> None:
    """Note that the session is in use."""
    row = session.get(SignInRow, sign_in_id)
    if row is not None:
        row.seen_at = max(row.seen_at, now)


def close(session: Session, token: str, now: int) -> Person | None:
    """Sign out: end the session of `token`; returns whose it was."""
    row = session.scalar(select(SignInRow).where(SignInRow.token_sha256 == _sha256(token)))
    if row is None or row.closed_at is not None:
        return None
    row.closed_at = now
    account = session.get(AccountRow, row.account_id)
    return person(account) if account else None


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
