"""The wire: any cut gives the same messages, no value makes a header, and everything is bounded."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.errors import InjectionRefused, WireError
from telephony.message import Message
from telephony.wire import Limits, Wire, action
from tests.unit.telephony.house import messages, trace

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
TRACE_NAMES = ["answered.ami", "abandoned.ami", "ring-no-answer.ami", "hostile-name.ami"]

hostile = st.text(
    st.one_of(
        st.sampled_from("\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\r\n:\0 "),
        st.characters(codec="utf-8"),
    )
).filter(lambda text: "\r\n" not in text)


@pytest.mark.parametrize("name", TRACE_NAMES)
def test_a_real_stream_cut_at_every_byte(name: str) -> None:
    """A network may cut anywhere: the same messages must come, none earlier, none twice."""
    data = BANNER + trace(name)
    whole = Wire().feed(data)
    wire, found = Wire(), []
    for n in range(len(data)):
        found += wire.feed(data[n : n + 1])
    assert found == whole
    for cut in range(0, len(data), 7):
        wire = Wire()
        assert wire.feed(data[:cut]) + wire.feed(data[cut:]) == whole


@given(st.lists(hostile, max_size=5), st.data())
def test_no_value_makes_a_header(values: list[str], data: st.DataObject) -> None:
    """Whatever a caller calls themselves, the message has the headers the PBX gave it."""
    headers = [("Event", "Newchannel"), *((f"H{n}", text) for n, text in enumerate(values))]
    raw = "".join(f"{key}: {text}\r\n" for key, text in headers).encode() + b"\r\n"
    cut = data.draw(st.integers(0, len(raw)))
    wire = Wire(greeted=True)
    (message,) = wire.feed(raw[:cut]) + wire.feed(raw[cut:])
    assert list(message.headers) == headers


@given(st.binary(max_size=300).filter(lambda data: b"\r\n" not in data and data[-1:] != b"\r"))
def test_no_byte_is_lost_or_refused(value: bytes) -> None:
    """Bytes that are no UTF-8 stay inside their value and come back as they were."""
    raw = b"Event: X\r\nName: " + value + b"\r\nUniqueid: 1.1\r\n\r\n"
    (message,) = Wire(greeted=True).feed(raw)
    assert message.raw + b"\r\n\r\n" == raw
    assert message.get("Name").encode("utf-8", "surrogateescape") == value
    assert message.get("Uniqueid") == "1.1"


lines = st.sampled_from([b"\r\n", b"\r", b"\n", b"Event: X", b"A: " + b"a" * 50, b"\r\n\r\n"])


@given(st.lists(lines, max_size=40).map(b"".join), st.lists(st.integers(0, 2_000), max_size=6))
def test_any_bytes_any_cuts_one_verdict(data: bytes, cuts: list[int]) -> None:
    """Bytes are read or refused the same way however they arrive, and nothing else is raised."""
    limits = Limits(line=120, message=400, headers=9)

    def read(pieces: list[bytes]) -> list[Message] | None:
        wire, found = Wire(limits, greeted=True), []
        try:
            for piece in pieces:
                found += wire.feed(piece)
        except WireError:
            return None
        return found

    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[a:b] for a, b in pairwise(edges)]
    assert read(pieces) == read([data])


def test_duplicate_headers_are_kept_and_the_first_one_counts() -> None:
    """A second header of the same name, further down, cannot displace the PBX's own."""
    (message,) = messages(b"Event: X\r\nLinkedid: 1.1\r\nV: a\r\nLinkedid: 6.6\r\nV: b\r\n\r\n")
    assert message.get("Linkedid") == "1.1"
    assert message.all("V") == ("a", "b")


def test_headers_without_value_without_space_and_without_colon() -> None:
    """Malformed lines are kept where they stand instead of vanishing or shifting others."""
    (message,) = messages(b"Event: X\r\nEmpty: \r\nBare:\r\nnonsense\r\nTwo:  b\r\n\r\n")
    assert message.headers[1:] == (("Empty", ""), ("Bare", ""), ("", "nonsense"), ("Two", " b"))


@pytest.mark.parametrize(
    ("limits", "data"),
    [
        (Limits(line=50), b"Event: X\r\nName: " + b"a" * 60),
        (Limits(line=50), b"Event: X\r\nName: " + b"a" * 60 + b"\r\n\r\n"),
        (Limits(message=100), b"Event: X\r\n" + b"A: aaaa\r\n" * 20),
        (Limits(message=100), b"Event: X\r\n" + b"A: aaaa\r\n" * 20 + b"\r\n"),
        (Limits(headers=10), b"Event: X\r\n" + b"A: b\r\n" * 20 + b"\r\n"),
    ],
    ids=["line open", "line", "message open", "message", "headers"],
)
def test_a_breach_of_a_bound_is_an_error_and_ends_the_wire(limits: Limits, data: bytes) -> None:
    """An endless line or message costs bounded memory, and no half-read message follows it."""
    wire = Wire(limits, greeted=True)
    with pytest.raises(WireError):
        list(map(wire.feed, (data[n : n + 10] for n in range(0, len(data), 10))))
    with pytest.raises(WireError):
        wire.feed(b"Event: X\r\n\r\n")


@pytest.mark.parametrize(
    ("line", "refused"),
    [(b"a" * 51, True), (b"a" * 50 + b"\r", False), (b"a" * 51 + b"\r\nB: c\r\n", True)],
    ids=["too long", "its end may follow", "too long and over"],
)
def test_a_bound_does_not_depend_on_the_cut(line: bytes, refused: bool) -> None:
    """Found by fuzzing: a line one byte too long was refused when cut before its LF, and otherwise
    only when its message ended."""
    verdicts = []
    for size in (1, 7, 1_000):
        wire = Wire(Limits(line=50), greeted=True)
        try:
            for n in range(0, len(line), size):
                wire.feed(line[n : n + size])
        except WireError:
            verdicts.append(True)
        else:
            verdicts.append(False)
    assert verdicts == [refused] * 3


@pytest.mark.parametrize("size", [1, 2, 3, 1_000])
def test_empty_lines_before_a_message_are_none_of_its_bytes(size: int) -> None:
    """Asterisk sends a third CR LF after some events: the longest message may follow one."""
    raw = b"Event: X\r\nA: " + b"a" * 87
    data = b"\r\n" + raw + b"\r\n\r\n"
    wire = Wire(Limits(message=len(raw)), greeted=True)
    found = [m for n in range(0, len(data), size) for m in wire.feed(data[n : n + size])]
    assert [message.raw for message in found] == [raw]


def test_a_peer_that_is_no_manager_interface_is_refused() -> None:
    """A wrong port is told at once instead of being read as events."""
    with pytest.raises(WireError, match="Asterisk"):
        Wire().feed(b"220 mail.example ESMTP\r\n")


def test_kind_and_name() -> None:
    """Answers are told from events by the first line alone."""
    banner, event, answer = Wire().feed(BANNER + b"Event: Hangup\r\n\r\nResponse: Error\r\n\r\n")
    assert [m.kind for m in (banner, event, answer)] == ["banner", "event", "response"]
    assert [m.name for m in (banner, event, answer)] == ["", "Hangup", "Error"]


def test_a_message_shows_no_caller() -> None:
    """A message that lands in a log or a traceback gives no number away."""
    (message,) = messages(b"Event: Newchannel\r\nCallerIDNum: 13800138000\r\n\r\n")
    assert "138" not in repr(message)


@pytest.mark.parametrize("bad", ["a\r\nAction: Originate", "a\nb", "a\rb", "a\0b", "\ud800"])
def test_a_value_that_would_inject_is_refused(bad: str) -> None:
    """Data cannot add a header or an action to what we send."""
    with pytest.raises(InjectionRefused):
        action("Login", [("Secret", bad)])
    with pytest.raises(InjectionRefused):
        action("Login", [("A" + bad, "x")])
    with pytest.raises(InjectionRefused):
        action(bad)


@given(st.text().filter(lambda text: not set(text) & set("\r\n\0")))
def test_what_is_sent_is_read_back(value: str) -> None:
    """One action stays one action with the very value given."""
    (message,) = Wire(greeted=True).feed(action("Ping", [("Value", value)], "7"))
    assert message.headers == (("Action", "Ping"), ("ActionID", "7"), ("Value", value))
