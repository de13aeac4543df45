"""Exporting over the console: asked for with a key, granted, made, fetched twice, and gone."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from gateway.flow import exporting, log
from recordings import logkeys, proofs
from recordings.errors import ProofInvalid
from recordings.tables import AuditLineRow, RecordingRow
from recordings.tables_grants import ExportRow
from tests.acceptance import look_morning as scene
from tests.rig.needs import need
from tests.unit.console.conftest import browser

AGE = Path("/usr/bin/age")
DAY = 86_400 * scene.SECOND


@pytest.fixture
def key(tmp_path: Path) -> tuple[str, Path]:
    """The recipient's own key."""
    need(AGE, "apt-get install age")
    file = tmp_path / "recipient.txt"
    subprocess.run(["/usr/bin/age-keygen", "-o", file], check=True, capture_output=True)
    return file.read_text().split("\n")[1].removeprefix("# public key: "), file


@pytest.fixture
def house(bare: scene.Morning) -> scene.Morning:
    """The morning with its recordings."""
    return scene.full(bare)


def exported(house: scene.Morning, recipient: str) -> tuple[TestClient, str]:
    """Chen's browser, and the address of an export that was asked for, granted and made."""
    chen, zhou = browser(house, "chen"), browser(house, "zhou")
    ask = {"recording": str(house.recordings[0]), "purpose": "complaint", "reason": "移送调查组",
           "ticket_no": f"#{house.tickets['dispatched']}", "kind": "export",
           "recipient": recipient}  # fmt: skip
    assert chen.post("/recordings/ask", data=ask).status_code == 303
    assert zhou.get("/requests").text.count(recipient) == 1, "the authoriser decides about a key"
    decide = {"granted": "1", "lasts_s": "3600"}
    assert zhou.post("/requests/4/decide", data=decide).status_code == 303
    grant = {"grant": "2"}
    made = chen.post(f"/recordings/{house.recordings[0]}/exports", data=grant)
    again = chen.post(f"/recordings/{house.recordings[0]}/exports", data=grant)
    assert made.headers["location"] == again.headers["location"], "once under a yes"
    return chen, made.headers["location"].partition("?")[0]


def lines(house: scene.Morning) -> list[AuditLineRow]:
    with house.parts.database.reading() as session:
        return log.lines(session, house.people["shen"])


def test_the_recipient_opens_it_and_nobody_else(
    house: scene.Morning, key: tuple[str, Path]
) -> None:
    """The file opens with the recipient's key to the WAV that is heard here; the sheet's hashes are
    of these very bytes, and the log's line holds the sheet's."""
    chen, path = exported(house, key[0])
    sheet, file = chen.get(path + "/sheet"), chen.get(path + "/file")
    said = json.loads(sheet.content)
    played = chen.get(f"/recordings/{house.recordings[0]}/audio?play={house.play}").content
    opened = subprocess.run([AGE, "-d", "-i", key[1]], input=file.content, check=True,
                            capture_output=True).stdout  # fmt: skip
    assert opened == played
    assert said["export"]["sealed_sha256"] == hashlib.sha256(file.content).hexdigest()
    assert said["export"]["plain_sha256"] == hashlib.sha256(played).hexdigest()
    assert file.headers["content-length"] == str(len(file.content))
    (line,) = [line for line in lines(house) if line.action == exporting.MADE]
    assert json.loads(line.detail)["sheet_sha256"] == hashlib.sha256(sheet.content).hexdigest()
    assert (line.obj, line.grant_id) == ("export:1", 2)
    page = chen.get(path).text
    assert all(mark in page for mark in (key[0], f"{line.id}</b> 行", "移送调查组"))
    for one in house.parts.settings.state.rglob("*"):
        assert not one.is_file() or played[1000:1064] not in one.read_bytes(), one


def test_fetched_twice_and_then_gone(house: scene.Morning, key: tuple[str, Path]) -> None:
    """Two fetches, each on record; the third is refused, and an hour later the file is not there;
    one that nobody fetched goes after seven days, a file without a row after one."""
    chen, path = exported(house, key[0])
    parts = house.parts
    assert [chen.get(path + "/file").status_code for _ in range(3)] == [200, 200, 409]
    fetched = [(line.outcome, line.obj) for line in lines(house)[:3]]
    assert fetched == [("denied", "export:1"), ("ok", "export:1"), ("ok", "export:1")]
    shelf = exporting.shelf(parts)
    shelf.put("1-dead.age", b"whose process was killed before its row")
    assert exporting.tidy(parts) == 0, "who fetches now may still be reading"
    (held,) = list(shelf.keys(""))
    with parts.database.begin() as session:
        row = session.get_one(ExportRow, 1)
        assert held == row.object_key
        row.fetched_at = parts.clock() - 2 * 3600 * scene.SECOND
    assert exporting.tidy(parts) == 1
    assert list(shelf.keys("")) == []
    assert chen.get(path).status_code == 200, "the sheet stays"
    assert chen.get(path + "/file").status_code == 409


def test_whoever_receives_it_checks_its_line(house: scene.Morning, key: tuple[str, Path]) -> None:
    """The proof beside the sheet leads from the line with the sheet's hash to a signed checkpoint,
    by the key that the sheet shows and nothing else of ours; that it was given is on record."""
    chen, path = exported(house, key[0])
    assert chen.get(path + "/proof").status_code == 409, "no key of the log: nothing is signed"
    logkeys.establish(house.parts.settings.keyring, "hotline.test/log", bytes(32))
    (log_key,) = logkeys.known(house.parts.settings.keyring)
    answer = chen.get(path + "/proof")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    proved = proofs.parse(answer.text)
    assert proofs.check(answer.text, proved.extra, [log_key]).size > proved.index
    (line,) = [line for line in lines(house) if line.action == exporting.MADE]
    assert proved.index == line.id
    sheet = chen.get(path + "/sheet").content
    assert hashlib.sha256(sheet).hexdigest().encode() in proved.extra
    other = proved.extra.replace(b"chen", b"deng")
    with pytest.raises(ProofInvalid):
        proofs.check(answer.text, other, [log_key])
    page = chen.get(path).text
    assert log_key in page
    assert f'href="{path}/proof"' in page
    newest = lines(house)[0]
    assert (newest.action, newest.obj, newest.actor) == (
        "log:line:prove", f"line:{line.id}", "chen",
    )  # fmt: skip


def test_seven_days(house: scene.Morning, key: tuple[str, Path]) -> None:
    """What nobody came for is not kept."""
    chen, path = exported(house, key[0])
    with house.parts.database.begin() as session:
        session.get_one(ExportRow, 1).made_at -= 7 * DAY
    assert chen.get(path + "/file").status_code == 409
    assert exporting.tidy(house.parts) == 1
    assert list(exporting.shelf(house.parts).keys("")) == []


def test_what_is_no_key_is_told(house: scene.Morning) -> None:
    """A mistyped key is told at the field, before anybody decides about it."""
    chen = browser(house, "chen")
    ask = {"recording": str(house.recordings[0]), "purpose": "verify", "reason": "核对",
           "ticket_no": f"#{house.tickets['dispatched']}", "kind": "export"}  # fmt: skip
    for wrong in ("", "age1qqq", "AGE-SECRET-KEY-1QQ"):
        refused = chen.post("/recordings/ask", data=ask | {"recipient": wrong})
        assert refused.status_code == 400
    heard = chen.post("/recordings/ask", data=ask | {"kind": "playback", "recipient": "age1qqq"})
    assert heard.status_code == 400, "a key for nothing is a mistake as well"


def test_an_altered_recording_is_not_exported(house: scene.Morning, key: tuple[str, Path]) -> None:
    """409, a line that says it failed, and no export."""
    parts = house.parts
    with parts.database.begin() as session:
        session.get_one(RecordingRow, house.recordings[0]).plain_size -= 1
    chen, zhou = browser(house, "chen"), browser(house, "zhou")
    ask = {"recording": str(house.recordings[0]), "purpose": "complaint", "reason": "移送",
           "ticket_no": f"#{house.tickets['dispatched']}", "kind": "export",
           "recipient": key[0]}  # fmt: skip
    chen.post("/recordings/ask", data=ask)
    zhou.post("/requests/4/decide", data={"granted": "1", "lasts_s": "3600"})
    refused = chen.post(f"/recordings/{house.recordings[0]}/exports", data={"grant": "2"})
    assert refused.status_code == 409
    line = lines(house)[0]
    assert (line.action, line.outcome) == (exporting.MADE, "failed")
    assert list(exporting.shelf(parts).keys("")) == []
