"""AMI bytes to messages and back: where a message ends, and nothing about calls.

What always holds:

- **Sans-IO and resumable.** Bytes go in at any cut, whole messages come out; the same stream gives
  the same messages however it was cut.
- **Only an empty line ends a message, and only CR LF ends a line** (decision 0006): nothing a
  caller can put in a value makes two messages of one.
- **Bounded.** A line, a message or a number of headers beyond its limit raises `WireError`, and
  the wire then takes no more: the link has to be made anew. Real messages of Asterisk 22 have up
  to 40 headers and 2 KiB; the limits leave room for long variables, not for an endless line.

It deliberately knows no event names, no clock and no socket; what is in a message is `message`'s.
What is sent is built by `action`, which refuses CR, LF and NUL: one action can never become two.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from telephony.errors import InjectionRefused, WireError
from telephony.message import BANNER, EOL, ESCAPE, Message

END: Final = b"\r\n\r\n"

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+")
_FORBIDDEN: Final = re.compile(r"[\r\n\0]")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of what one PBX may make us hold, in bytes (`headers`: a count)."""

    line: int = 65_536
    message: int = 262_144
    headers: int = 1_000


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
        if not BANNER.match(line):
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
        return text.encode("utf-8", ESCAPE) + EOL
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
