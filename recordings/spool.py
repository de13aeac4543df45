"""The PBX's spool: which WAVs are there, and whether one is finished.

Two places (DESIGN.md section 4).  `ready/` is where the PBX's post-process command renames a WAV
it has closed.  The rest of the spool is swept for what that command missed: a WAV nobody writes
to any more.  That it has not changed for a while does not tell: MixMonitor with option `b` writes
nothing while the caller waits in the queue or between two agents.  So the kernel is asked whether
anybody has the file open for writing, and only where it cannot tell, a long time has to pass.

It looks and opens; it changes nothing.
"""

import hashlib
import os
import stat
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from recordings import naming, troubles
from recordings.disk import has_writer

READY = "ready"
BLIND_SETTLE_S = 4 * 3600
"""Swept files whose writer the kernel does not show: longer than any call waits or lasts."""

BLIND_READY_S = 2
"""The same in `ready/`, where a file is complete unless a rename had to copy across disks."""


@dataclass(frozen=True, slots=True)
class Found:
    """A WAV in the spool; `swept` where the PBX did not hand it over in `ready/`."""

    path: Path
    swept: bool

    @property
    def name(self) -> str:
        """The UNIQUEID it is named by."""
        return self.path.stem

    @property
    def known_as(self) -> str:
        """The name as it may stand in a log or a row: one that is no UNIQUEID may hold a caller's
        number, or bytes no database takes, and is told by its digest."""
        if naming.is_safe(self.name):
            return self.name
        return "unsafe-" + hashlib.sha256(os.fsencode(self.name)).hexdigest()[:12]


def look(spool: Path, now: int, settle_s: int, *, sweep: bool) -> list[Found]:
    """The WAVs to be sealed, each name once, those in `ready/` first.

    `settle_s`: a swept file must have been unchanged that long.
    """
    ready = spool / READY
    found = {path.stem: Found(path, swept=False) for path in sorted(ready.rglob("*.wav"))}
    if sweep:
        for path in sorted(spool.rglob("*.wav")):
            age = _age_s(path, now)
            if not path.is_relative_to(ready) and age is not None and age >= settle_s:
                found.setdefault(path.stem, Found(path, swept=True))
    return list(found.values())


def open_wav(path: Path) -> FileIO:
    """Open a WAV for reading; raises CaptureError `vanished` or `wav_unreadable`.

    Links and pipes are refused: whoever may write to the spool must not choose what is sealed.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise troubles.vanished() from error
    except OSError as error:
        raise troubles.unreadable(error) from error
    file = open(descriptor, "rb", buffering=0)  # noqa: PTH123, SIM115  the caller closes it
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise troubles.unreadable("not a file")
    return file


def is_finished(found: Found, file: FileIO, now: int) -> bool:
    """Whether nobody writes to the open file any more."""
    writer = has_writer(file)
    if writer is None:
        age = (now - os.fstat(file.fileno()).st_mtime_ns // 1000) / 1_000_000
        return age >= (BLIND_SETTLE_S if found.swept else BLIND_READY_S)
    return not writer


def _age_s(path: Path, now: int) -> float | None:
    try:
        return (now - path.lstat().st_mtime_ns // 1000) / 1_000_000
    except FileNotFoundError:
        return None
