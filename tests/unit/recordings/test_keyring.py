"""What every keyring must do, however it keeps the private halves; and that keys come whole.

A provider more is a line more in `KEYRINGS`.
"""

import resource
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recordings import sealed
from recordings.errors import KeyInvalid, KeyMissing
from recordings.keyring import Identities, new_pair
from recordings.keys import Identity, Keyring, Recipients
from tests.unit.recordings.room import NOW

KEYRINGS: dict[str, Callable[[Path], Keyring]] = {"files": Identities}
OCTOBER = Identity("2026-10", bytes(range(32)))
NOVEMBER = Identity("2026-11", bytes(range(1, 33)))
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(params=KEYRINGS)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Keyring]:
    """The same keyring as a fresh process finds it."""
    return lambda: KEYRINGS[request.param](tmp_path)


def test_what_is_added_is_there(make: Callable[[], Keyring]) -> None:
    """Also for the next process, in the order of the months."""
    make().add([NOVEMBER, OCTOBER], NOW)
    assert make().key_ids() == ["2026-10", "2026-11"]
    assert [make().of(key_id) for key_id in make().key_ids()] == [OCTOBER, NOVEMBER]


def test_a_key_is_never_replaced(make: Callable[[], Keyring]) -> None:
    """A private key written over is a month of recordings lost."""
    make().add([NOVEMBER], NOW)
    with pytest.raises(KeyInvalid, match="2026-11"):
        make().add([Identity("2026-11", bytes(32))], NOW)
    assert make().of("2026-11") == NOVEMBER


def test_what_is_destroyed_is_gone_alone(make: Callable[[], Keyring]) -> None:
    """That key, no other; and destroying is repeated after a crash without harm."""
    make().destroy("2026-09")
    make().add([OCTOBER, NOVEMBER], NOW)
    for _ in range(2):
        make().destroy("2026-10")
    assert make().key_ids() == ["2026-11"]
    for act in (make().of, make().not_before):
        with pytest.raises(KeyMissing):
            act("2026-10")
    assert make().of("2026-11") == NOVEMBER


@pytest.mark.parametrize("key_id", ["../x", "2026-13", "", "\u0662026-11", "2026-11/x"])
def test_a_name_leads_nowhere_else(make: Callable[[], Keyring], key_id: str) -> None:
    """A name out of a database row must not lead to another file, least of all one to remove."""
    keyring = make()
    for act in (keyring.of, keyring.not_before, keyring.destroy):
        with pytest.raises(KeyInvalid):
            act(key_id)


@pytest.mark.parametrize(
    ("key_id", "expected"),
    [
        ("2026-11", datetime(2028, 11, 29, 16, tzinfo=UTC)),  # 730 days after 1 December, in China
        ("2026-12", datetime(2028, 12, 30, 16, tzinfo=UTC)),  # a leap year's day came between
        ("2024-01", datetime(2026, 1, 30, 16, tzinfo=UTC)),
    ],
)
def test_two_years_after_its_month(
    make: Callable[[], Keyring], key_id: str, expected: datetime
) -> None:
    """The floor of 730 days counts from the last moment a call of that month may have begun."""
    make().add([Identity(key_id, bytes(range(32)))], NOW)
    assert make().not_before(key_id) == int(expected.timestamp()) * 1_000_000


@pytest.mark.parametrize("room_for", [0, 40, 130])
def test_a_full_disk_leaves_no_half_of_a_key(tmp_path: Path, room_for: int) -> None:
    """A torn private file would stand in the way of that month's key for ever."""
    whole = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room_for, whole[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            new_pair(tmp_path, "2026-11", now=NOW)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, whole)
    made = new_pair(tmp_path, "2026-11", now=NOW)
    assert Recipients(tmp_path).of("2026-11") == made
    assert [path.name for path in (tmp_path / "private").iterdir()] == ["2026-11.agekey"]


VICTIMS = """
import os, sys
from pathlib import Path
from recordings.keyring import new_pair
from tests.integration.recordings.faults import StepDisk, Steps, kill_self
for fatal in range(1, 100):
    if (child := os.fork()) == 0:
        disk = StepDisk(Steps(fatal, kill_self))
        new_pair(Path(sys.argv[1]) / str(fatal), "2026-11", now=1, disk=disk)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        break
print(fatal)
"""


def test_killed_at_every_step_of_making_a_pair(tmp_path: Path) -> None:
    """The next try finishes it: the month has a pair, both halves of one another, nothing else."""
    told = subprocess.run([sys.executable, "-c", VICTIMS, tmp_path], cwd=ROOT, check=True,
                          capture_output=True, text=True, timeout=60)  # fmt: skip
    steps = int(told.stdout)
    assert steps > 10
    for fatal in range(1, steps):
        place = tmp_path / str(fatal)
        there = Recipients(place).key_ids()
        made = Recipients(place).of(*there) if there else new_pair(place, "2026-11", now=NOW)
        secret = Identities(place).of("2026-11").secret
        assert sealed.public_of(secret) == made.public
        files = sorted(path.name for path in place.rglob("*") if path.is_file())
        assert files == ["2026-11.age-recipient", "2026-11.agekey"], fatal
