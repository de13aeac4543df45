"""A scrub finds what is not as it was sealed, in either place, soon enough, and heals nothing."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from recordings import scrub
from recordings.errors import StoreError
from recordings.store import DirectoryStore
from recordings.tables import RecordingRow
from recordings.tables_store import StoreCheckRow
from tests.unit.recordings.room import SECOND, Room, wav
from tests.unit.recordings.test_backup import spoil

DAY = 86_400 * SECOND
FOUND = {
    "flipped": "altered",
    "cut": "altered",
    "longer": "altered",
    "header": "altered",
    "missing": "missing",
    "unreadable": "unreadable",
}


@pytest.fixture
def full(room: Room) -> Room:
    """A room with ten sealed recordings, sealed a second apart."""
    for number in range(10):
        room.put(f"17954000{number:02}.1", wav(0.1, seed=number))
        room.capture().once()
        room.now += SECOND
    assert len(room.rows()) == 10
    return room


def due(room: Room, share: float, place: str = "store") -> list[int]:
    with room.begin() as session:
        return scrub.due(session, place, share)


def checked(room: Room, ids: list[int], place: str = "store") -> dict[int, str]:
    return scrub.check(room.begin, place, room.store, ids, room.clock)


def files(place: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}


def test_everything_is_compared_once_in_a_round_of_shares(full: Room) -> None:
    """Thirty shares of a thirtieth, new recordings among them: nothing is left out, the longest
    unchecked is first, and each place has an order of its own."""
    seen = list[int]()
    for _ in range(5):
        ids = due(full, 1 / 5)
        assert len(ids) == 2
        assert set(checked(full, ids).values()) == {"ok"}
        seen += ids
        full.now += DAY
    assert seen == [row.id for row in full.rows()]
    assert due(full, 0.01) == seen[:1]  # at least one, however small the share
    assert due(full, 1.0, "copy") == []
    full.put("1795400099.9", wav(0.1))
    full.capture().once()
    assert due(full, 1.0)[-1] == full.rows()[-1].id, "just sealed, and read back by that"


def test_nothing_to_compare(room: Room) -> None:
    """An empty house has no share to do."""
    assert due(room, 1.0) == []
    with room.begin() as session:
        assert scrub.silent_since(session, "store", room.now + 9 * DAY) == 0


@pytest.mark.parametrize("how", FOUND)
def test_damage_is_found_and_left_as_it_is(full: Room, how: str) -> None:
    """Each kind by its name, told once, standing until it is whole again; not a byte is changed."""
    bad = full.rows()[3]
    path = full.root / f"{bad.object_key}.payload"
    kept = (path.read_bytes(), path.with_suffix(".header").read_bytes())
    spoil(path, how)
    before = files(full.root)
    told = list[tuple[int, str, str]]()

    def on_found(_: Session, row: RecordingRow, place: str, outcome: str) -> None:
        told.append((row.id, place, outcome))

    for _ in range(2):
        found = scrub.check(full.begin, "store", full.store, due(full, 1.0), full.clock, on_found)
        assert found == {row.id: FOUND[how] if row.id == bad.id else "ok" for row in full.rows()}
        with full.begin() as session:
            (wrong,) = scrub.wrong(session, 20)
            assert (wrong.recording_id, wrong.outcome) == (bad.id, FOUND[how])
            assert scrub.count_wrong(session) == 1
    assert files(full.root) == before
    if path.is_dir():
        path.rmdir()
    path.write_bytes(kept[0])
    path.with_suffix(".header").write_bytes(kept[1])
    scrub.check(full.begin, "store", full.store, [bad.id], full.clock, on_found)
    assert told == [(bad.id, "store", FOUND[how]), (bad.id, "store", "ok")]
    with full.begin() as session:
        assert scrub.wrong(session, 20) == []


def test_a_place_that_is_away_lost_nothing(full: Room, tmp_path: Path) -> None:
    """A disk that is not mounted: no recording is called missing, and the silence grows."""
    first = full.rows()[0].sealed_at
    with full.begin() as session:
        assert scrub.silent_since(session, "store", first + 2 * DAY) == 2 * DAY
    checked(full, due(full, 0.1))
    shutil.move(full.root, tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="not mounted"):
        checked(full, due(full, 1.0))
    full.store = DirectoryStore(tmp_path / "elsewhere")
    with full.begin() as session:
        assert scrub.wrong(session, 20) == []
        assert scrub.silent_since(session, "store", full.now + 2 * DAY) == 2 * DAY
        assert session.query(StoreCheckRow).count() == 1
