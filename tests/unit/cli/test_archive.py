"""`hotline recording backup|drill|…`: what an operator types the evening before it is needed."""

import shutil
from pathlib import Path

import pytest

from gateway import compose, settings
from gateway.flow import linking
from recordings.capture import Capture
from recordings.tables import AuditLineRow
from tests.unit.cli.conftest import Hotline
from tests.unit.recordings.room import wav

CALL = wav(9, seed=5)


def seal(*names: str) -> None:
    """WAVs of the PBX, sealed as the capture duty seals them."""
    with compose.opened(settings.read()) as parts:
        (exchange,) = parts.settings.pbxs
        ready = exchange.spool / "ready"
        ready.mkdir(exist_ok=True)
        for name in names:
            (ready / f"{name}.wav").write_bytes(CALL)
        work = Capture(exchange.spool, exchange.name, parts.recipients, parts.store,
                       parts.database.begin, parts.clock, linking.captured)  # fmt: skip
        done = work.once(settle_s=0)
        assert len(done) == len(names)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A disk for the backup."""
    made = tmp_path / "disk"
    made.mkdir()
    return made


def acts() -> list[tuple[str, str]]:
    with compose.opened(settings.read()) as parts, parts.database.reading() as session:
        lines = session.query(AuditLineRow).order_by(AuditLineRow.id)
        return [(one.action, one.outcome) for one in lines if "backup" in one.action]


def test_a_backup_and_its_drill(ready: Hotline, place: Path) -> None:
    """Two commands of an evening: all is there and opens, is logged; what came later is told."""
    seal("1795400001.1", "1795400002.2")
    made = ready("recording", "backup", str(place), "--json")
    assert (made.status, made.data["recordings"], made.data["copied"]) == (0, 2, 2)
    again = ready("recording", "backup", str(place), "--json")
    assert (again.status, again.data["recordings"], again.data["copied"]) == (0, 2, 0)
    seal("1795400003.3")
    tried = ready("recording", "drill", str(place), "--all", "--json")
    assert (tried.status, tried.data["recordings"], tried.data["failed"]) == (0, 2, 0)
    assert (tried.data["opened"], tried.data["later"], tried.data["chunks"]) == (True, 1, 6)
    assert tried.data["checkpoint"].startswith("12333.cn/hotline/")
    assert acts() == [("recordings:backup:make", "ok")] * 2 + [("recordings:backup:drill", "ok")]


def test_a_damaged_backup_fails_the_drill(ready: Hotline, place: Path) -> None:
    """Status 1, and which recording; the log has it too."""
    seal("1795400001.1", "1795400002.2")
    ready("recording", "backup", str(place))
    payload = next(place.rglob("*.payload"))
    held = bytearray(payload.read_bytes())
    held[70_000] ^= 4
    payload.write_bytes(held)
    said = ready("recording", "drill", str(place), "--json")
    assert (said.status, said.data["failed"], len(said.data["failures"])) == (1, 1, 1)
    told = ready("recording", "drill", str(place))
    assert "CANNOT BE RESTORED" in told.err
    assert acts()[-1] == ("recordings:backup:drill", "failed")


def test_a_drill_needs_no_database(ready: Hotline, place: Path, state: Path) -> None:
    """The house burnt down: keys and backup are enough, and no empty database is left behind."""
    seal("1795400001.1")
    ready("recording", "backup", str(place))
    shutil.rmtree(state / "store")
    for file in state.glob("hotline.db*"):
        file.unlink()
    said = ready("recording", "drill", str(place), "--json")
    assert (said.status, said.data["opened"], said.data["later"]) == (0, True, None)
    assert list(state.glob("hotline.db*")) == []


def test_a_drill_without_keys_proves_less_and_says_so(
    ready: Hotline, place: Path, state: Path
) -> None:
    """On a machine with no private key: whole, not opened, and not passed."""
    seal("1795400001.1")
    ready("recording", "backup", str(place))
    next((state / "keys").glob("*.age")).unlink()
    said = ready("recording", "drill", str(place), "--json")
    assert (said.status, said.data["opened"], said.data["failed"]) == (1, False, 0)
    assert "NOT OPENED" in ready("recording", "drill", str(place)).err


@pytest.mark.parametrize("where", ["missing", "store", "state", "ftp://x/y", "file"])
def test_a_wrong_place_is_told(ready: Hotline, state: Path, place: Path, where: str) -> None:
    """A disk that is not mounted, or the store itself: refused before a byte is written."""
    file = place / "file"
    file.write_text("mine")
    typed = {"missing": str(place / "x"), "store": str(state / "store"), "state": str(state),
             "file": str(file)}.get(where, where)  # fmt: skip
    for command in ("backup", "drill"):
        said = ready("recording", command, typed, "--json")
        assert said.status == 1
        assert "。 " in said.data["error"]
    assert file.read_text() == "mine"
    assert not (state / "store" / "runs").exists()
    assert not (place / "x").exists()


def test_scrub_and_verify(ready: Hotline, state: Path) -> None:
    """A bit that rotted is found, named in every place people look, logged once, and gone from the
    alarms when the recording was put back."""
    seal("1795400001.1", "1795400002.2")
    good = ready("recording", "scrub", "--all", "--json")
    assert (good.status, good.data) == (0, {"checked": 2, "wrong": [], "away": {}})
    payload = min((state / "store").rglob("*.payload"))
    held = payload.read_bytes()
    payload.write_bytes(held[:-1] + bytes([held[-1] ^ 1]))
    found = ready("recording", "scrub", "--all", "--json")
    assert (found.status, found.data["wrong"][0]["found"]) == (1, "altered")
    bad = found.data["wrong"][0]["id"]
    assert ready("recording", "verify", str(bad), "--json").data["places"] == {"store": "altered"}
    assert "hotline recording verify" in ready("recording", "verify", str(bad)).err
    (kept,) = [
        one for one in ready("doctor", "--json").data["parts"] if one["part"].startswith("kept")
    ]
    assert not kept["works"]
    assert f"{bad} store altered" in kept["says"]
    payload.write_bytes(held)
    assert ready("recording", "verify", str(bad)).status == 0
    (kept,) = [
        one for one in ready("doctor", "--json").data["parts"] if one["part"].startswith("kept")
    ]
    assert kept["works"]
    with compose.opened(settings.read()) as parts, parts.database.reading() as session:
        lines = session.query(AuditLineRow).filter(AuditLineRow.action.like("%:compare"))
        assert [(one.obj, one.outcome) for one in lines] == [
            (f"recording:{bad}", "failed"), (f"recording:{bad}", "ok")]  # fmt: skip


def test_a_store_that_is_away_is_told(ready: Hotline, state: Path) -> None:
    """Not mounted is not lost: status 1, and no recording is called missing."""
    seal("1795400001.1")
    shutil.rmtree(state / "store")
    (state / "store").mkdir()
    said = ready("recording", "scrub", "--all", "--json")
    assert (said.status, said.data["checked"], said.data["wrong"]) == (1, 0, [])
    assert "not mounted" in said.data["away"]["store"]
