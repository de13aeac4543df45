"""What must be true of `wire` and `readers` whatever bytes come: asked of one input at a time.

An input is bytes. `as_stream` takes it for what a socket brought, `as_values` for what callers and
agents put into the values of a message that the PBX renders. Each raises `AssertionError`, or
whatever the code under test should not have raised, when something does not hold. The rules are
stated here a second time, slowly and plainly, without a look at how the wire does it.
"""

from collections.abc import Sequence
from typing import Final

from telephony import events as ev
from telephony.errors import WireError
from telephony.message import Message
from telephony.readers import READERS, understand
from telephony.wire import Limits, Wire

SMALL: Final = Limits(line=100, message=300, headers=8)
"""Bounds that a short input can pass."""
BREAKERS: Final = ("\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\r", "\n",
                   "\0", ":", ": ", "\ud800", "\U00020bb7", "Uniqueid: 6.6", "\nLinkedid: 6.6",
                   "\rEvent: Hangup", "\u2028Linkedid: 6.6", "<unknown>")  # fmt: skip
"""What has broken such parsers: every line end of Unicode, a lone CR or LF, forged headers."""
NAMES: Final = ("Uniqueid", "Linkedid", "Channel", "Context", "Exten", "CallerIDNum",
                "CallerIDName", "Timestamp", "Queue", "Interface", "MemberName", "DestUniqueid",
                "DestLinkedid", "DestChannel", "DialStatus", "Reason", "Cause", "Result",
                "TransfereeUniqueid", "TransfereeLinkedid", "TransfererUniqueid", "Duration",
                "ParkeeUniqueid", "ParkeeLinkedid", "RetrieverUniqueid", "Variable")  # fmt: skip
_EVENTS: Final = tuple(sorted(READERS))


def as_stream(data: bytes) -> None:
    """Cut anywhere, the same messages or the same refusal; each with the headers that are there."""
    size = 1 + data[0] % 40 if data else 1
    stream = data[1:]
    whole = _read([stream])
    cut = _read([stream[n : n + size] for n in range(0, len(stream), size)])
    assert cut == whole
    for message in whole or ():
        _plain(message)
        _understood(message)
    if whole is not None:
        assert [message.raw for message in whole] == _messages(stream)


def as_values(data: bytes) -> None:
    """A message rendered with these values has the names it was rendered with, and no other."""
    headers = rendered(data)
    raw = "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n"
    (message,) = Wire(greeted=True).feed(raw.encode("utf-8", "surrogateescape"))
    assert list(message.headers) == headers
    first = dict(reversed(headers))
    assert message.values == first
    assert (message.kind, message.name) == ("event", headers[0][1])
    event = _understood(message)
    if event is not None and event.party.uniqueid:
        texts = {ev.storable(value, ev.ID_WIDTH) for value in first.values()}
        assert event.party.uniqueid in texts
        assert event.party.linkedid in {*texts, ""}


def rendered(data: bytes) -> list[tuple[str, str]]:
    """Headers of a message: which ones, and what is in them, is for the input to say."""
    take = memoryview(data)
    event = _EVENTS[take[0] % len(_EVENTS)] if data else "Hangup"
    headers = [("Event", event)]
    at = 1
    while at + 2 <= len(data) and len(headers) < 40:
        name, length = NAMES[take[at] % len(NAMES)], take[at + 1]
        text = bytes(take[at + 2 : at + 2 + length % 64]).decode("utf-8", "surrogateescape")
        if length >= 64:  # a breaker between two halves of what the input gives
            half = len(text) // 2
            text = text[:half] + BREAKERS[length % len(BREAKERS)] + text[half:]
        headers.append((name, _renderable(text)))
        at += 2 + length % 64
    return headers


def _renderable(text: str) -> str:
    """What is rendered is UTF-8, and CR LF is the one thing a PBX lets nobody put in a value; taken
    out, it may leave another behind, or a whole character of what were two broken halves."""
    raw = text.encode("utf-8", "replace" if "\ud800" in text else "surrogateescape")
    while b"\r\n" in raw:
        raw = raw.replace(b"\r\n", b"")
    return raw.rstrip(b"\r").decode("utf-8", "surrogateescape")


def _read(pieces: Sequence[bytes]) -> list[Message] | None:
    """All messages, or None when they are refused; what is held meanwhile is bounded."""
    wire, found = Wire(SMALL, greeted=True), []
    try:
        for piece in pieces:
            found += wire.feed(piece)
            assert len(wire._rest) <= SMALL.message + 3
    except WireError:
        assert wire._rest == b""
        return None
    return found


def _messages(stream: bytes) -> list[bytes]:
    """Line by line: a line ends at CR LF, a message at an empty line, empty messages are none."""
    found: list[bytes] = []
    lines: list[bytes] = []
    for line in stream.split(b"\r\n")[:-1]:
        if line:
            lines.append(line)
        elif lines:
            found.append(b"\r\n".join(lines))
            lines = []
    return found


def _plain(message: Message) -> None:
    """Headers as one would write them down: name up to the first colon, one space dropped."""
    headers = []
    for line in message.raw.split(b"\r\n"):
        name, colon, value = line.decode("utf-8", "surrogateescape").partition(":")
        pair = (name, value[1:] if value[:1] == " " else value)
        headers.append(pair if colon else ("", name))
    assert list(message.headers) == headers
    assert message.values == dict(reversed(headers))
    for name, value in reversed(headers):
        assert message.get(name) in message.all(name)
        assert value in message.all(name)


def _understood(message: Message) -> ev.Event | None:
    """An event or none, never an error; its texts are such as both databases can hold."""
    event = understand(message, 5)
    if event is not None:
        for text in (event.party.uniqueid, event.party.channel, event.party.name):
            assert ev.storable(text, ev.NAME_WIDTH) == text
        assert event.at >= 0
    return event
