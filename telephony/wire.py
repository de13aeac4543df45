"""AMI text to messages and back: what bytes on the socket mean, and nothing about calls.

What always holds:

- **Sans-IO and resumable.** Bytes go in at any cut, whole messages come out; the same stream gives
  the same messages however it was cut.
- **Only CR LF ends a line, and only an empty line ends a message.** A lone CR or LF, U+2028,
  U+0085, NUL or an invalid byte inside a value stays inside that value: a caller's name can never
  make a header. (`str.splitlines`, which breaks at ten further characters, is never used.)
- **Duplicate headers are kept, in order**; `get` gives the first, so that a later header of the
  same name (which a value further down might bring) cannot displace the PBX's own.
- **Bounded.** A line, a message or a number of headers beyond its limit raises `WireError`, and
  the wire then takes no more: the link has to be made anew. Real messages of Asterisk 22 have up
  to 40 headers and 2 KiB; the limits leave room for long variables, not for an endless line.
- **Every byte survives** (`surrogateescape`): `Message.raw` is what the PBX sent.

It deliberately knows no event names, no clock and no socket. What is sent is built by `action`,
which refuses CR, LF and NUL: one action can never become two.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from telephony.errors import InjectionRefused, WireError

Kind = Literal["banner", "event", "response", "other"]

EOL: Final = b"\r\n"
END: Final = b"\r\n\r\n"
_ESCAPE: Final = "surrogateescape"

_BANNER: Final = re.compile(rb"Asterisk Call Manager/\d")
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+")
_FORBIDDEN: Final = re.compile(r"[\r\n\0]")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of what one PBX may make us hold, in bytes (`headers`: a count)."""

    line: int = 65_536
    message: int = 262_144
    headers: int = 1_000


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
            text = self.raw.decode("utf-8", _ESCAPE)
            self._headers = tuple(_header(line) for line in text.split("\r\n"))
        return self._headers

    @property
    def values(self) -> Mapping[str, str]:
        """The first value of each header, by name. Not to be changed."""
        if self._first is None:
            self._first = _first_values(self.raw.decode("utf-8", _ESCAPE).split("\r\n"))
        return self._first

    @property
    def kind(self) -> Kind:
        """What the first line says this is."""
        if self.raw.startswith(b"Event:"):
            return "event"
        if self.raw.startswith(b"Response:"):
            return "response"
        return "banner" if _BANNER.match(self.raw) else "other"

    @property
    def name(self) -> str:
        """The event's name or the response's status; '' for a banner."""
        if self.kind not in {"event", "response"}:
            return ""
        first = self.raw.partition(EOL)[0].partition(b":")[2]
        return first.strip().decode("utf-8", _ESCAPE)

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


class Wire:
    """Takes the bytes of one connection, gives its messages."""

    def __init__(self, limits: Limits | None = None, *, greeted: bool = False) -> None:
        """`greeted`: the stream begins without a banner, as the journal keeps it."""
        self._limits = limits or Limits()
        # What is no longer than this passes no limit: a header takes two bytes at least.
        self._small = min(self._limits.line, self._limits.message, 2 * self._limits.headers - 1)
        self._greeted = greeted
        self._rest = b""
        self._broken = False

    def feed(self, data: bytes) -> list[Message]:
        """The messages that became whole with `data`.

        Raises `WireError` when the first line is no AMI banner or a limit is passed; the wire is
        unusable from then on.
        """
        if self._broken:
            raise WireError("这条连接已经不可用，须重新连接。 This stream is broken: connect anew.")
        try:
            return self._feed(data)
        except WireError:
            self._broken = True
            self._rest = b""
            raise

    def _feed(self, data: bytes) -> list[Message]:
        found: list[Message] = []
        self._rest += data
        if not self._greeted and not self._greet(found):
            return found
        *parts, rest = self._rest.split(END)
        small = self._small
        for part in parts:
            body = _begun(part) if part[:2] == EOL else part
            if len(body) > small:
                self._check(body)
            if body:
                found.append(Message(body))
        self._rest = _begun(rest)
        self._check_unfinished()
        return found

    def _greet(self, found: list[Message]) -> bool:
        """Reads the banner, a single line without an empty one after it."""
        line, eol, rest = self._rest.partition(EOL)
        if not eol:
            self._check_unfinished()
            return False
        if not _BANNER.match(line):
            raise WireError(
                "对方不是 Asterisk 管理接口，请检查地址和端口。"
                " The peer is no Asterisk Manager Interface: check host and port."
            )
        self._greeted = True
        self._rest = rest
        found.append(Message(line))
        return True

    def _check(self, body: bytes) -> None:
        """Refuses a message that passes a limit."""
        limits, size = self._limits, len(body)
        if size > limits.message:
            raise _too_much(
                f"消息超过 {limits.message} 字节", f"A message passes {limits.message} bytes"
            )
        if size > limits.line:
            self._check_lines(body.split(EOL))
        if body.count(EOL) >= limits.headers:
            raise _too_much(
                f"消息头超过 {limits.headers} 个",
                f"A message has more than {limits.headers} headers",
            )

    def _check_unfinished(self) -> None:
        """The same for what has come of the next one: it may hold most of its end."""
        rest, limits = self._rest, self._limits
        if len(rest) - 3 > limits.message:
            raise _too_much(
                f"消息超过 {limits.message} 字节", f"A message passes {limits.message} bytes"
            )
        if len(rest) > limits.line:
            *lines, last = rest.split(EOL)
            self._check_lines([*lines, last.removesuffix(b"\r")])

    def _check_lines(self, lines: list[bytes]) -> None:
        longest = self._limits.line
        if max(map(len, lines)) > longest:
            raise _too_much(f"单行超过 {longest} 字节", f"A line passes {longest} bytes")


def action(name: str, fields: Iterable[tuple[str, str]] = (), action_id: str = "") -> bytes:
    """The bytes of one action.

    Raises `InjectionRefused` when a name is no plain token or a value holds CR, LF or NUL.
    """
    lines = [("Action", name), *((("ActionID", action_id),) if action_id else ()), *fields]
    for key, value in lines:
        if not _TOKEN.fullmatch(key) or _FORBIDDEN.search(value) or (key == "Action" and not value):
            raise InjectionRefused(
                f"指令 {name!r} 的字段含有换行或非法字符，未发送。"
                f" A field of action {name!r} holds a line break or an illegal character:"
                " nothing was sent."
            )
    text = "".join(f"{key}: {value}\r\n" for key, value in lines)
    try:
        return text.encode("utf-8", _ESCAPE) + EOL
    except UnicodeEncodeError as error:
        raise InjectionRefused(
            f"指令 {name!r} 的字段无法编码，未发送。"
            f" A field of action {name!r} cannot be encoded: nothing was sent."
        ) from error


def _begun(part: bytes) -> bytes:
    """A message from its first line on: Asterisk itself sends a third CR LF after some events."""
    while part.startswith(EOL):
        part = part[2:]
    return part


def _too_much(chinese: str, english: str) -> WireError:
    return WireError(f"{chinese}，连接将重建。 {english}: the link is made anew.")


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
