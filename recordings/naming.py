"""Names: of a recording, of its objects in the store, and the moment a name tells.

Pure.  A WAV is named by the PBX after the UNIQUEID of the recorded channel and nothing else (a
caller's data in a file name is command injection on the PBX).  Objects are fanned out by the day
in China the recording began, then by PBX: two PBXs may hand out the same UNIQUEID.
"""

import re
from datetime import datetime

from recordings.errors import CaptureError
from recordings.keys import CHINA

HEADER = ".header"
PAYLOAD = ".payload"
PEAKS = ".peaks"

_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,149}")
_OBJECT = re.compile(r"(?:.*/)?(.+)-[0-9a-f]{8}(?:\.[a-z]+(?:-\d+)?)?")
_EPOCH = re.compile(r"(?:^|-)(\d{9,11})\.\d+$")
_YEAR_2000 = 946_684_800


def is_safe(name: str) -> bool:
    """Whether the name is one a PBX gives: fit for a path, a row and a log line."""
    return _SAFE.fullmatch(name) is not None


def checked(name: str) -> str:
    """The name, if it is safe; raises CaptureError `name_unsafe` for any other."""
    if not is_safe(name):
        raise CaptureError(
            "name_unsafe",
            "录音文件名不是 UNIQUEID，请检查拨号方案。 "
            "The WAV is not named by a UNIQUEID: check the dialplan.",
        )
    return name


def recorded_at(name: str, last_change: int, duration_ms: int) -> int:
    """When the recording began, µs UTC: what a UNIQUEID says (epoch.sequence, maybe after a
    system name), else the file's last change less its duration.

    A UNIQUEID that lies after the file's last change is not believed.
    """
    found = _EPOCH.search(name)
    if found and _YEAR_2000 < int(found[1]) <= last_change // 1_000_000 + 1:
        return int(found[1]) * 1_000_000
    return last_change - duration_ms * 1000


def directory(pbx: str, at: int) -> str:
    """Where in the store the objects of one PBX and one day in China lie."""
    return f"{datetime.fromtimestamp(at / 1_000_000, tz=CHINA):%Y/%m/%d}/{pbx}"


def object_key(pbx: str, name: str, at: int, random: bytes) -> str:
    """The key of a recording's objects, without HEADER, PAYLOAD or PEAKS; `random` is 4 bytes."""
    return f"{directory(pbx, at)}/{name}-{random.hex()}"


def header_of(object_key: str, version: int) -> str:
    """The key of the header object that counts: a re-wrapped header is a new object, numbered
    from 2 on (FORMAT.md section 5)."""
    return object_key + HEADER + (f"-{version}" if version > 1 else "")


def name_in(key: str) -> str:
    """The recording's name in the key of its objects or of one of them; empty where it is none."""
    found = _OBJECT.fullmatch(key)
    return found[1] if found else ""


def pbx_in(object_key: str) -> str:
    """The PBX's name in a recording's object key, or in the key of one of its objects."""
    return object_key.rpartition("/")[0].rpartition("/")[2]
