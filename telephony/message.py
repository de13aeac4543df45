"""One message of the PBX: its bytes, and what its headers are.

What always holds:

- **Every byte survives** (`surrogateescape`): `Message.raw` is what the PBX sent.
- **Only CR LF ends a line.** A lone CR or LF, U+2028, U+0085, NUL or an invalid byte inside a value
  stays inside that value: a caller's name can never make a header. (`str.splitlines`, which breaks
  at ten further characters, is never used.)
- **Duplicate headers are kept, in order**; `get` gives the first, so that a later header of the
  same name (which a value further down might bring) cannot displace the PBX's own.

It deliberately knows no event names, and no bounds: what is too long `wire` lets through to nobody.
Pure.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal

Kind = Literal["banner", "event", "response", "other"]

EOL: Final = b"\r\n"
ESCAPE: Final = "surrogateescape"
BANNER: Final = re.compile(rb"Asterisk Call Manager/\d")


class Message:
    """One message of the PBX, as sent. Treat it as frozen: it is shared between threads.

    `raw` is the message's bytes without the empty line that ended it. Headers are taken apart on
    first use: most messages on a busy PBX are only ever looked at by name.
    """

    __slots__ = ("_first", "_headers", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._headers: tuple[tuple[str, str], ...] | None = None
        self._first: dict[str, str] | None = None

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """All headers in the order they were sent; a line without a colon has the name ''."""
        if self._headers is None:
            text = self.raw.decode("utf-8", ESCAPE)
            self._headers = tuple(_header(line) for line in text.split("\r\n"))
        return self._headers

    @property
    def values(self) -> Mapping[str, str]:
        """The first value of each header, by name. Not to be changed."""
        if self._first is None:
            self._first = _first_values(self.raw.decode("utf-8", ESCAPE).split("\r\n"))
        return self._first

    @property
    def kind(self) -> Kind:
        """What the first line says this is."""
        if self.raw.startswith(b"Event:"):
            return "event"
        if self.raw.startswith(b"Response:"):
            return "response"
        return "banner" if BANNER.match(self.raw) else "other"

    @property
    def name(self) -> str:
        """The event's name or the response's status; '' for a banner."""
        if self.kind not in {"event", "response"}:
            return ""
        first = self.raw.partition(EOL)[0].partition(b":")[2]
        return first.strip().decode("utf-8", ESCAPE)

    def get(self, name: str, default: str = "") -> str:
        """The first value of that header, or `default`."""
        return self.values.get(name, default)

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of that header, in order."""
        return tuple(value for key, value in self.headers if key == name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and other.raw == self.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        """Name and size only: the headers hold callers' numbers."""
        return f"<Message {self.kind} {self.name!r} {len(self.raw)} bytes>"


def _first_values(lines: list[str]) -> dict[str, str]:
    """Name → first value, as the names in `Message.headers` are; made in the quickest way there is
    for lines as Asterisk writes them, and line by line where one is otherwise."""
    try:
        found = dict([line.split(": ", 1) for line in lines])
    except ValueError:  # no colon, or nothing after it
        found = {}
    if len(found) == len(lines) and ":" not in "".join(found):
        return found
    return dict(map(_header, reversed(lines)))


def _header(line: str) -> tuple[str, str]:
    """One header line; exactly one space after the colon belongs to the colon."""
    key, colon, value = line.partition(":")
    if not colon:
        return "", line
    return key, value.removeprefix(" ")
