"""Frames with properties nobody can decode: blanked, everything else byte for byte as it came."""

import asyncio
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import frame
from pamqp.base import Frame
from pamqp.commands import Basic
from pamqp.exceptions import UnmarshalingException
from pamqp.header import ContentHeader

from queueing.readable import Reader


def read(sent: bytes) -> bytes:
    """A frame, read in the three steps the library takes."""

    async def scenario() -> bytes:
        stream = asyncio.StreamReader()
        stream.feed_data(sent)
        reader = Reader(stream)
        got = await reader.readexactly(1) + await reader.readexactly(6)
        (length,) = struct.unpack(">I", got[3:7])
        return got + await reader.readexactly(length + 1)

    return asyncio.run(scenario())


def header(flags: int, properties: bytes, size: int = 5) -> bytes:
    payload = struct.pack(">HHQH", 60, 0, size, flags) + properties
    return struct.pack(">BHI", 2, 1, len(payload)) + payload + b"\xce"


UNREADABLE = {
    "content type that is no UTF-8": header(0x8000, b"\x02\xff\xfe"),
    "timestamp in microseconds": header(0x0040, struct.pack(">Q", 1_700_000_000_000_000)),
    "user-id that is no UTF-8": header(0x0010, b"\x03a\xffb"),
    "header of an unknown type": header(0x2000, b"\0\0\0\x04\x01ax\x00"),
    "headers cut short": header(0x2000, b"\0\0\xff\xff"),
    "flags without end": header(0xFFFF, b"\xff\xff\xff\xff"),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_properties_that_cannot_be_read_are_left_out(what: str) -> None:
    """Protects: the library would close the connection, and the broker deliver the same again."""
    sent = UNREADABLE[what]
    with pytest.raises(UnmarshalingException):
        frame.unmarshal(sent)
    got = read(sent)
    _, _, decoded = frame.unmarshal(got)
    assert isinstance(decoded, ContentHeader)
    assert decoded.body_size == 5
    assert dict(decoded.properties) == dict(Basic.Properties())
    assert len(got) == len(sent)


@given(st.binary(max_size=200), st.integers(0, 0xFFFF))
def test_whatever_follows_a_header_it_can_be_read(properties: bytes, flags: int) -> None:
    """Protects: nothing a sender puts there ends the connection."""
    frame.unmarshal(read(header(flags, properties)))


@given(st.text(max_size=40), st.integers(0, 2**62), st.text(max_size=40))
def test_what_can_be_read_is_not_touched(tag: str, number: int, key: str) -> None:
    """Protects: Chinese in a key or a tag is text like any other."""
    for part in (
        Basic.Deliver(tag, number, False, "hotline.replies", key),
        ContentHeader(0, number, Basic.Properties(content_type=key, headers={"x": tag})),
    ):
        assert isinstance(part, Frame | ContentHeader)
        sent = frame.marshal(part, 1)
        assert read(sent) == sent


def test_a_routing_key_that_is_no_text_is_read_as_one() -> None:
    """Protects: the message is taken, and refused for its key like any other wrong one."""
    sent = frame.marshal(Basic.Deliver("tag", 2**62 + 5, True, "hotline.replies", "reply.XX.v1"), 1)
    got = read(sent.replace(b"XX", b"\xff\xce"))
    _, _, decoded = frame.unmarshal(got)
    assert isinstance(decoded, Basic.Deliver)
    assert (decoded.routing_key, decoded.delivery_tag) == ("reply.??.v1", 2**62 + 5)
