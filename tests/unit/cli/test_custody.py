"""Custody as people do it: two administrators, their passwords, and what is on record then."""

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gateway import compose, settings, timers
from recordings import keys, register, sealed
from recordings.errors import KeyDestroyed, KeyringLocked
from recordings.tables import AuditLineRow
from tests.rig.needs import need
from tests.rig.transit import serving
from tests.unit.cli.conftest import Hotline, Said
from tests.unit.gateway.house import recording

PASSWORD = "correct horse battery"
SECRETS = {"wang": b"\x01" * 32, "li": b"\x02" * 32}
TO = {who: keys.encode_recipient(sealed.public_of(one)) for who, one in SECRETS.items()}
As = Callable[..., Said]


@pytest.fixture
def as_one(ready: Hotline, monkeypatch: pytest.MonkeyPatch) -> As:
    """`as_one("wang", "keys", …)`: a command with that person's password on standard input."""

    def run(who: str, *words: str, password: str = PASSWORD) -> Said:
        monkeypatch.setattr(sys, "stdin", io.StringIO(password + "\n"))
        return ready(*words, "--as", who, "--json")

    for login, role in (("wang", "administrator"), ("li", "administrator"), ("wu", "auditor")):
        monkeypatch.setattr(sys, "stdin", io.StringIO(PASSWORD + "\n"))
        assert ready("user", "add", login, "--role", role).status == 0
    return run


def months(ready: Hotline) -> list[str]:
    return [row["key"] for row in ready("keys", "list", "--json").data]


def lines(action: str) -> list[tuple[str, str, str]]:
    """Who, object, outcome of the log's lines of that act."""
    with compose.opened(settings.read()) as parts, parts.database.reading() as session:
        found = session.scalars(select(AuditLineRow).where(AuditLineRow.action == action))
        return [(row.actor, row.obj, row.outcome) for row in found]


def export(as_one: As, key: str, who: str = "wang") -> Any:
    return as_one(who, "keys", "export", key, "--reason", "法院调取", "--to", TO["wang"],
                  "--to", TO["li"])  # fmt: skip


def test_an_exported_key_opens_only_with_both(as_one: As, ready: Hotline, tmp_path: Path) -> None:
    """Asked by one, confirmed by the other; the file is two age files in one another, and the age
    program of each opens its own; every step and every refusal is in the log."""
    age = need(Path("/usr/bin/age"), "apt-get install age")
    key, out = months(ready)[0], tmp_path / "out.age"
    act = export(as_one, key).data
    confirm = ("keys", "confirm", str(act["act_id"]), "--digest", act["digest"][:16],
               "--out", str(out))  # fmt: skip
    assert as_one("wang", *confirm).status == 1
    assert as_one("wu", *confirm).status == 1
    assert as_one("li", *confirm, password="wrong").status == 1
    assert as_one("li", *confirm[:4], "0" * 16, *confirm[5:]).status == 1
    assert not out.exists()
    assert as_one("li", *confirm).data == {"out": str(out)}
    files = {}
    for who, secret in SECRETS.items():
        files[who] = tmp_path / who
        files[who].write_text(keys.render_identity_file(secret, 0))
    outer = subprocess.run([age, "-d", "-i", files["li"], out], capture_output=True, check=True)
    inner = subprocess.run([age, "-d", "-i", files["wang"]], input=outer.stdout,
                           capture_output=True, check=True)  # fmt: skip
    with compose.opened(settings.read()) as parts:
        assert parts.identities is not None
        secret = parts.identities.of(key).secret
    assert keys.parse_identity_file(inner.stdout.decode()) == [secret]
    assert keys.encode_identity(secret).encode() not in out.read_bytes() + outer.stdout
    for who in SECRETS:
        alone = subprocess.run([age, "-d", "-i", files["wang"], out], capture_output=True,
                               check=False)  # fmt: skip
        assert alone.returncode != 0, who
    assert lines("keys:export:ask") == [("wang", f"key:{key}", "ok")]
    assert [(who, how) for who, _, how in lines("keys:act:confirm")] == [
        ("wang", "denied"), ("wu", "denied"), ("li", "denied"), ("li", "ok"),
    ]  # fmt: skip
    assert lines("keys:key:export") == [("li", f"key-act:{act['act_id']}", "ok")]
    assert as_one("li", *confirm[:-1], str(tmp_path / "again")).status == 1


def test_a_copy_is_accounted_for_by_two(as_one: As, ready: Hotline, tmp_path: Path) -> None:
    """What left the keyring stays on record until two people have said that it is gone."""
    act = export(as_one, months(ready)[0]).data
    as_one("li", "keys", "confirm", str(act["act_id"]), "--digest", act["digest"],
           "--out", str(tmp_path / "out"))  # fmt: skip
    (copy,) = ready("keys", "copies", "--json").data
    assert copy["gone"] is False
    assert as_one("wang", "keys", "gone", "1").data["gone"] is False
    assert as_one("wang", "keys", "gone", "1").status == 1
    assert as_one("wu", "keys", "gone", "1").status == 1
    assert as_one("li", "keys", "gone", "1").data["gone"] is True


@pytest.fixture
def old_key(ready: Hotline) -> str:
    """A key whose two years are over, and nothing is sealed to it."""
    assert ready("keys", "new", "--month", "2020-01").status == 0
    return "2020-01"


def destroy(as_one: As, key: str) -> Said:
    asked = as_one("wang", "keys", "destroy", key, "--reason", "保存期满").data
    return as_one("li", "keys", "confirm", str(asked["act_id"]), "--digest", asked["digest"])


def test_a_key_is_destroyed_by_two(as_one: As, ready: Hotline, state: Path, old_key: str) -> None:
    """Both halves are gone, the register says when, and nothing alarms about it."""
    assert destroy(as_one, old_key).data == {"destroyed": old_key}
    assert old_key not in months(ready)
    with compose.opened(settings.read()) as parts:
        assert parts.identities is not None
        with pytest.raises(KeyDestroyed):
            parts.identities.of(old_key)
    assert ready("keys", "check", "--json").status == 0
    assert ready("keys", "new", "--month", old_key).status == 1
    assert lines("keys:key:destroyed") == [("li", f"key:{old_key}", "ok")]


def test_what_must_not_be_destroyed_is_not(
    as_one: As, ready: Hotline, tmp_path: Path, old_key: str
) -> None:
    """Too young, still sealed to, or with a copy at large: refused, and the key is there."""
    young = months(ready)[-1]
    assert "两年" in destroy(as_one, young).data["error"]
    act = export(as_one, old_key).data
    as_one("li", "keys", "confirm", str(act["act_id"]), "--digest", act["digest"],
           "--out", str(tmp_path / "out"))  # fmt: skip
    assert "keys gone" in destroy(as_one, old_key).data["error"]
    with compose.opened(settings.read()) as parts:
        with parts.database.begin() as session:
            recording(session).key_id = old_key
        assert "录音" in destroy(as_one, old_key).data["error"]
        assert parts.identities is not None
        assert {young, old_key} <= set(parts.identities.key_ids())
    assert [how for _, _, how in lines("keys:key:destroy")] == ["denied"] * 3


def test_an_export_needs_two_recipients_and_a_reason(as_one: As, ready: Hotline) -> None:
    """One recipient twice would be one person's key."""
    key = months(ready)[0]
    one = as_one("wang", "keys", "export", key, "--reason", "法院调取", "--to", TO["li"],
                 "--to", TO["li"])  # fmt: skip
    assert (one.status, "age1" in one.data["error"]) == (1, True)
    none = as_one("wang", "keys", "destroy", key, "--reason", " ")
    assert (none.status, "理由" in none.data["error"]) == (1, True)
    assert ready("keys", "acts", "--json").data == []


def test_a_swapped_public_half_alarms_within_a_round(ready: Hotline, state: Path) -> None:
    """Whoever may write the directory puts his own key there: the timers put it on record once,
    doctor names it, and keys check lists what was sealed to the stranger meanwhile."""
    (month, *_) = months(ready)
    half = state / "keys" / "public" / f"{month}.age-recipient"
    ours = half.read_text()
    half.chmod(0o600)
    half.write_text(TO["li"] + "\n")
    with compose.opened(settings.read()) as parts:
        found = timers.look_after_keys(parts, [])
        assert [(one.key_id, one.what) for one in found] == [(month, "swapped")]
        assert timers.look_after_keys(parts, found) == found
        with parts.database.begin() as session:
            row = recording(session)
            row.key_id, row.recipient = month, TO["li"]
            fine = recording(session, "1795400000.2")
            fine.key_id, fine.recipient = month, ours.strip()
    assert lines("keys:pair:check") == [("timers", f"key:{month}", "failed")]
    assert month in ready("doctor", "--json").data["parts"][1]["says"]
    said = ready("keys", "check", "--json")
    assert said.status == 1
    assert said.data["strangers"] == [{"recording": 1, "key": month}]
    half.write_text(ours)
    assert ready("keys", "check", "--json").data["troubles"] == []


def test_a_lost_private_half_is_told_and_rotated(ready: Hotline, state: Path) -> None:
    """A keyring from before the month was made: nothing is made in silence in its place; the
    second pair seals from then on."""
    with compose.opened(settings.read()) as parts:
        (state / "keys" / "keyring.age").unlink()
        month = keys.key_id_at(parts.clock())
        found = timers.look_after_keys(parts, [])
        assert {one.what for one in found} == {"lost"}
        made = ready("keys", "rotate", "--json").data
        assert made["key"] == f"{month}b"
        assert parts.recipients.newest(month).text == made["recipient"]
        assert parts.identities is not None
        assert parts.identities.key_ids() == [f"{month}b"]


def test_a_lost_public_half_is_published_again(ready: Hotline, state: Path) -> None:
    """From the private half we have: what waits in the spool is sealed in the next round."""
    (month, *_) = months(ready)
    half = state / "keys" / "public" / f"{month}.age-recipient"
    ours = half.read_text()
    half.unlink()
    with compose.opened(settings.read()) as parts:
        assert timers.look_after_keys(parts, []) == []
        with parts.database.reading() as session:
            assert register.halves(session)[month] == ours.strip()
    assert half.read_text() == ours


def test_a_house_whose_keys_a_service_keeps(
    hotline: Hotline, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second provider from the first command on: no keyring file, no passphrase, the same
    commands, and no key opens while the service is sealed."""
    with serving() as service:
        monkeypatch.setenv("HOTLINE_TRANSIT_URL", service.url)
        monkeypatch.setenv("HOTLINE_TRANSIT_TOKEN", service.token)
        assert hotline("init", str(state)).status == 0
        names = {path.name for path in (state / "keys").iterdir()}
        assert names - {"log.key", "log.pubs"} == {"public", "transit"}
        rows = hotline("keys", "list", "--json").data
        assert [row["private"] for row in rows] == [True] * 4
        assert sorted(service.keys) == [f"hotline-{row['key']}" for row in rows]
        assert hotline("doctor", "--json").data["parts"][1]["works"] is True
        (state / "words").write_text("correct horse battery")
        assert hotline("keys", "passphrase", "--new", str(state / "words")).status == 1
        service.sealed = True
        with compose.opened(settings.read()) as parts:
            assert parts.identities is not None
            with pytest.raises(KeyringLocked, match="unseal"):
                parts.identities.of(rows[0]["key"])


def test_a_token_is_not_sent_in_the_clear(
    hotline: Hotline, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """http to another machine would give the token to whoever listens: refused at the start."""
    monkeypatch.setenv("HOTLINE_TRANSIT_URL", "http://vault.example:8200/v1/transit")
    said = hotline("keys", "list", "--json")
    assert (said.status, "HOTLINE_TRANSIT_URL" in said.data["error"]) == (1, True)


def test_serve_does_not_start_with_a_wrong_passphrase(
    ready: Hotline, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told at the start, before a supervisor waits for a recording that cannot be opened."""
    before = (state / "keys" / "keyring.age").read_bytes()
    monkeypatch.setenv("HOTLINE_KEYRING_PASSPHRASE", "not the passphrase")
    said = ready("serve", "--only", "web,timers", "--json")
    assert (said.status, "nothing was changed" in said.data["error"]) == (1, True)
    assert (state / "keys" / "keyring.age").read_bytes() == before
