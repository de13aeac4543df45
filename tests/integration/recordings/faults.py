"""Faults put where they happen: at each step on the disk and around each commit, one by one.

A `Steps` counts the points a capture passes and acts at the chosen one: an I/O error, SIGKILL, or
a power cut that takes with it whatever was not synced.  A point lies before and after every step.
"""

import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sqlalchemy.orm import Session

from recordings import audit, orphans, verifying
from recordings.disk import Disk
from recordings.tables import RecordingRow
from tests.unit.recordings.room import PBX, SECOND, Room, grant_for, wav

NAME = "1795400000.1"
CALL = wav(9, seed=5)  # three chunks


class Steps:
    """Counts points; at number `fatal` it acts."""

    def __init__(self, fatal: int, act: Callable[[], None]) -> None:
        self.fatal, self.act, self.passed = fatal, act, list[str]()

    def __call__(self, name: str) -> None:
        self.passed.append(name)
        if len(self.passed) == self.fatal:
            self.act()


class StepDisk(Disk):
    """The real disk, with a point before and after each step."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps

    @contextmanager
    def _around(self, name: str) -> Iterator[None]:
        self.steps(f"before {name}")
        yield
        self.steps(f"after {name}")

    def create(self, path: Path) -> BinaryIO:
        self.steps("before create")  # after it is before the first write
        return super().create(path)

    def create_unnamed(self, directory: Path, mode: int) -> BinaryIO:
        self.steps("before create")
        return super().create_unnamed(directory, mode)

    def name(self, file: BinaryIO, path: Path) -> None:
        with self._around("name"):
            super().name(file, path)

    def write(self, file: BinaryIO, data: bytes | memoryview) -> None:
        with self._around("write"):
            super().write(file, data)

    def sync(self, file: BinaryIO) -> None:
        with self._around("fsync"):
            super().sync(file)

    def sync_directory(self, path: Path) -> None:
        with self._around("fsync of directory"):
            super().sync_directory(path)

    def publish(self, temporary: Path, path: Path) -> None:
        with self._around("link"):
            super().publish(temporary, path)

    def replace(self, temporary: Path, path: Path) -> None:
        with self._around("rename"):
            super().replace(temporary, path)

    def remove(self, path: Path) -> None:
        with self._around("unlink"):
            super().remove(path)


class StepRoom(Room):
    """A room whose commits are points too."""

    steps: Steps

    @contextmanager
    def begin(self) -> Iterator[Session]:
        with Session(self.engine, expire_on_commit=False) as session:
            yield session
            self.steps("before commit")
            session.commit()
            self.steps("after commit")


def step_room(directory: Path, steps: Steps, disk: Disk | None = None) -> StepRoom:
    """A room on `directory` as it is, whose capture passes through `steps`."""
    quiet = Steps(0, lambda: None)
    StepRoom.steps = quiet
    room = StepRoom(directory, disk=disk or StepDisk(steps))
    room.steps = steps
    return room


def log_it(session: Session, row: RecordingRow) -> None:
    """What the gateway hangs on the row's transaction: here, a line in the log."""
    audit.append(
        session,
        "recordings:recording:seal",
        actor="capture",
        origin="",
        obj=f"recording:{row.id}",
        outcome="ok",
        at=row.sealed_at,
    )


def fail_with_io_error() -> None:
    raise OSError(errno.EIO, "Input/output error")


def kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def capture_and_die(directory: Path, fatal: int) -> None:
    """A capturing process that is killed at point `fatal`; exits 0 when it was not."""
    room = step_room(directory, steps := Steps(fatal, kill_self))
    room.capture(log_it).once()
    (directory / "passed").write_text("\n".join(steps.passed))


def serve_victims(die: Callable[[Path, int], object] = capture_and_die) -> None:
    """Read `directory fatal` lines; fork a process that dies so for each and print how it ended.

    A program of its own, because a fork of a test runner with threads is no clean process.
    """
    for line in sys.stdin:
        directory, fatal = line.rsplit(" ", 1)
        child = os.fork()
        if child == 0:
            die(Path(directory), int(fatal))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201  the answer


def nothing_is_lost(directory: Path, room_of: Callable[[Path], Room] = Room) -> None:
    """Whatever happened: the WAV is whole, or a row and its objects are."""
    room = room_of(directory)
    left = [path.read_bytes() for path in room.wavs()]
    heard = [room.played(row) for row in room.rows()]
    assert all(room.playback().peaks(row, grant_for(row)) for row in room.rows())
    assert CALL in left or heard == [CALL], (left, heard)
    assert room.plaintext(CALL) == []
    room.engine.dispose()


def next_start_finishes(directory: Path, room_of: Callable[[Path], Room] = Room) -> None:
    """A fresh process: one row, one log line, the WAV gone, no orphan, no trouble, no plaintext."""
    room = room_of(directory)
    room.now += 3600 * SECOND
    room.capture(log_it).once()
    orphans.tidy(room.store, room.begin, PBX, room.now)
    (row,) = room.rows()
    assert room.wavs() == []
    assert room.troubles() == {}
    assert room.played(row) == CALL
    assert room.playback().peaks(row, grant_for(row))
    assert len(list(room.store.keys("2026"))) == 3  # payload, peaks, header
    assert {key.rpartition(".")[0] for key in room.store.keys("2026")} == {row.object_key}
    assert room.plaintext(CALL) == []
    with room.begin() as session:
        assert len(audit.page(session)) == 1
        assert verifying.verify(session).ok
    room.engine.dispose()


if __name__ == "__main__":
    serve_victims()
