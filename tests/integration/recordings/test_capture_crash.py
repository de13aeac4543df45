"""Capture fails at step 1, 2, 3 … until it succeeds: nothing is lost, and the next start finishes.

Each fsync, link, commit, unlink, create and write is a step, with a point before and after it.
"""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.recordings.faults import (
    CALL,
    NAME,
    StepDisk,
    Steps,
    fail_with_io_error,
    log_it,
    next_start_finishes,
    nothing_is_lost,
    step_room,
)
from tests.integration.recordings.power import PowerCut, VolatileDisk
from tests.unit.recordings.room import SECOND, Room

ROOT = Path(__file__).parents[3]
LEAST = 50  # points a capture passes at the very least; fewer means the faults missed it
MOST = 200


@pytest.fixture
def fresh(tmp_path: Path) -> Callable[[], Path]:
    """A directory with one finished WAV in the spool, as often as it is asked for."""
    room = Room(tmp_path / "template")
    room.put(NAME, CALL)
    room.engine.dispose()

    def copy() -> Path:
        shutil.rmtree(tmp_path / "room", ignore_errors=True)
        return Path(shutil.copytree(room.directory, tmp_path / "room"))

    return copy


@contextmanager
def victims() -> Iterator[Callable[[Path, int], int]]:
    """Capturing processes on demand: `die(directory, fatal)` gives the exit status of one."""
    command = [sys.executable, "-m", "tests.integration.recordings.faults"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin
        assert server.stdout
        talk, listen = server.stdin, server.stdout

        def die(directory: Path, fatal: int) -> int:
            talk.write(f"{directory} {fatal}\n")
            talk.flush()
            return int(listen.readline())

        yield die
        talk.close()


def test_killed_at_every_point(fresh: Callable[[], Path]) -> None:
    """kill -9 at each point, in a process of its own; then a fresh process does the rest."""
    with victims() as die:
        for fatal in range(1, MOST):
            directory = fresh()
            status = die(directory, fatal)
            if status == 0:
                break
            assert status == -signal.SIGKILL
            nothing_is_lost(directory)
            next_start_finishes(directory)
    passed = (directory / "passed").read_text().split("\n")
    assert len(passed) == fatal - 1 > LEAST
    assert {"after fsync", "after link", "after commit", "after unlink"} <= set(passed)
    next_start_finishes(directory)


def test_an_error_at_every_point(fresh: Callable[[], Path]) -> None:
    """The disk or database fails once at each point: noted or done, and the same process, trying
    again later, finishes."""
    for fatal in range(1, MOST):
        directory = fresh()
        steps = Steps(fatal, fail_with_io_error)
        room = step_room(directory, steps)
        capture = room.capture(log_it)
        try:
            capture.once()
        except OSError:
            assert steps.passed[-1].endswith("commit")  # the look-up before anything is done
        points, steps.fatal = len(steps.passed), 0
        assert room.troubles() or room.rows() or steps.passed[-1].endswith("commit")
        nothing_is_lost(directory)
        room.now += 60 * SECOND
        capture.once()
        room.engine.dispose()
        next_start_finishes(directory)
        if points < fatal:
            break
    assert fatal > LEAST


def test_a_power_cut_at_every_point(fresh: Callable[[], Path]) -> None:
    """What was not synced is gone with the power: halves of files, names, even removals."""
    for fatal in range(1, MOST):
        directory = fresh()
        disk = VolatileDisk(directory)
        steps = Steps(fatal, disk.cut)
        disk.steps = steps
        room = step_room(directory, steps, disk)
        try:
            room.capture(log_it).once()
        except PowerCut:
            disk.lose_what_was_not_synced()
        room.engine.dispose()
        nothing_is_lost(directory)
        next_start_finishes(directory)
        if len(steps.passed) < fatal:
            break
    assert fatal > LEAST


def test_the_faults_are_real(fresh: Callable[[], Path]) -> None:
    """A disk that forgets to sync loses the recording under the same test: the test can fail."""

    class Careless(VolatileDisk):
        def sync(self, file: object) -> None:
            pass

    directory = fresh()
    disk = Careless(directory)
    room = step_room(directory, Steps(0, lambda: None), disk)
    disk.steps = Steps(0, lambda: None)
    room.capture(log_it).once()
    disk.lose_what_was_not_synced()
    room.engine.dispose()
    lost = False
    try:
        nothing_is_lost(directory)
    except Exception:  # noqa: BLE001  whichever way the loss shows
        lost = True
    assert lost
    assert isinstance(disk, StepDisk)
