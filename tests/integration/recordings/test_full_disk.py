"""A full disk: the WAV stays, the list says so, and with room made it is sealed."""

import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from recordings.store import DirectoryStore
from tests.rig.needs import missing
from tests.unit.recordings.room import SECOND, Room, wav

NAME = "1795400000.1"
CALL = wav(60, seed=5)  # almost a megabyte


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of half a megabyte."""
    mount = tmp_path / "small"
    mount.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", mount],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        missing("mount(8)", "run as root to mount a small tmpfs 用 root 运行")
    yield mount
    subprocess.run(["umount", mount], check=True)


def test_the_store_is_full(room: Room, small_disk: Path) -> None:
    """A really full file system: nothing half-written stays on it, and the call is not lost."""
    room.store = DirectoryStore(small_disk / "store", room.disk)
    room.root = small_disk / "store"
    path = room.put(NAME, CALL)
    capture = room.capture()
    for tries in (1, 2):
        assert capture.once() == []
        assert path.read_bytes() == CALL
        assert room.troubles() == {NAME: "store_full"}
        assert room.rows() == []
        assert [p for p in small_disk.rglob("*") if p.is_file()] == []
        room.now += 60 * SECOND * tries
    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    assert len(capture.once()) == 1
    assert room.played(room.rows()[0]) == CALL
    assert (room.wavs(), room.troubles()) == ([], {})


def test_payload_fits_and_header_does_not(room: Room, small_disk: Path) -> None:
    """The disk fills between the two objects: the payload is taken back, not left to pile up."""
    room.store = DirectoryStore(small_disk / "store", room.disk)
    room.root = small_disk / "store"
    payload = wav(20, seed=6)
    room.put(NAME, payload)
    sealed_pages = -(-(len(payload) + 16 * 6 + 16) // 4096)
    (small_disk / "ballast").write_bytes(bytes(4096 * (128 - sealed_pages)))
    capture = room.capture()
    assert capture.once() == []
    assert room.troubles() == {NAME: "store_full"}
    assert [p.name for p in small_disk.rglob("*") if p.is_file()] == ["ballast"]
    (small_disk / "ballast").unlink()
    room.now += 60 * SECOND
    assert len(capture.once()) == 1
    assert room.played(room.rows()[0]) == payload


def test_a_limit_on_file_size(room: Room) -> None:
    """The same by a limit of the process, where no file system can be made."""
    room.put(NAME, CALL)
    capture = room.capture()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, hard))
    try:
        assert capture.once() == []
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert room.troubles() == {NAME: "store_full"}
    assert room.wavs()
    room.now += 60 * SECOND
    assert len(capture.once()) == 1
    assert room.played(room.rows()[0]) == CALL
