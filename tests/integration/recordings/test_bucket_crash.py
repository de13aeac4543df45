"""Capture fails at step 1, 2, 3 … with a bucket for a store: nothing is lost, the next start
finishes.

The steps are those of `test_capture_crash.py` on the spool and the database, and each request that
changes the bucket, with a point before and after it. What a request did to the bucket stays done,
whatever dies here: there is no power cut of somebody else's machine to be tried.
"""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recordings.bucket import Access, BucketStore, BucketUpload
from recordings.errors import StoreError
from tests.integration.recordings.faults import (
    CALL,
    NAME,
    StepDisk,
    StepRoom,
    Steps,
    fail_with_io_error,
    kill_self,
    log_it,
    next_start_finishes,
    nothing_is_lost,
    serve_victims,
)
from tests.integration.recordings.test_capture_crash import victims
from tests.rig.s3 import REGION, S3
from tests.unit.recordings.room import SECOND, Room

LEAST = 14
MOST = 100


class StepUpload:
    """An upload with a point around each of its acts."""

    def __init__(self, upload: BucketUpload, steps: Steps) -> None:
        self._upload, self._steps = upload, steps

    def write(self, data: bytes | memoryview) -> None:
        self._steps("before part")
        self._upload.write(data)

    def reread(self, at: int, size: int) -> None:
        self._upload.reread(at, size)

    def settle(self) -> None:
        self._upload.settle()

    def publish(self) -> None:
        self._steps("before publish")
        self._upload.publish()
        self._steps("after publish")


class StepBucket(BucketStore):
    """A bucket with a point before and after each request that changes it."""

    steps: Steps

    @contextmanager
    def upload(self, key: str) -> Iterator[StepUpload]:  # type: ignore[override]
        with super().upload(key) as upload:
            yield StepUpload(upload, self.steps)

    def remove(self, key: str) -> None:
        self.steps("before removal")
        super().remove(key)
        self.steps("after removal")


def bucket_room(directory: Path) -> Room:
    """A room whose store is the bucket its directory names, as a fresh process finds it."""
    room = Room(directory)
    url, endpoint = (directory / "bucket").read_text().split()
    room.store = BucketStore(url, access(endpoint))
    return room


def step_room(directory: Path, steps: Steps) -> StepRoom:
    """The same, whose capture passes through `steps`."""
    StepRoom.steps = Steps(0, lambda: None)
    room = StepRoom(directory, disk=StepDisk(steps))
    url, endpoint = (directory / "bucket").read_text().split()
    store = StepBucket(url, access(endpoint))
    store.steps = room.steps = steps
    room.store = store
    return room


def access(endpoint: str) -> Access:
    return Access(endpoint, REGION, "AKIATEST", "s3cret-key")


@pytest.fixture
def fresh(tmp_path: Path, s3: S3) -> Callable[[], Path]:
    """A directory with one finished WAV in the spool and a bucket, as often as it is asked for."""
    room = Room(tmp_path / "template")
    room.put(NAME, CALL)
    room.engine.dispose()

    def copy() -> Path:
        shutil.rmtree(tmp_path / "room", ignore_errors=True)
        made = Path(shutil.copytree(room.directory, tmp_path / "room"))
        (made / "bucket").write_text(f"{s3.bucket(f'h-{os.urandom(6).hex()}')} {s3.endpoint}")
        return made

    return copy


@pytest.mark.timeout(400)
def test_killed_at_every_point(fresh: Callable[[], Path]) -> None:
    """kill -9 at each point, in a process of its own; then a fresh process does the rest."""
    with victims("tests.integration.recordings.test_bucket_crash") as die:
        for fatal in range(1, MOST):
            directory = fresh()
            status = die(directory, fatal)
            if status == 0:
                break
            assert status == -signal.SIGKILL
            nothing_is_lost(directory, bucket_room)
            next_start_finishes(directory, bucket_room)
    passed = (directory / "passed").read_text().split("\n")
    assert len(passed) == fatal - 1 > LEAST
    assert passed.count("after publish") == 3  # payload, peaks, header
    assert {"after commit", "after unlink"} <= set(passed)
    next_start_finishes(directory, bucket_room)


def fail(steps: Steps) -> None:
    """As it fails there: the bucket with an error of ours, disk and database with their own."""
    if steps.passed[-1].endswith(("part", "publish", "removal")):
        raise StoreError("存储桶无法使用。 The bucket cannot be used.")
    fail_with_io_error()


@pytest.mark.timeout(400)
def test_an_error_at_every_point(fresh: Callable[[], Path]) -> None:
    """The bucket, the disk or the database fails once at each point, also after it did what was
    asked: noted or done, and the same process, trying again later, finishes."""
    for fatal in range(1, MOST):
        directory = fresh()
        steps = Steps(fatal, lambda: fail(steps))  # noqa: B023  called before the next round
        room = step_room(directory, steps)
        capture = room.capture(log_it)
        try:
            capture.once()
        except OSError:
            assert steps.passed[-1].endswith("commit")  # the look-up before anything is done
        points, steps.fatal = len(steps.passed), 0
        nothing_is_lost(directory, bucket_room)
        room.now += 60 * SECOND
        capture.once()
        room.engine.dispose()
        next_start_finishes(directory, bucket_room)
        if points < fatal:
            break
    assert fatal > LEAST


def capture_and_die(directory: Path, fatal: int) -> None:
    """A capturing process that is killed at point `fatal`."""
    steps = Steps(fatal, kill_self)
    step_room(directory, steps).capture(log_it).once()
    (directory / "passed").write_text("\n".join(steps.passed))


if __name__ == "__main__":
    serve_victims(capture_and_die)
