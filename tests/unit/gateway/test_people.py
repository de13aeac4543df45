"""Who may what, who they are, who is here: the rules that keep powers apart."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.errors import AccountLocked, BadInput, TooBusy, WrongPassword
from gateway.parts import Parts
from gateway.people import accounts, sessions
from gateway.people.accounts import Person
from gateway.people.roles import PERMISSIONS, ROLE_NAMES, Permission, Role
from gateway.tables import AccountRow, SignInRow
from tests.unit.gateway import house
from tests.unit.gateway.house import NOW, PASSWORD

MINUTE = 60_000_000


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    with house.house(tmp_path) as made:
        yield made


def add(parts: Parts, **more: str) -> Person:
    with parts.database.begin() as session:
        return accounts.add(session, **{"login": "liu", "name": "刘", "role": "supervisor",
                            "password": PASSWORD, "now": NOW, **more})  # type: ignore[arg-type] # fmt: skip


def test_the_three_powers_are_never_one_roles() -> None:
    """三员分立: deciding about recordings, reading the log, keeping accounts: three roles."""
    powers = {Permission.RECORDING_DECIDE, Permission.LOG_READ, Permission.ACCOUNT_MANAGE}
    for role in Role:
        assert len(PERMISSIONS[role] & powers) <= 1, role
    assert set(PERMISSIONS) == set(ROLE_NAMES) == set(Role)


def test_who_listens_does_not_decide_and_who_keeps_keys_hears_nothing() -> None:
    """Only a supervisor hears, only an authoriser grants; nobody does both."""
    hearing = {role for role in Role if Permission.RECORDING_LISTEN in PERMISSIONS[role]}
    deciding = {role for role in Role if Permission.RECORDING_DECIDE in PERMISSIONS[role]}
    assert hearing == {Role.SUPERVISOR}
    assert deciding == {Role.AUTHORISER}


def test_a_password_is_kept_as_argon2id(parts: Parts) -> None:
    """A copy of the table gives no password away (RFC 9106)."""
    add(parts)
    with parts.database.reading() as session:
        kept = session.scalars(select(AccountRow.password_hash)).one()
    assert kept.startswith("$argon2id$")
    assert PASSWORD not in kept


def attempt(parts: Parts, password: str, now: int = NOW, login: str = "liu") -> object:
    judged = accounts.judge(parts.database, login, password)
    with parts.database.begin() as session:
        return accounts.authenticate(session, judged, now)


def test_five_wrong_passwords_lock_for_a_quarter_of_an_hour(parts: Parts) -> None:
    """Guessing is slow; the right password does not help while locked, and does afterwards."""
    add(parts)
    assert isinstance(attempt(parts, PASSWORD), Person)
    for _ in range(accounts.FAILURES_ALLOWED):
        assert isinstance(attempt(parts, "wrong"), WrongPassword)
    assert isinstance(attempt(parts, PASSWORD), AccountLocked)
    later = NOW + accounts.LOCK_MINUTES * MINUTE
    assert isinstance(attempt(parts, PASSWORD, later), Person)


def test_an_unknown_login_and_a_closed_account_say_the_same(parts: Parts) -> None:
    """Nobody learns which accounts there are."""
    add(parts)
    with parts.database.begin() as session:
        session.scalars(select(AccountRow)).one().active = False
    assert str(attempt(parts, PASSWORD)) == str(attempt(parts, PASSWORD, login="nobody"))


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"password": "short"}, "password"),
        ({"role": "emperor"}, "role"),
        ({"login": "a b"}, "login"),
        ({"role": "officer"}, "department"),
        ({"role": "officer", "department": "nowhere"}, "department"),
    ],
)
def test_a_bad_account_is_refused_by_field(parts: Parts, more: dict[str, str], named: str) -> None:
    """Whoever installs it reads which part is wrong, and no half account is made."""
    with pytest.raises(BadInput) as refused:
        add(parts, **more)
    assert list(refused.value.fields) == [named]
    with parts.database.reading() as session:
        assert session.scalars(select(AccountRow)).all() == []


def test_a_session_ends_by_time_by_disuse_by_hand_and_with_the_account(parts: Parts) -> None:
    """A token opens nothing once its session is over, however it ended."""
    who = add(parts)

    def opened() -> str:
        with parts.database.begin() as session:
            return sessions.open_session(session, who, NOW).token

    def found(token: str, now: int, kind: str = "cookie") -> bool:
        with parts.database.reading() as session:
            return sessions.find(session, token, now, kind) is not None

    token = opened()
    assert found(token, NOW + 1)
    assert not found(token + "x", NOW + 1)
    assert not found(token, NOW + 1, "bearer")  # a page's cookie is no program's token
    assert not found(token, NOW + sessions.UNUSED_US)
    with parts.database.begin() as session:
        row = session.scalars(select(SignInRow)).one()
        sessions.seen(session, row.id, NOW + sessions.LASTS_US - 1)
        assert token not in (row.token_sha256, row.csrf)
    assert not found(token, NOW + sessions.LASTS_US)
    closed = opened()
    with parts.database.begin() as session:
        assert sessions.close(session, closed, NOW) == who
    assert not found(closed, NOW + 1)
    last = opened()
    with parts.database.begin() as session:
        session.scalars(select(AccountRow)).one().active = False
    assert not found(last, NOW + 1)


def test_a_flood_of_sign_ins_leaves_threads_for_the_others(parts: Parts) -> None:
    """Beyond a bound a sign-in is refused at once: it waits on no thread that pages are made on."""
    held = [accounts._waiting.acquire(blocking=False) for _ in range(accounts.WAITING_MAX)]
    try:
        assert all(held)
        with pytest.raises(TooBusy):
            accounts.judge(parts.database, "liu", PASSWORD)
    finally:
        for _ in held:
            accounts._waiting.release()
    assert not accounts.judge(parts.database, "liu", PASSWORD).fits


def test_a_closed_account_is_out_at_once_and_a_new_password_ends_a_lock(parts: Parts) -> None:
    """A leaver's open session ends with the account; who is locked out is let in again."""
    who = add(parts)
    for _ in range(accounts.FAILURES_ALLOWED):
        attempt(parts, "wrong")
    with parts.database.begin() as session:
        stolen = sessions.open_session(session, who, NOW).token
    with parts.database.begin() as session:
        accounts.set_password(session, "liu", "another good password", NOW)
        token = sessions.open_session(session, who, NOW).token
    with parts.database.reading() as session:
        assert sessions.find(session, stolen, NOW + 1) is None
    assert isinstance(attempt(parts, "another good password"), Person)
    with parts.database.begin() as session:
        accounts.close(session, "liu")
        with pytest.raises(BadInput):
            accounts.close(session, "nobody")
        with pytest.raises(BadInput):
            accounts.set_password(session, "liu", "short", NOW)
    with parts.database.reading() as session:
        assert sessions.find(session, token, NOW + 1) is None
    assert isinstance(attempt(parts, "another good password"), WrongPassword)
