"""The few acts on a disk that durability hangs on, each in one place.

Capture and store change the disk only through a `Disk`, one method a step, so that a test can let
step 1, 2, 3 … fail or kill the process there and look at what is left.  What always holds: a name
that `publish` made was not there before, and what `sync` and `sync_directory` returned from
survives a power cut as far as the kernel and the disk keep their word.
"""

import errno
import fcntl
import os
import signal
from pathlib import Path
from typing import BinaryIO

_F_SETSIG = 10  # Linux; the fcntl module does not name it


class Disk:
    """The real disk."""

    def create(self, path: Path) -> BinaryIO:
        """Open a new file for writing, unbuffered; FileExistsError where there is one."""
        return open(path, "xb", buffering=0)  # noqa: PTH123  a flag Path.open has not: none lost

    def write(self, file: BinaryIO, data: bytes | memoryview) -> None:
        """Write all of `data`; a full disk raises OSError, having written a part."""
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]

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

    def make_directories(self, path: Path) -> None:
        """Make a directory and those above it, each one's name synced into its parent."""
        missing = [p for p in (path, *path.parents) if not p.exists()]
        for directory in reversed(missing):
            directory.mkdir(exist_ok=True)
            self.sync_directory(directory.parent)

    def publish(self, temporary: Path, path: Path) -> None:
        """Give a finished file its name; FileExistsError where the name is taken.

        A link and not a rename: a rename would silently replace what is there.
        """
        os.link(temporary, path)

    def remove(self, path: Path) -> None:
        """Remove a name; FileNotFoundError where there is none."""
        path.unlink()


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
