"""Departments' accounts at the broker: files that stay the same, secrets that stay secret."""

import base64
import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway import compose, settings
from gateway.tables import DepartmentRow
from queueing import layout
from queueing.tables import EmbeddedQueueRow
from tests.unit.cli.conftest import Hotline


def required() -> dict[str, str | None]:
    """The account each department's replies must come under."""
    with compose.opened(settings.read()) as parts, parts.database.reading() as session:
        return {row.code: row.amqp_user for row in session.query(DepartmentRow)}


def test_init_writes_accounts_once(ready: Hotline, state: Path) -> None:
    """Files of their owner's alone, no password in the definitions, the same when run again; a
    department that works by our page has no account; nobody's replies are refused because of it."""
    assert ready("department", "add", "sb", "社保局", "--mode", "queue").status == 0
    assert ready("department", "add", "jy", "就业局").status == 0
    assert ready("init", str(state)).status == 0
    place = state / "rabbitmq"
    before = {path.name: path.read_text() for path in place.iterdir()}
    assert sorted(before) == ["definitions.json", "hotline.url", "policies-4.3.json", "sb.url"]
    assert {path.stat().st_mode & 0o777 for path in place.iterdir()} == {0o600}
    assert ready("init", str(state)).status == 0
    assert {path.name: path.read_text() for path in place.iterdir()} == before
    address = urlsplit(before["sb.url"].strip())
    assert (address.username, address.path) == ("department.sb", "/hotline")
    assert address.password
    assert address.password not in before["definitions.json"]
    document = json.loads(before["definitions.json"])
    assert [one["name"] for one in document["users"]] == ["hotline", "department.sb"]
    assert [one["name"] for one in document["vhosts"]] == ["hotline"]
    assert "department.jy" in [one["name"] for one in document["queues"]]
    assert required() == {"sb": None, "jy": None}


def test_a_department_gets_an_account_of_its_own(ready: Hotline, state: Path) -> None:
    """Its replies are required to come under it; the password stays until a new one is asked for,
    and stands in the file alone."""
    assert ready("department", "add", "sb", "社保局", "--mode", "queue").status == 0
    first = ready("department", "credentials", "sb")
    assert first.status == 0
    password = urlsplit((state / "rabbitmq" / "sb.url").read_text()).password or ""
    assert password
    assert password not in first.out + first.err
    fragment = json.loads(first.out)
    assert [one["user"] for one in fragment["permissions"]] == ["department.sb"]
    assert json.loads(ready("department", "credentials", "sb").out) == fragment
    changed = json.loads(ready("department", "credentials", "sb", "--new").out)
    assert changed["users"][0]["password_hash"] != fragment["users"][0]["password_hash"]
    assert changed["permissions"] == fragment["permissions"]
    assert required() == {"sb": "department.sb"}


@pytest.mark.parametrize("code", ["nobody", "jy"])
def test_who_has_no_system_gets_no_account(ready: Hotline, code: str) -> None:
    """A desk's replies come by our page: an account would only lie about."""
    assert ready("department", "add", "jy", "就业局").status == 0
    assert ready("department", "credentials", code).status != 0
    assert required() == {"jy": None}


def test_another_account_of_the_gateway_is_left_alone(
    ready: Hotline, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Importing the definitions never changes the password of an account that is not ours."""
    monkeypatch.setenv("HOTLINE_BROKER_URL", "amqp://guest:guest@127.0.0.1:1/%2F")
    assert ready("init", str(state)).status == 0
    document = json.loads((state / "rabbitmq" / "definitions.json").read_text())
    assert document["users"] == []
    assert document["vhosts"] == [{"name": "/"}]
    monkeypatch.setenv("HOTLINE_BROKER_URL", "amqp://hotline:own%20word@127.0.0.1:1/h")
    assert ready("init", str(state)).status == 0
    (user,) = json.loads((state / "rabbitmq" / "definitions.json").read_text())["users"]
    salt = base64.b64decode(user["password_hash"])[:4]
    assert user["password_hash"] == layout.hashed("own word", salt)


def test_a_programs_key_is_told_once_listed_and_revoked(ready: Hotline) -> None:
    """The key itself is printed when it is made and never again; a revoked one no longer holds, and
    is revoked once."""
    assert ready("department", "add", "sb", "社保局", "--mode", "pull").status == 0
    made = ready("department", "key", "sb", "--days", "30", "--json").data
    assert made["key"].startswith("hotline-")
    second = ready("department", "key", "sb")
    assert second.out.strip().startswith("hotline-")
    listed = ready("department", "key", "sb", "--list", "--json")
    assert made["key"] not in listed.out
    assert [(one["id"], one["holds"]) for one in listed.data] == [(1, True), (2, True)]
    assert ready("department", "key", "sb", "--revoke", "1").status == 0
    assert ready("department", "key", "sb", "--revoke", "1").status != 0
    holds = [one["holds"] for one in ready("department", "key", "sb", "--list", "--json").data]
    assert holds == [False, True]


@pytest.mark.parametrize(
    "words",
    ["nobody", "jy", "sb --days 0", "sb --days 9999", "sb --revoke 1"],
)
def test_no_key_where_none_is_meant(ready: Hotline, words: str) -> None:
    """For no department, for one that works by our page, for ever: refused, and nothing is made."""
    assert ready("department", "add", "jy", "就业局").status == 0
    assert ready("department", "add", "sb", "社保局", "--mode", "pull").status == 0
    assert ready("department", "key", *words.split()).status != 0
    assert ready("department", "key", "sb", "--list", "--json").data == []


def test_the_queue_of_a_department_that_pulls_is_there_at_once(ready: Hotline) -> None:
    """A work order sent in the second it was added has somewhere to go."""
    assert ready("department", "add", "sb", "社保局", "--mode", "pull").status == 0
    with compose.opened(settings.read()) as parts, parts.database.reading() as session:
        assert session.get(EmbeddedQueueRow, "department.sb") is not None
