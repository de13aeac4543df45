"""Which month's key seals a recording: that of the month, in China, in which the call came in."""

from datetime import datetime
from pathlib import Path

import pytest

from recordings.keyring import new_pair
from recordings.keys import CHINA, key_id_at
from tests.unit.recordings.room import SECOND, Room, wav


@pytest.mark.parametrize(
    ("came_in", "lasted_s", "month", "folder"),
    [
        ("2026-11-30 23:59:50", 30, "2026-11", "2026/11/30"),  # over midnight and the month's end
        ("2026-11-30 23:59:59", 1, "2026-11", "2026/11/30"),  # gone as the month began
        ("2026-12-01 00:00:00", 30, "2026-12", "2026/12/01"),
        ("2026-12-01 07:59:59", 30, "2026-12", "2026/12/01"),  # 30 November still, in UTC
    ],
)
def test_a_call_over_midnight_is_sealed_under_the_month_it_came_in(
    tmp_path: Path, came_in: str, lasted_s: int, month: str, folder: str
) -> None:
    """One recording, one key, however long it lasts: the month's key that two years later is
    destroyed is that of the day the recording is found by, and no other opens it."""
    began = int(datetime.fromisoformat(came_in).replace(tzinfo=CHINA).timestamp()) * SECOND
    room = Room(tmp_path, now=began + (lasted_s + 6) * SECOND, key_id="2026-11")
    new_pair(room.keyring, "2026-12", now=room.now)
    heard = wav(lasted_s)
    room.put(f"{began // SECOND}.7", heard, age_s=6)
    room.capture().once()
    (row,) = room.rows()
    assert (row.key_id, row.recorded_at, row.duration_ms) == (month, began, lasted_s * 1000)
    assert row.object_key.startswith(f"{folder}/")
    other = "2026-12" if month == "2026-11" else "2026-11"
    (room.keyring / "private" / f"{other}.agekey").unlink()
    assert room.played(row) == heard


def test_calls_of_both_months_sealed_in_one_go_have_each_its_own_key(tmp_path: Path) -> None:
    """What waited in the spool over the change of key is not sealed under the newer one."""
    midnight = int(datetime(2026, 12, 1, tzinfo=CHINA).timestamp())
    room = Room(tmp_path, now=(midnight + 600) * SECOND, key_id="2026-11")
    new_pair(room.keyring, "2026-12", now=room.now)
    for began in (midnight - 1, midnight):
        room.put(f"{began}.1", wav(3))
    room.capture().once()
    sealed = {row.name: row.key_id for row in room.rows()}
    assert sealed == {f"{midnight - 1}.1": "2026-11", f"{midnight}.1": "2026-12"}


@pytest.mark.parametrize(
    ("behind_h", "month"),
    [(47, "2026-11"), (49, "2026-12"), (24 * 400, "2026-12")],
)
def test_a_clock_that_is_wrong_does_not_choose_an_old_key(
    tmp_path: Path, behind_h: int, month: str
) -> None:
    """A PBX whose clock is days behind: its key would be destroyed long before its two years are
    over, so the gateway's own month counts; a call of the night before keeps its own."""
    now = int(datetime(2026, 12, 1, 12, tzinfo=CHINA).timestamp()) * SECOND
    room = Room(tmp_path, now=now, key_id="2026-11")
    began = now // SECOND - behind_h * 3600
    for key_id in {"2026-12", key_id_at(began * SECOND)} - {"2026-11"}:
        new_pair(room.keyring, key_id, now=now)
    room.put(f"{began}.1", wav(3), age_s=behind_h * 3600 - 60)
    room.capture().once()
    (row,) = room.rows()
    assert (row.recorded_at, row.key_id) == (began * SECOND, month)
