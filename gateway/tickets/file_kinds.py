"""What files a ticket may have: their kinds, by the end of the name and the first bytes, and names.

A closed list of what people bring as evidence. Sound is none of them: what was said on the
telephone is a recording, which goes its own way and is heard by grant alone. Pure.
"""

import re
from dataclasses import dataclass
from typing import Final

from gateway.errors import BadInput

NAME_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Kind:
    """A media type that is taken: the ends of its names, and how its bytes begin."""

    suffixes: tuple[str, ...]
    begins: bytes


KINDS: Final[dict[str, Kind]] = {
    "application/pdf": Kind((".pdf",), b"%PDF-"),
    "image/jpeg": Kind((".jpg", ".jpeg"), b"\xff\xd8\xff"),
    "image/png": Kind((".png",), b"\x89PNG\r\n\x1a\n"),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": Kind(
        (".docx",), b"PK\x03\x04"
    ),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": Kind(
        (".xlsx",), b"PK\x03\x04"
    ),
    "text/plain": Kind((".txt",), b""),
}
"""Every kind there is; sound is none of them. By the name's end, for browsers call one kind by
several types."""


def kind_of(name: str, content: bytes) -> str:
    """The media type of a file of this name.

    Raises:
        BadInput: it is none that is taken, or says that it is what it is not.
    """
    for media_type, kind in KINDS.items():
        if name.lower().endswith(kind.suffixes):
            if content.startswith(kind.begins) and (kind.begins or _is_text(content)):
                return media_type
            raise BadInput({"file": "内容与文件名不符。 It is not what its name says."})
    ends = " ".join(end for kind in KINDS.values() for end in kind.suffixes)
    raise BadInput({"file": f"只收 {ends}。 Only these are taken: {ends}"})


def _is_text(content: bytes) -> bool:
    try:
        return "\0" not in content.decode()
    except UnicodeDecodeError:
        return False


def named(given: str) -> str:
    """The name without the way to it, as some browsers send that too.

    Raises:
        BadInput: it is empty, too long, or has characters that cannot be seen.
    """
    name = re.split(r"[/\\]", given)[-1].strip()
    if not 0 < len(name) <= NAME_MAX or not name.isprintable():
        told = f"文件名为 1–{NAME_MAX} 个可见字符。 A name is 1 to {NAME_MAX} visible characters."
        raise BadInput({"name": told})
    return name
