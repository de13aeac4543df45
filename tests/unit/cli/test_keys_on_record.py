"""What is done to the whole keyring is in the log, and its grave troubles reach the auditor."""

from pathlib import Path

import pytest
from sqlalchemy import select

from gateway import compose, settings, timers
from recordings import keys, sealed
from recordings.tables import AuditLineRow
from recordings.tables_log import AlertRow
from tests.unit.cli.conftest import Hotline

STRANGER = keys.encode_recipient(sealed.public_of(b"\x07" * 32))


def lines(start: str) -> list[tuple[str, str, str, str]]:
    """The log's lines whose act begins so: act, actor, object, outcome."""
    with compose.opened(settings.read()) as parts, parts.database.reading() as session:
        found = session.scalars(select(AuditLineRow).where(AuditLineRow.action.startswith(start)))
        return [(row.action, row.actor, row.obj, row.outcome) for row in found]


def test_a_new_passphrase_is_on_record(ready: Hotline, tmp_path: Path) -> None:
    """Who may open everything has changed: one line; a passphrase that was refused leaves none,
    and neither line says anything of it."""
    short, good = tmp_path / "short", tmp_path / "good"
    short.write_text("short\n")
    good.write_text("correct horse battery staple\n")
    assert ready("keys", "passphrase", "--new", str(short)).status == 1
    assert lines("keys:keyring:") == []
    assert ready("keys", "passphrase", "--new", str(good)).status == 0
    assert lines("keys:keyring:") == [("keys:keyring:passphrase", "operator", "keyring", "ok")]


def test_plain_keys_moved_are_on_record(ready: Hotline, state: Path) -> None:
    """Private keys that lay in the open until now: which, and when that ended."""
    plain = state / "keys" / "private"
    plain.mkdir()
    (plain / "2020-01.agekey").write_text(keys.encode_identity(b"\x05" * 32) + "\n")
    assert ready("keys", "enclose", "--json").data == {"keys": ["2020-01"]}
    assert lines("keys:keyring:") == [("keys:keyring:enclose", "operator", "keyring", "ok")]
    ready("keys", "enclose")
    assert len(lines("keys:keyring:")) == 1, "nothing was moved the second time"


@pytest.mark.parametrize("what", ["swapped", "stranger", "lost"])
def test_the_auditor_is_told(ready: Hotline, state: Path, what: str) -> None:
    """Recordings in a stranger's hands or in nobody's are not the administrator's alone to know:
    an alert, once, until it was seen."""
    public = state / "keys" / "public"
    half = min(public.iterdir())
    if what == "lost":
        (state / "keys" / "keyring.age").unlink()
    else:
        into = half if what == "swapped" else public / "2031-01.age-recipient"
        into.unlink(missing_ok=True)
        into.write_text(STRANGER + "\n")
    with compose.opened(settings.read()) as parts:
        for _ in range(2):
            timers.look_after_keys(parts, [])
        with parts.database.reading() as session:
            told = [(row.role, row.kind) for row in session.scalars(select(AlertRow))]
    assert set(told) == {("auditor", f"key-{what}")}
    assert len(told) == (len(list(public.iterdir())) if what == "lost" else 1)
