"""The store in a directory: objects written once, never overwritten (place.py says what holds).

An object is a key (`2026/11/23/main/1763840000.12-9f1c2b3a.payload`) and bytes.  It is written
beside the tree under `.partial/`, synced, then linked to its name, and the directory synced: a
key either names the whole object or nothing.  What always holds: `publish` never replaces an
object (put-if-absent), and no key leads out of the root.  Whose directory it is, and how much room
is left, is not asked here.
"""

import heapq
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from recordings.disk import Disk, reread
from recordings.errors import ObjectExists, ObjectMissing, StoreError

_KEY = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._-]*/)*[A-Za-z0-9_][A-Za-z0-9._-]*")
_PARTIAL = ".partial"
_AT_ONCE = 4096
"""Names of one directory held in memory while it is listed; a day of a busy PBX has fewer."""


class DirectoryUpload:
    """An object under way, as a file beside the tree."""

    def __init__(self, disk: Disk, temporary: Path, path: Path) -> None:
        self._disk, self._temporary, self._path = disk, temporary, path
        self._file: BinaryIO = disk.create(temporary)
        self._held, self._settled = bytearray(), 0

    def write(self, data: bytes | memoryview) -> None:
        """Append to the object."""
        self._disk.write(self._file, data)

    def reread(self, at: int, size: int) -> bytearray:
        """What was written at `at`, as the file holds it now."""
        self._held = reread(self._file, at, size, self._held)
        return self._held

    def settle(self) -> None:
        """Have the file's bytes go to the disk while the next ones are made."""
        self._settled = self._disk.settle(self._file, self._settled)

    def publish(self) -> None:
        """Make the object durable and visible; raises ObjectExists where the key is taken."""
        self._disk.sync(self._file)
        self._file.close()
        self._disk.make_directories(self._path.parent)
        try:
            self._disk.publish(self._temporary, self._path)
        except FileExistsError as error:
            raise ObjectExists(
                f"存储中已有此对象：{self._path.name}。 "
                f"The store has this object already: {self._path.name}."
            ) from error
        self._disk.sync_directory(self._path.parent)

    def discard(self) -> None:
        """Remove the temporary name, published or not; failing to is no failure of the object."""
        self._file.close()
        with suppress(OSError):
            self._disk.remove(self._temporary)


class DirectoryStore:
    """A store in a directory of a local file system."""

    def __init__(self, root: Path, disk: Disk | None = None) -> None:
        self._root = root
        self._disk = disk or Disk()

    @contextmanager
    def upload(self, key: str) -> Iterator[DirectoryUpload]:
        """Write an object: `upload.write(…)`, then `upload.publish()`; without it nothing stays."""
        path = self._path(key)
        self._disk.make_directories(self._root / _PARTIAL)
        upload = DirectoryUpload(self._disk, self._root / _PARTIAL / os.urandom(12).hex(), path)
        try:
            yield upload
        finally:
            upload.discard()

    def put(self, key: str, data: bytes) -> None:
        """Write a small object whole; raises ObjectExists."""
        with self.upload(key) as upload:
            upload.write(data)
            upload.publish()

    def size(self, key: str) -> int:
        """Bytes of the object; raises ObjectMissing."""
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError as error:
            raise _missing(key) from error

    def read_at(self, key: str, start: int, stop: int) -> bytes:
        """The bytes [start, stop), fewer where the object ends before; raises ObjectMissing."""
        with self.reader(key) as read:
            return read(start, stop)

    @contextmanager
    def reader(self, key: str) -> Iterator[Callable[[int, int], bytes]]:
        """`read_at` of one object on one descriptor; raises ObjectMissing on entering."""
        with self.open(key) as file:
            yield lambda start, stop: os.pread(file.fileno(), stop - start, start)

    def open(self, key: str) -> FileIO:
        """The object as an unbuffered file for reading; raises ObjectMissing."""
        try:
            return open(self._path(key), "rb", buffering=0)  # noqa: PTH123  unbuffered: FileIO
        except FileNotFoundError as error:
            raise _missing(key) from error

    def remove(self, key: str) -> None:
        """Remove an object; raises ObjectMissing."""
        path = self._path(key)
        try:
            self._disk.remove(path)
        except FileNotFoundError as error:
            raise _missing(key) from error
        self._disk.sync_directory(path.parent)

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """The keys below a directory of the store ("": of all), greater than `after`, ascending."""
        base = self._path(prefix) if prefix else self._root
        return self._below(base, f"{prefix}/" if prefix else "", after)

    def _below(self, directory: Path, prefix: str, after: str) -> Iterator[str]:
        """A directory is listed anew for each _AT_ONCE of its names, so that memory is bounded."""
        last, page = "", [""] * _AT_ONCE
        while len(page) == _AT_ONCE:
            ahead = (name for name in _names(directory, prefix, after) if name > last)
            page = heapq.nsmallest(_AT_ONCE, ahead)
            for last in page:
                if last.endswith("/"):
                    yield from self._below(self._root / last, last, after)
                else:
                    yield last

    def remove_partials(self, before: int) -> int:
        """Remove what uploads left behind that died before `before` (µs); returns how many.

        What lies there is sealed already, or a part of it: no plaintext was ever in it.
        """
        count = 0
        for path in (self._root / _PARTIAL).glob("*"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime_ns // 1000 < before:
                    self._disk.remove(path)
                    count += 1
        return count

    def _path(self, key: str) -> Path:
        return self._root / checked(key)


def checked(key: str) -> str:
    """The key, if it is one; raises StoreError for what might lead elsewhere."""
    if not _KEY.fullmatch(key):
        raise StoreError(f"对象名不合法：{key!r}。 Not a key of an object: {key!r}.")
    return key


def _names(directory: Path, prefix: str, after: str) -> Iterator[str]:
    """The keys right in a directory, and the directories in it with a `/` at their end, that are
    or may hold a key greater than `after`; in no order."""
    try:
        entries = os.scandir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return
    with entries:
        for entry in entries:
            if not _KEY.fullmatch(entry.name):
                continue
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                if f"{name}/" > after or after.startswith(f"{name}/"):
                    yield f"{name}/"
            elif name > after and entry.is_file():
                yield name


def _missing(key: str) -> ObjectMissing:
    return ObjectMissing(
        f"存储中没有此对象：{key}，请查备份。 The store lacks {key}: look into the backup."
    )
