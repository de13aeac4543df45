"""Setting up and keeping the house: what is there is never lost, what is wrong is told."""

import io
import sys
from pathlib import Path

import pytest

from gateway import compose, settings
from gateway.people import accounts, sessions
from gateway.people.accounts import Person
from gateway.tables import AccountRow
from recordings import keys
from recordings.keyring import FileKeyring
from recordings.tables import AuditLineRow
from tests.rig.postgres import Postgres
from tests.unit.cli.conftest import Hotline

PASSWORD = "correct horse battery"


@pytest.fixture
def password(monkeypatch: pytest.MonkeyPatch) -> str:
    """The password on standard input, as `hotline user add` reads it."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(PASSWORD + "\n"))
    return PASSWORD


def signed_in(login: str, password: str) -> Person | None:
    """Who that login and password are."""
    with compose.opened(settings.read()) as parts:
        judged = accounts.judge(parts.database, login, password)
        with parts.database.begin() as session:
            who = accounts.authenticate(session, judged, parts.clock())
    return who if isinstance(who, Person) else None


def everything_in(place: Path) -> dict[str, bytes]:
    """Every key under `place`, byte by byte."""
    return {str(path): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}


def test_init_twice_loses_nothing(hotline: Hotline, state: Path) -> None:
    """Run again by mistake: keys, accounts and the log are as before, and no password is told."""
    first = hotline("init", str(state), "--json").data
    who = signed_in("admin", first["password"])
    assert who is not None
    assert who.role == "administrator"
    keys = everything_in(state / "keys")
    assert keys
    lines = hotline("audit", "verify", "--json").data["lines"]
    second = hotline("init", str(state), "--json")
    assert (second.status, second.data["password"], second.data["administrator"]) == (0, None, None)
    assert everything_in(state / "keys") == keys
    assert signed_in("admin", first["password"])
    assert hotline("audit", "verify", "--json").data["lines"] == lines + 1  # the check itself


def test_init_closes_what_is_secret(hotline: Hotline, state: Path) -> None:
    """Private keys are their owner's alone, whatever the umask was."""
    assert hotline("init", str(state)).status == 0
    for file in ("keyring.age", "keyring.passphrase", "keyring.age.lock"):
        assert (state / "keys" / file).stat().st_mode & 0o077 == 0, file
    for place in ("", "store", "keys"):
        assert (state / place).stat().st_mode & 0o077 == 0, place


def test_init_where_a_file_is(hotline: Hotline, tmp_path: Path) -> None:
    """A path that cannot be a directory is told, and the file is left as it is."""
    file = tmp_path / "file"
    file.write_text("mine")
    said = hotline("init", str(file), "--json")
    assert (said.status, file.read_text()) == (1, "mine")
    assert str(file) in said.data["error"]


def test_a_secret_is_never_printed(
    ready: Hotline, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a command prints or logs, in both forms, no secret of settings or keys is in it."""
    monkeypatch.setenv("HOTLINE_PBX_URL", "ami://hotline:s3cret@127.0.0.1:1")
    monkeypatch.setenv("HOTLINE_BROKER_URL", "amqp://hotline:s3cret@127.0.0.1:1/")
    caplog.set_level("DEBUG")
    for words in (("doctor",), ("keys", "list"), ("keys", "new", "--month", "2031-02"),
                  ("audit", "checkpoint"), ("pbx", "status"), ("department", "list")):  # fmt: skip
        for form in ((), ("--json",)):
            said = ready(*words, *form)
            for secret in ("s3cret", "AGE-SECRET-KEY", "PRIVATE"):
                assert secret not in said.out + said.err + caplog.text, words


def test_an_account_that_was_added_signs_in(ready: Hotline, password: str) -> None:
    """What the operator added works at once, and adding it is in the log."""
    said = ready("user", "add", "8001", "--role", "agent", "--name", "王小梅",
                 "--extension", "PJSIP/8001", "--json")  # fmt: skip
    assert (said.status, said.data) == (0, {"login": "8001"})
    who = signed_in("8001", password)
    assert who is not None
    assert (who.name, who.role, who.extension) == ("王小梅", "agent", "PJSIP/8001")
    assert signed_in("8001", password + "\n") is None
    with compose.opened(settings.read()) as parts, parts.database.reading() as session:
        line = session.query(AuditLineRow).order_by(AuditLineRow.id.desc()).first()
    assert line is not None
    assert (line.action, line.obj) == ("people:account:add", "account:8001")


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("admin", "--role", "agent"), "login"),
        (("", "--role", "agent"), "login"),
        (("a b", "--role", "agent"), "login"),
        (("x" * 65, "--role", "agent"), "login"),
        (("a\udcff", "--role", "agent"), "login"),
        (("a\x1b[2J", "--role", "agent"), "login"),
        (("sun", "--role", "officer"), "department"),
        (("sun", "--role", "officer", "--department", "nowhere"), "department"),
        (("sun", "--role", "officer", "--department", "\udcff"), "department"),
        (("8001", "--role", "agent", "--name", "x" * 65), "name"),
        (("8001", "--role", "agent", "--name", "\udcff"), "name"),
        (("8001", "--role", "agent", "--extension", "P" * 65), "extension"),
    ],
)
def test_a_bad_account_is_named_by_its_field(
    ready: Hotline, password: str, words: tuple[str, ...], field: str
) -> None:
    """What cannot be an account is refused by the field that is wrong; nothing is added."""
    said = ready("user", "add", *words, "--json")
    assert said.status == 1
    assert said.data["error"].startswith(f"{field}：")
    assert "。 " in said.data["error"]
    with compose.opened(settings.read()) as parts, parts.database.reading() as session:
        assert session.query(AccountRow).count() == 1


@pytest.mark.parametrize("typed", ["", "\n", "elevenchars\n", "x" * 1025 + "\n"])
def test_a_bad_password_is_refused_and_not_shown(
    ready: Hotline, typed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too short or too long: told so, and what was typed stands nowhere."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    said = ready("user", "add", "8001", "--role", "agent", "--json")
    assert said.status == 1
    assert said.data["error"].startswith("password：")
    assert not typed.strip() or typed.strip() not in said.out + said.err


def test_two_agents_cannot_share_an_extension(
    ready: Hotline, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call must pop up on one desk: the second agent of a telephone is refused."""
    words = ("--role", "agent", "--extension", "PJSIP/8001", "--json")
    assert ready("user", "add", "first", *words).status == 0
    monkeypatch.setattr(sys, "stdin", io.StringIO(PASSWORD + "\n"))
    assert ready("user", "add", "second", *words).data["error"].startswith("extension：")


def test_a_closed_account_is_out_at_once(ready: Hotline, password: str) -> None:
    """Somebody who leaves: the open session ends with the account, and it is in the log."""
    assert ready("user", "add", "8001", "--role", "agent").status == 0
    who = signed_in("8001", password)
    assert who is not None
    with compose.opened(settings.read()) as parts:
        now = parts.clock()
        with parts.database.begin() as session:
            token = sessions.open_session(session, who, now).token
        assert ready("user", "close", "8001").status == 0
        with parts.database.reading() as session:
            assert sessions.find(session, token, now) is None
            line = session.query(AuditLineRow).order_by(AuditLineRow.id.desc()).first()
    assert signed_in("8001", password) is None
    assert line is not None
    assert (line.action, line.obj) == ("people:account:close", "account:8001")


def test_a_new_password_replaces_the_old(
    ready: Hotline, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A forgotten password, an account locked by wrong ones: set anew, the new one alone opens, and
    whoever was signed in with the old one is so no more."""
    assert ready("user", "add", "8001", "--role", "agent").status == 0
    who = signed_in("8001", password)
    assert who is not None
    with compose.opened(settings.read()) as parts, parts.database.begin() as session:
        token = sessions.open_session(session, who, parts.clock(), "bearer").token
    for _ in range(accounts.FAILURES_ALLOWED):
        assert signed_in("8001", "wrong") is None
    assert signed_in("8001", password) is None  # locked
    monkeypatch.setattr(sys, "stdin", io.StringIO("another battery staple\n"))
    assert ready("user", "password", "8001").status == 0
    with compose.opened(settings.read()) as parts, parts.database.reading() as session:
        assert sessions.find(session, token, parts.clock(), "bearer") is None
    assert signed_in("8001", password) is None
    assert signed_in("8001", "another battery staple")
    monkeypatch.setattr(sys, "stdin", io.StringIO("short\n"))
    assert ready("user", "password", "8001").status == 1
    assert signed_in("8001", "another battery staple")


@pytest.mark.parametrize("words", [("user", "close"), ("user", "password")])
def test_an_account_that_is_not_there(
    ready: Hotline, password: str, words: tuple[str, ...]
) -> None:
    """A mistyped login is told, not passed over."""
    said = ready(*words, "nobody", "--json")
    assert said.status == 1
    assert said.data["error"].startswith("login：")


@pytest.mark.parametrize(
    ("code", "name"),
    [("Yanglao", "x"), ("养老", "x"), ("a.b", "x"), ("a b", "x"), ("", "x"), ("-a", "x"),
     ("a" * 33, "x"), ("a#", "x"), ("ok", ""), ("ok", "x" * 129), ("ok", "\udcff"), ("ok", "a\nb")],
)  # fmt: skip
def test_a_bad_department_is_refused(ready: Hotline, code: str, name: str) -> None:
    """A code becomes part of queue names and routing keys: nothing but plain letters and digits."""
    said = ready("department", "add", "--json", "--", code, name)
    assert said.status == 1
    assert "。 " in said.data["error"]
    assert ready("department", "list", "--json").data == []


def test_a_department_is_added_once(ready: Hotline) -> None:
    """Added again under another name: refused, and the first stays."""
    assert ready("department", "add", "yanglao", "养老保险科", "--mode", "queue").status == 0
    again = ready("department", "add", "yanglao", "别的", "--json")
    assert (again.status, "yanglao" in again.data["error"]) == (1, True)
    assert ready("department", "list", "--json").data == [
        {"code": "yanglao", "name": "养老保险科", "mode": "queue"}
    ]


def test_a_months_keys_are_made_once(ready: Hotline, state: Path) -> None:
    """A second pair of the same month would make the first one's recordings unreadable: refused,
    and not a byte is changed."""
    made = ready("keys", "new", "--month", "2031-01", "--json").data
    before = everything_in(state / "keys")
    again = ready("keys", "new", "--month", "2031-01", "--json")
    assert (again.status, everything_in(state / "keys")) == (1, before)
    assert "2031-01" in again.data["error"]
    listed = {row["key"]: row for row in ready("keys", "list", "--json").data}
    assert listed["2031-01"] == {"key": "2031-01", "recipient": made["recipient"], "private": True}


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "../../2026-01", "2026-01/x", "now"])
def test_a_month_that_is_none(ready: Hotline, state: Path, month: str) -> None:
    """A name of a key becomes a file's: only a month is one."""
    before = everything_in(state.parent)
    assert ready("keys", "new", "--month", month, "--json").status == 1
    assert everything_in(state.parent) == before


def test_keys_without_their_private_half_are_listed_as_such(ready: Hotline, state: Path) -> None:
    """On a machine that only captures, the list works and says what is not here."""
    (state / "keys" / "keyring.age").unlink()
    rows = ready("keys", "list", "--json").data
    assert len(rows) == 4
    assert {(row["private"], row["recipient"][:4]) for row in rows} == {(False, "age1")}
    assert ready("doctor", "--json").data["parts"][1]["works"] is True


def test_a_locked_keyring_lists_what_it_can(ready: Hotline, state: Path) -> None:
    """Without the passphrase the public halves are listed, doctor says what is missing, and what
    needs a private key says so and changes nothing."""
    (state / "keys" / "keyring.passphrase").unlink()
    assert {row["private"] for row in ready("keys", "list", "--json").data} == {None}
    before = everything_in(state / "keys")
    said = ready("keys", "new", "--month", "2031-01", "--json")
    assert said.status == 1
    assert "HOTLINE_KEYRING_PASSPHRASE_FILE" in said.data["error"]
    examined = ready("doctor", "--json").data["parts"][1]
    assert (examined["works"], "HOTLINE_KEYRING_PASSPHRASE_FILE" in examined["says"]) == (
        False,
        True,
    )
    assert everything_in(state / "keys") == before


def test_plain_keys_move_into_the_keyring(
    ready: Hotline, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A house of the older version: nothing runs before its keys are enclosed, and afterwards the
    same keys are there and no plain one is left."""
    plain = state / "keys" / "private"
    plain.mkdir()
    (plain / "2020-01.agekey").write_text(keys.render_identity_file(b"\x42" * 32, 0))
    said = ready("serve", "--only", "timers", "--json")
    assert (said.status, "hotline keys enclose" in said.data["error"]) == (1, True)
    assert "hotline keys enclose" in ready("doctor", "--json").data["parts"][1]["says"]
    assert ready("keys", "enclose", "--json").data == {"keys": ["2020-01"]}
    assert list(plain.iterdir()) == []
    assert ready("keys", "enclose", "--json").data == {"keys": []}
    with compose.opened(settings.read()) as parts:
        assert parts.identities is not None
        assert parts.identities.of("2020-01").secret == b"\x42" * 32


def test_another_key_of_the_same_month_is_not_enclosed(ready: Hotline, state: Path) -> None:
    """Two keys for one month: somebody has to look, and both stay where they are."""
    plain = state / "keys" / "private"
    plain.mkdir()
    month = ready("keys", "list", "--json").data[0]["key"]
    for name in ("2020-01", month):
        (plain / f"{name}.agekey").write_text(keys.render_identity_file(b"\x42" * 32, 0))
    before = everything_in(state / "keys")
    said = ready("keys", "enclose", "--json")
    assert (said.status, month in said.data["error"]) == (1, True)
    assert everything_in(state / "keys") == before


def test_the_passphrase_is_changed(ready: Hotline, state: Path, tmp_path: Path) -> None:
    """The new one opens, the one that init made is gone, and a short one is refused."""
    (tmp_path / "short").write_text("hotline1233\n")
    assert ready("keys", "passphrase", "--new", str(tmp_path / "short"), "--json").status == 1
    (tmp_path / "new").write_text("two halves of it\n")
    assert ready("keys", "passphrase", "--new", str(tmp_path / "new"), "--json").status == 0
    assert not (state / "keys" / "keyring.passphrase").exists()
    ring = FileKeyring(state / "keys" / "keyring.age", lambda: "two halves of it")
    assert len(ring.key_ids()) == 4


def test_upgrade_twice_and_of_a_newer_database(hotline: Hotline, state: Path) -> None:
    """An upgrade is repeatable; a database of a later version is left alone and told."""
    first = hotline("db", "upgrade", "--json").data
    assert first["from"] is None
    assert hotline("db", "upgrade", "--json").data == {"from": first["to"], "to": first["to"]}
    with compose.opened(settings.read()) as parts, parts.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    said = hotline("db", "upgrade", "--json")
    assert said.status == 1
    assert "hotline doctor" in said.data["error"]


def test_everything_is_the_same_on_postgresql(
    hotline: Hotline, state: Path, password: str, postgres_cluster: Postgres,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The commands that write, on the other database the product promises."""
    monkeypatch.setenv("HOTLINE_DATABASE_URL", postgres_cluster.fresh_database())
    assert hotline("init", str(state)).status == 0
    assert hotline("init", str(state), "--json").data["password"] is None
    assert hotline("department", "add", "yanglao", "养老保险科").status == 0
    assert hotline("user", "add", "sun", "--role", "officer", "--department", "yanglao").status == 0
    who = signed_in("sun", password)
    assert who is not None
    assert who.department == "yanglao"
    assert hotline("audit", "verify", "--json").data["intact"] is True
    assert not (state / "hotline.db").exists()
