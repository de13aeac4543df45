"""kill -9 at every step of a destruction: a fresh process ends in the same certificate.

A step is each commit, and in store and keyring each write, fsync, link and unlink, before and after
it.  The process that destroys is another one and is really killed.
"""

import shutil
import signal
from pathlib import Path

import pytest

from recordings import verifying
from recordings.errors import Destroyed
from recordings.naming import PAYLOAD, header_of
from recordings.retention import State
from tests.integration.recordings.faults import Steps, kill_self, serve_victims, step_room
from tests.integration.recordings.test_capture_crash import victims
from tests.unit.recordings.ageing import DAY, DUE, Ageing
from tests.unit.recordings.room import Room, wav

CALLS = [wav(1, seed=n) for n in range(3)]
HELD = 2
SHARDS = 12
LEAST = 60
"""Fewer points than that, and the faults are not where they are thought to be."""


@pytest.fixture(scope="module")
def agreed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three recordings, the second held; two persons have agreed to the plan."""
    place = tmp_path_factory.mktemp("agreed")
    room = Room(place)
    for number, call in enumerate(CALLS):
        room.put(f"1795400000.{number}", call)
    assert len(room.capture().once()) == 3
    ageing = Ageing(room)
    ageing.kept[HELD] = "hold"
    ageing.agreed()
    room.engine.dispose()
    return place


def destroying(place: Path, fatal: int) -> list[str]:
    """Destroy in this process, which is killed at point `fatal`; the points that were passed."""
    room = step_room(place, steps := Steps(fatal, kill_self))
    room.now = DUE + 8 * DAY
    ageing = Ageing(room)
    ageing.kept[HELD] = "hold"
    assert ageing.run(1) == State.CERTIFIED
    return steps.passed


def ended(place: Path) -> str:
    """A fresh process's end: everything as it must be, and the certificate."""
    room = Room(place, key_id="2028-12")  # a room makes the pair it is to seal to
    room.now = DUE + 8 * DAY
    ageing = Ageing(room)
    ageing.kept[HELD] = "hold"
    assert ageing.run(1) == State.CERTIFIED
    first, held, third = room.rows()
    assert room.played(held) == CALLS[HELD - 1]
    assert set(room.store.keys("")) == {header_of(held.object_key, 2), held.object_key + PAYLOAD}
    for row in (first, third):
        with pytest.raises(Destroyed):
            room.played(row)
    assert ageing.means.keyring.key_ids() == ["2028-12", "hold-2028-12"]
    with room.begin() as session:
        assert verifying.verify(session).ok
    written = ageing.certificate()
    room.engine.dispose()
    return written


@pytest.mark.parametrize("shard", range(SHARDS))
def test_killed_at_every_point(agreed: Path, tmp_path: Path, shard: int) -> None:
    """Nothing held is lost, nothing is half destroyed for good, and one certificate comes of it."""
    whole = tmp_path / "whole"
    shutil.copytree(agreed, whole)
    passed = destroying(whole, 0)
    assert len(passed) >= LEAST, passed
    wanted = ended(whole)
    with victims("tests.integration.recordings.test_destroy_crash") as die:
        for point in range(1 + shard, len(passed) + 1, SHARDS):
            place = tmp_path / str(point)
            shutil.copytree(agreed, place)
            assert die(place, point) == -signal.SIGKILL, (point, passed[point - 1])
            assert ended(place) == wanted, (point, passed[point - 1])
            shutil.rmtree(place)


if __name__ == "__main__":
    serve_victims(destroying)
