"""A disk that keeps, at a power cut, only what was synced.

A file not synced since its last write loses its second half; a name not synced into its directory
is gone; a removal not synced may not have happened, so it is undone.  The database is taken at its
word (SQLite with synchronous=FULL, PostgreSQL with fsync).
"""

import os
from pathlib import Path
from typing import BinaryIO

from tests.integration.recordings.faults import StepDisk, Steps


class PowerCut(BaseException):
    """The process is gone: nothing in it may catch this and go on."""


class VolatileDisk(StepDisk):
    """The real disk, with a memory of what is not durable yet."""

    def __init__(self, root: Path) -> None:
        super().__init__(Steps(0, lambda: None))
        self._root = root
        self._off = False
        self._dirty: set[int] = set()  # inodes
        self._names: set[Path] = set()
        self._removed: dict[Path, bytes] = {}

    def cut(self) -> None:
        self._off = True
        raise PowerCut

    def create(self, path: Path) -> BinaryIO:
        self._on()
        file = super().create(path)
        self._names.add(path)
        self._dirty.add(path.stat().st_ino)
        return file

    def write(self, file: BinaryIO, data: bytes | memoryview) -> None:
        self._on()
        super().write(file, data)

    def sync(self, file: BinaryIO) -> None:
        self._on()
        super().sync(file)
        self._dirty.discard(os.fstat(file.fileno()).st_ino)

    def sync_directory(self, path: Path) -> None:
        self._on()
        super().sync_directory(path)
        self._names = {name for name in self._names if name.parent != path}
        self._removed = {p: held for p, held in self._removed.items() if p.parent != path}

    def publish(self, temporary: Path, path: Path) -> None:
        self._on()
        super().publish(temporary, path)
        self._names.add(path)

    def remove(self, path: Path) -> None:
        self._on()
        held = path.read_bytes()
        super().remove(path)
        if path in self._names:
            self._names.discard(path)
        else:
            self._removed[path] = held

    def lose_what_was_not_synced(self) -> None:
        """The machine comes up again."""
        for path in self._names:
            path.unlink(missing_ok=True)
        for path, held in self._removed.items():
            path.write_bytes(held)
        for path in self._root.rglob("*"):
            if path.is_file() and path.stat().st_ino in self._dirty:
                os.truncate(path, path.stat().st_size // 2)

    def _on(self) -> None:
        if self._off:
            raise PowerCut
