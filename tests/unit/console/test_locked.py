"""An account that guessing locked: on record by its name, at whichever door it was guessed."""

import io
import sys

import pytest
from sqlalchemy import select

from recordings.tables import AuditLineRow
from tests.acceptance import look_morning as scene
from tests.unit.cli.conftest import Hotline, hotline, ready, state
from tests.unit.cli.test_keys_on_record import lines
from tests.unit.console.conftest import browser

__all__ = ["hotline", "ready", "state"]


def test_at_the_page(bare: scene.Morning) -> None:
    """Five guesses and a sixth: one line of the lock, a refusal each, none of what was typed."""
    client = browser(bare, "")
    for _ in range(6):
        client.post("/sign-in", data={"login": "wang", "password": "wrong"})
    with bare.parts.database.reading() as session:
        rows = session.scalars(select(AuditLineRow).order_by(AuditLineRow.id)).all()
    assert [row.outcome for row in rows if row.action == "people:session:open"] == ["denied"] * 6
    locks = [(row.obj, row.outcome) for row in rows if row.action == "people:account:lock"]
    assert locks == [("account:wang", "ok")]


def test_at_the_machine(ready: Hotline, monkeypatch: pytest.MonkeyPatch) -> None:
    """A custodian's password guessed at the command line leaves the same lines."""
    for _ in range(5):
        monkeypatch.setattr(sys, "stdin", io.StringIO("wrong\n"))
        assert ready("keys", "gone", "1", "--as", "admin").status == 1
    assert lines("people:session:open") == [("people:session:open", "-", "cli", "denied")] * 5
    assert lines("people:account:lock") == [("people:account:lock", "-", "account:admin", "ok")]
