"""The few acts on a disk that durability hangs on, each in one place.

Capture and store change the disk only through a `Disk`, one method a step, so that a test can let
step 1, 2, 3 … fail or kill the process there and look at what is left.  What always holds: a name
that `publish` or `name` made was not there before, and what `sync` and `sync_directory` returned
from survives a power cut as far as the kernel and the disk keep their word.
"""

import errno
import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_F_SETSIG = 10  # Linux; the fcntl module does not name it
_NO_UNNAMED = (errno.EOPNOTSUPP, errno.EISDIR)  # open(2), O_TMPFILE: the file system, the kernel


class Disk:
    """The real disk."""

    def create(self, path: Path) -> BinaryIO:
        """Open a new file, unbuffered; FileExistsError where there is one."""
        return open(path, "x+b", buffering=0)  # noqa: PTH123  a flag Path.open has not: none lost

    def create_unnamed(self, directory: Path, mode: int) -> BinaryIO:
        """Open a new file that has no name yet: killed before `name`, nothing is left of it.

        OSError (EOPNOTSUPP, EISDIR) where file system or kernel know of no such files.
        """
        descriptor = os.open(directory, os.O_TMPFILE | os.O_RDWR, mode)
        return open(descriptor, "w+b", buffering=0)  # noqa: PTH123  a descriptor

    def name(self, file: BinaryIO, path: Path) -> None:
        """Give a file of `create_unnamed` its name; FileExistsError where the name is taken."""
        # `src_dir_fd` makes it linkat(2) with AT_SYMLINK_FOLLOW; link(2) would not follow /proc.
        os.link(f"/proc/self/fd/{file.fileno()}", path, src_dir_fd=file.fileno())

    def write(self, file: BinaryIO, data: bytes | memoryview) -> None:
        """Write all of `data`; a full disk raises OSError, having written a part."""
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]

    def settle(self, file: BinaryIO, since: int) -> int:
        """Have what was written from `since` on begin its way to the disk, waiting for nothing:
        `sync` ends it, and hears what failed.  Where to go on the next time."""
        # Linux starts to write back what is dirty in the range; no journal is committed for it,
        # as fdatasync(2) does each time, which on a busy machine more than doubled its work.
        until = os.fstat(file.fileno()).st_size
        os.posix_fadvise(file.fileno(), since, until - since, os.POSIX_FADV_DONTNEED)
        return until

    def sync(self, file: BinaryIO) -> None:
        """Bring a file's bytes to the disk."""
        os.fsync(file.fileno())

    def sync_directory(self, path: Path) -> None:
        """Bring a directory's names to the disk."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def make_directories(self, path: Path, mode: int = 0o777) -> None:
        """Make a directory, of that `mode`, and those above it, each one's name synced."""
        missing = [p for p in (path, *path.parents) if not p.exists()]
        for directory in reversed(missing):
            directory.mkdir(mode if directory == path else 0o777, exist_ok=True)
            self.sync_directory(directory.parent)

    def publish(self, temporary: Path, path: Path) -> None:
        """Give a finished file its name; FileExistsError where the name is taken.

        A link and not a rename: a rename would silently replace what is there.
        """
        os.link(temporary, path)

    def replace(self, temporary: Path, path: Path) -> None:
        """Give a finished file the name of an older one, in one step; only the keyring is replaced.

        Everything else that is kept is written once: `publish`.
        """
        temporary.replace(path)

    def remove(self, path: Path) -> None:
        """Remove a name; FileNotFoundError where there is none."""
        path.unlink()


@contextmanager
def whole(path: Path, mode: int = 0o600, *, disk: Disk | None = None) -> Iterator[BinaryIO]:
    """A new file that is there, whole and durable, once the block has ended well, or not at all.

    Killed at any moment it leaves nothing behind; on a file system that knows no files without a
    name, a hidden one of `mode` beside it.  FileExistsError where the name is taken.
    """
    disk, temporary = disk or Disk(), None
    try:
        file = disk.create_unnamed(path.parent, mode)
    except OSError as error:
        if error.errno not in _NO_UNNAMED:
            raise
        temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
        file = disk.create(temporary)
    try:
        if temporary:
            temporary.chmod(mode)
        yield file
        disk.sync(file)
        if temporary:
            disk.publish(temporary, path)
        else:
            disk.name(file, path)
        disk.sync_directory(path.parent)
    finally:
        file.close()
        if temporary:
            with suppress(OSError):
                disk.remove(temporary)


def reread(file: BinaryIO, at: int, size: int, held: bytearray) -> bytearray:
    """What a file holds at `at`, wherever it is being written; fewer bytes where it ends before.

    `held` is used for it where it has that size: a fresh MiB for each MiB takes as long as half of
    its hash.
    """
    if len(held) != size:
        held = bytearray(size)
    del held[os.preadv(file.fileno(), [held], at) :]
    return held


def has_writer(file: BinaryIO) -> bool | None:
    """Whether any process has this file open for writing; None where the kernel does not tell.

    Linux grants a read lease (fcntl(2), F_SETLEASE) only on a file nobody has open for writing.
    It tells the file's owner and root alone, and not on every network file system.  The lease is
    given back at once; a writer that comes in between raises SIGURG, which does nothing, instead
    of SIGIO, which would end the process.
    """
    descriptor = file.fileno()
    try:
        fcntl.fcntl(descriptor, _F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    return False


def rewrite(path: Path, data: bytes, mode: int = 0o600, *, disk: Disk | None = None) -> None:
    """Give `path` the content `data`: after a power cut it has the old or the new, never half."""
    disk = disk or Disk()
    temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    try:
        with disk.create(temporary) as file:
            temporary.chmod(mode)
            disk.write(file, data)
            disk.sync(file)
        temporary.rename(path)
        disk.sync_directory(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
