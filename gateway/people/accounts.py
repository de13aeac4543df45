"""Local accounts: a login, a name, one role, and a password under Argon2id (RFC 9106).

A wrong login takes as long as a wrong password and says the same. Five wrong passwords in a row
lock the account for fifteen minutes. Failing is itself a committed act: `authenticate` returns
what happened and the caller commits it before it raises. Passwords are judged by length alone
(NIST SP 800-63B, 3.1.1): twelve characters at least.
"""

import threading
from collections.abc import Collection
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from gateway.database import Database
from gateway.errors import AccountLocked, BadInput, HotlineError, TooBusy, WrongPassword
from gateway.exchange import ALONE
from gateway.people.roles import PERMISSIONS, Permission, Role
from gateway.tables import AccountRow, DepartmentRow, SignInRow
from telephony.prepared import Among, Prepared

FAILURES_ALLOWED = 5
LOCK_MINUTES = 15
PASSWORD_LENGTH_MIN = 12
PASSWORD_LENGTH_MAX = 1024  # hashing is made to cost; nobody gets to choose how much

WAITING_MAX = 16  # of the forty threads that pages and the API have

_waiting = threading.BoundedSemaphore(WAITING_MAX)
_turns = threading.BoundedSemaphore(2)
_hasher = PasswordHasher()  # Argon2id, RFC 9106's second choice: 64 MiB, 3 passes
_PASSWORD = f"密码至少 {PASSWORD_LENGTH_MIN} 个字符。 At least {PASSWORD_LENGTH_MIN} characters."
_ACCOUNT = AccountRow.__table__.c
_AT_PHONE = Prepared(
    select(_ACCOUNT.extension, _ACCOUNT.login).where(
        _ACCOUNT.active, _ACCOUNT.pbx == bindparam("pbx"), Among(_ACCOUNT.extension, "extensions")
    )
)
_NOBODY = _hasher.hash("nobody has this password")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who acts: what the rest of the code knows of an account."""

    id: int
    login: str
    name: str
    role: Role
    department: str | None = None
    extension: str | None = None
    pbx: str = ALONE

    def may(self, permission: Permission) -> bool:
        """Whether this person's role holds `permission`."""
        return permission in PERMISSIONS[self.role]


def person(row: AccountRow) -> Person:
    """The person of an account row."""
    return Person(
        row.id, row.login, row.name, Role(row.role), row.department, row.extension, row.pbx
    )


def add(
    session: Session,
    *,
    login: str,
    name: str,
    role: str,
    password: str,
    now: int,
    department: str | None = None,
    extension: str | None = None,
    pbx: str = ALONE,
) -> Person:
    """Make an account. `extension`: an agent's interface (`PJSIP/8003`) at the PBX `pbx`.

    Raises:
        BadInput: an unknown role, a taken login or extension, an unknown department, a department
            officer without one, or a password shorter than twelve characters.
    """
    wrong = _faults(session, login, role, password, department)
    wrong |= _phone_faults(session, login, pbx, extension)
    if len(name) > 64 or not name.isprintable():
        wrong["name"] = "姓名最多 64 个可见字符。 At most 64 visible characters."
    if wrong:
        raise BadInput(wrong)
    row = AccountRow(
        login=login,
        name=name or login,
        role=role,
        department=department or None,
        extension=extension or None,
        pbx=pbx,
        password_hash=_hasher.hash(password),
        created_at=now,
    )
    session.add(row)
    session.flush()
    return person(row)


def _faults(
    session: Session,
    login: str,
    role: str,
    password: str,
    department: str | None,
) -> dict[str, str]:
    wrong: dict[str, str] = {}
    if not login or not login.isprintable() or len(login) > 64 or " " in login:
        wrong["login"] = "账号为 1–64 个字符，不含空格。 1–64 characters without spaces."
    elif session.scalar(select(AccountRow.id).where(AccountRow.login == login)):
        wrong["login"] = "该账号已存在，请换一个。 This login is taken; choose another."
    if role not in set(Role):
        wrong["role"] = f"岗位须为其一： The role must be one of: {', '.join(Role)}."
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        wrong["password"] = _PASSWORD
    if role == Role.OFFICER and not department:
        wrong["department"] = "承办部门人员须指定部门。 An officer belongs to a department."
    known = department and department.isprintable() and session.get(DepartmentRow, department)
    if department and not known:
        wrong["department"] = "没有这个部门，请先添加。 No such department; add it first."
    return wrong


def _phone_faults(session: Session, login: str, pbx: str, extension: str | None) -> dict[str, str]:
    if not extension:
        return {}
    if len(extension) > 64 or not extension.isprintable():
        return {"extension": "分机应如 PJSIP/8003。 An extension is like PJSIP/8003."}
    taken = select(AccountRow.id).where(
        AccountRow.pbx == pbx, AccountRow.extension == extension, AccountRow.login != login
    )
    if session.scalar(taken):
        return {"extension": "该分机已分配给他人。 This extension is somebody else's."}
    return {}


@dataclass(frozen=True, slots=True, repr=False)
class Judgement:
    """Whether a password fits the hash that an account had."""

    login: str
    password_hash: str
    fits: bool


def judge(database: Database, login: str, password: str) -> Judgement:
    """Whether `password` is that of `login`, judged outside any transaction.

    Argon2 is made to take time and memory: while it does, nobody's transaction waits, no more than
    two passwords are judged at once, and whoever floods the sign-in takes no more than a part of
    the threads that pages are made on.

    Raises:
        TooBusy: more are waiting than that.
    """
    if not _waiting.acquire(blocking=False):
        raise TooBusy
    try:
        return _judged(database, login, password)
    finally:
        _waiting.release()


def _judged(database: Database, login: str, password: str) -> Judgement:
    with database.reading() as session:
        found = session.scalar(select(AccountRow.password_hash).where(AccountRow.login == login))
    with _turns:
        return Judgement(login, found or _NOBODY, _fits(found or _NOBODY, password))


def authenticate(session: Session, judged: Judgement, now: int) -> Person | HotlineError:
    """The person whose password was judged to fit, or the error to raise once this is committed.

    An account that is locked or no longer active is refused whatever the password.
    """
    row = session.scalar(
        select(AccountRow).where(AccountRow.login == judged.login).with_for_update()
    )
    if row is not None and row.locked_until_at > now:
        return AccountLocked(minutes=(row.locked_until_at - now) // 60_000_000 + 1)
    if row is None or not row.active:
        return WrongPassword()
    if not judged.fits or row.password_hash != judged.password_hash:
        row.failures += 1
        if row.failures >= FAILURES_ALLOWED:
            row.failures = 0
            row.locked_until_at = now + LOCK_MINUTES * 60_000_000
        return WrongPassword()
    row.failures = 0
    return person(row)


def just_locked(session: Session, login: str, now: int) -> bool:
    """Whether this moment's failure locked the account."""
    until = now + LOCK_MINUTES * 60_000_000
    found = select(AccountRow.id).where(
        AccountRow.login == login, AccountRow.locked_until_at == until
    )
    return session.scalar(found) is not None


def _fits(password_hash: str, password: str) -> bool:
    if len(password) > PASSWORD_LENGTH_MAX:
        return False
    try:
        return _hasher.verify(password_hash, password)
    except (VerifyMismatchError, VerificationError, InvalidHashError):
        return False


def close(session: Session, login: str) -> Person:
    """Close an account: nobody signs in with it any more, and its open sessions end at once.

    Raises:
        BadInput: there is none.
    """
    row = session.scalar(select(AccountRow).where(AccountRow.login == login).with_for_update())
    if row is None:
        raise BadInput({"login": "没有这个账号。 There is no such account."})
    row.active = False
    return person(row)


def set_password(session: Session, login: str, password: str, now: int) -> Person:
    """Give an account a new password; its lock, its closing and its open sessions end with it.

    Raises:
        BadInput: there is no such account, or the password is too short.
    """
    row = session.scalar(select(AccountRow).where(AccountRow.login == login).with_for_update())
    if row is None:
        raise BadInput({"login": "没有这个账号。 There is no such account."})
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        raise BadInput({"password": _PASSWORD})
    row.password_hash = _hasher.hash(password)
    row.failures = row.locked_until_at = 0
    row.active = True
    session.execute(
        update(SignInRow)
        .where(SignInRow.account_id == row.id, SignInRow.closed_at.is_(None))
        .values(closed_at=now)
    )
    return person(row)


def set_phone(session: Session, login: str, pbx: str, extension: str) -> Person:
    """Give an account another phone ('': none).

    Raises:
        BadInput: there is no such account, or somebody else has that phone.
    """
    row = session.scalar(select(AccountRow).where(AccountRow.login == login).with_for_update())
    if row is None:
        raise BadInput({"login": "没有这个账号。 There is no such account."})
    if wrong := _phone_faults(session, login, pbx, extension):
        raise BadInput(wrong)
    row.pbx, row.extension = pbx, extension or None
    session.flush()
    return person(row)


def logins_at(session: Session, pbx: str, extensions: Collection[str]) -> dict[str, str]:
    """Interface of that PBX (`PJSIP/8003`) → login of who sits there, for those that are
    somebody's."""
    if not extensions:
        return {}
    return dict(_AT_PHONE.rows(session, pbx=pbx, extensions=sorted(extensions)))


def elsewhere(session: Session, pbxs: Collection[str]) -> list[str]:
    """The logins of those whose phone is of no PBX in `pbxs`."""
    wanted = select(AccountRow.login).where(
        AccountRow.active, AccountRow.extension.is_not(None), AccountRow.pbx.not_in(pbxs)
    )
    return list(session.scalars(wanted.order_by(AccountRow.login)))


def named(session: Session, logins: set[str]) -> dict[str, str]:
    """Login → name, for those of `logins` that are accounts."""
    rows = session.execute(
        select(AccountRow.login, AccountRow.name).where(AccountRow.login.in_(logins))
    )
    return {login: name for login, name in rows}  # noqa: C416 - rows unpack, dict(rows) is untyped


def any_of(session: Session, role: Role) -> bool:
    """Whether there is an account of this role."""
    return session.scalar(select(AccountRow.id).where(AccountRow.role == role).limit(1)) is not None
