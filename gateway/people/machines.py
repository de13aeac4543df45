"""Departments' programs: known by a machine key, and never a person.

A key is a random word that is told once and kept by its SHA-256 alone. It speaks for one
department until it runs out or is revoked; a department may have several, so that the next is in
use before the last one goes. It opens nothing of what a person's session opens, nor does a session
open what it opens: they lie in tables apart. What a program may do, `flow.pulling` decides.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.errors import BadInput, NotFound, NotSignedIn
from gateway.tables import DepartmentKeyRow, DepartmentRow

PREFIX: Final = "hotline-"
"""So that a key that was left lying about is known for one."""
DAY_US: Final = 24 * 3600 * 1_000_000
DAYS: Final = 365
DAYS_MOST: Final = 3 * 365


@dataclass(frozen=True, slots=True)
class Machine:
    """A program that has shown its key."""

    key_id: int
    department: str


@dataclass(frozen=True, slots=True, repr=False)
class Made:
    """A key just made. `key` is told once and kept nowhere."""

    id: int
    key: str
    expires_at: int


def make(session: Session, department: str, days: int, by: str, now: int) -> Made:
    """A new key for the department's program; those it has stay.

    Raises:
        BadInput: there is no such department, it works at our page, or `days` is out of bounds.
    """
    row = session.get(DepartmentRow, department)
    if row is None:
        raise BadInput({"code": "没有这个部门。 There is no such department."})
    if row.mode == "desk":
        told = f"{department} 在网页办理，不需要密钥。 {department} works by our page: no key."
        raise BadInput({"code": told})
    if not 1 <= days <= DAYS_MOST:
        raise BadInput({"days": f"1–{DAYS_MOST} 天。 1 to {DAYS_MOST} days."})
    key = PREFIX + secrets.token_urlsafe(32)
    made = DepartmentKeyRow(
        key_sha256=_sha256(key),
        department=department,
        made_by=by,
        made_at=now,
        expires_at=now + days * DAY_US,
    )
    session.add(made)
    session.flush()
    return Made(made.id, key, made.expires_at)


def find(session: Session, key: str, now: int) -> Machine:
    """Whose key this is.

    Raises:
        NotSignedIn: it is no key of ours, it ran out, or it was revoked.
    """
    digest = _sha256(key)
    row = session.scalar(select(DepartmentKeyRow).where(DepartmentKeyRow.key_sha256 == digest))
    if row is None:
        raise NotSignedIn(
            "请以 Bearer 携带本部门的程序密钥（hotline department key）。 "
            "Send the department's machine key as Bearer (hotline department key)."
        )
    if row.revoked_at is not None:
        raise NotSignedIn("此密钥已吊销，请向热线换领。 This key was revoked: ask for another.")
    if row.expires_at <= now:
        raise NotSignedIn("此密钥已过期，请向热线换领。 This key has run out: ask for another.")
    return Machine(row.id, row.department)


def keys(session: Session, department: str) -> Sequence[DepartmentKeyRow]:
    """Every key the department was ever given, the oldest first."""
    asked = select(DepartmentKeyRow).where(DepartmentKeyRow.department == department)
    return session.scalars(asked.order_by(DepartmentKeyRow.id)).all()


def revoke(session: Session, department: str, key_id: int, now: int) -> None:
    """From this commit on the key opens nothing.

    Raises:
        NotFound: the department has no such key, or it was revoked before.
    """
    row = session.get(DepartmentKeyRow, key_id, with_for_update=True)
    if row is None or row.department != department or row.revoked_at is not None:
        raise NotFound(
            f"{department} 没有可吊销的密钥 {key_id}。 {department} has no key {key_id} to revoke."
        )
    row.revoked_at = now


def wanting(session: Session, now: int) -> Sequence[str]:
    """The departments that fetch their messages and in a fortnight have no key to do it with."""
    held = select(DepartmentKeyRow.department).where(
        DepartmentKeyRow.revoked_at.is_(None), DepartmentKeyRow.expires_at > now + 14 * DAY_US
    )
    pulls = select(DepartmentRow.code).where(
        DepartmentRow.mode == "pull", DepartmentRow.code.not_in(held)
    )
    return session.scalars(pulls.order_by(DepartmentRow.code)).all()


def _sha256(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
