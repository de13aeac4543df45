"""`hotline recording restore`: the morning after the disk died, as an operator types it."""

import shutil
from pathlib import Path

import pytest

from gateway import compose, settings
from recordings.tables import AuditLineRow, RecordingRow
from tests.unit.cli.conftest import Hotline
from tests.unit.cli.test_archive import place, seal

__all__ = ["place"]


def restores() -> list[tuple[str, str]]:
    """The log's lines of restores: object and outcome."""
    with compose.opened(settings.read()) as parts, parts.database.reading() as session:
        lines = session.query(AuditLineRow).order_by(AuditLineRow.id)
        return [(one.obj, one.outcome) for one in lines
                if one.action == "recordings:backup:restore"]  # fmt: skip


def test_a_store_that_died_is_put_back(ready: Hotline, state: Path, place: Path) -> None:
    """Two commands of a night, one of the morning: everything is whole again, doctor says so, and
    the run is in the log by the backup's name."""
    seal("1795400001.1", "1795400002.2")
    run = ready("recording", "backup", str(place), "--json").data["run"]
    shutil.rmtree(state / "store")
    done = ready("recording", "restore", str(place), "--json")
    assert (done.status, done.data["put_back"], done.data["failed"]) == (0, 2, 0)
    assert ready("recording", "scrub", "--all", "--json").data["wrong"] == []
    again = ready("recording", "restore", str(place))
    assert (again.status, "0 put back, 2 were whole" in again.out) == (0, True)
    assert restores() == [(f"backup:{run}", "ok")] * 2


def test_what_is_in_no_backup_is_named(ready: Hotline, state: Path, place: Path) -> None:
    """Sealed after the last backup and lost with the disk: status 1, and which."""
    seal("1795400001.1")
    ready("recording", "backup", str(place))
    seal("1795400002.2")
    shutil.rmtree(state / "store")
    done = ready("recording", "restore", str(place), "--json")
    assert (done.status, done.data["put_back"], done.data["failed"]) == (1, 1, 1)
    with compose.opened(settings.read()) as parts, parts.database.reading() as session:
        lost = session.query(RecordingRow).filter_by(name="1795400002.2").one()
    assert [one["id"] for one in done.data["failures"]] == [lost.id]
    assert "NOT WHOLE" in ready("recording", "restore", str(place)).err
    assert restores()[0][1] == "failed"


def test_a_database_older_than_the_backup_is_told(ready: Hotline, state: Path, place: Path) -> None:
    """What the database does not know cannot be put back: said, and no success."""
    seal("1795400001.1")
    shutil.copytree(state, state.parent / "yesterday")
    seal("1795400002.2")
    ready("recording", "backup", str(place))
    for file in state.glob("hotline.db*"):
        file.unlink()
    for file in (state.parent / "yesterday").glob("hotline.db*"):
        shutil.copy(file, state / file.name)
    shutil.rmtree(state / "store")
    done = ready("recording", "restore", str(place), "--json")
    assert (done.status, done.data["put_back"], done.data["database_behind"]) == (1, 1, True)
    assert "restore a newer database" in ready("recording", "restore", str(place)).err


def test_out_of_the_second_copy(
    ready: Hotline, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No place named: the second copy is it, where one is set; else that is told."""
    seal("1795400001.1")
    bare = ready("recording", "restore", "--json")
    assert (bare.status, "HOTLINE_STORE_COPY_URL" in bare.data["error"]) == (1, True)
    monkeypatch.setenv("HOTLINE_STORE_COPY_URL", str(tmp_path / "second"))
    shutil.move(state / "store", tmp_path / "second")
    (state / "store").mkdir()
    done = ready("recording", "restore", "--json")
    assert (done.status, done.data["put_back"]) == (0, 1)
    assert restores() == [("backup:copy", "ok")]


def test_a_place_without_a_backup_is_refused(ready: Hotline, state: Path, place: Path) -> None:
    """A disk that is not mounted must not look like a restore that had nothing to do."""
    seal("1795400001.1")
    said = ready("recording", "restore", str(place), "--json")
    assert (said.status, "recording backup" in said.data["error"]) == (1, True)
    assert restores() == []
