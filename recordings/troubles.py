"""Why a WAV could not be sealed, in the words the list of troubles shows.

Pure.  Each text says what to do; none names a caller, and of an error from elsewhere only its
kind or the system's own words are told.
"""

import errno

from recordings.errors import CaptureError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def vanished() -> CaptureError:
    """Seen in the spool, and gone before it was opened."""
    return CaptureError(
        "vanished",
        "录音文件在封存前消失，请查 PBX 和磁盘。 "
        "The WAV vanished before it was sealed: look at the PBX and its disk.",
    )


def unreadable(error: object) -> CaptureError:
    """It is there and cannot be read."""
    return CaptureError(
        "wav_unreadable",
        f"录音文件读不出来，请检查权限和磁盘（{error}）。 "
        f"The WAV cannot be read: check rights and disk ({error}).",
    )


def name_reused() -> CaptureError:
    """Its name is catalogued with other content."""
    return CaptureError(
        "name_reused",
        "同名录音已入库但内容不同，文件保留待查。 "
        "A recording of this name is catalogued with other content; the WAV is kept.",
    )


def store_failed(error: OSError) -> CaptureError:
    """The store took it not, or not wholly."""
    if error.errno in _FULL:
        return CaptureError(
            "store_full",
            "存储已满，录音保留在暂存区，请腾出空间。 "
            "The store is full; the WAV waits in the spool: make room.",
        )
    return CaptureError(
        "store_failed",
        f"存储写入失败，请检查磁盘（{error.strerror}）。 "
        f"The store cannot be written: check the disk ({error.strerror}).",
    )


def not_committed(error: Exception) -> CaptureError:
    """Sealed and stored, but its row, or what hangs on it, was not taken."""
    return CaptureError(
        "not_committed",
        f"录音已封存但未能入库，稍后重试（{type(error).__name__}）。 "
        f"Sealed, but not catalogued; it is tried again ({type(error).__name__}).",
    )


def not_removed(error: OSError) -> CaptureError:
    """All is done but the removal of the plaintext."""
    return CaptureError(
        "not_removed",
        f"录音已封存入库，但明文删不掉，请检查暂存区权限（{error.strerror}）。 "
        "Sealed and catalogued, but the WAV cannot be removed: check the spool's rights "
        f"({error.strerror}).",
    )
