"""Deliveries whose properties cannot be decoded, read all the same: without their properties.

What travels beside a body is the sender's free text: a timestamp in microseconds, a word that is
no UTF-8. The library gives up the whole connection over it, and the broker sends the same message
over the next one, with all that waited behind it. So what comes in is looked at before the library
reads it: of a header that cannot be decoded the properties are blanked, of a routing key the bytes
that are not ASCII.

Always holds: no frame changes its length, and none that can be read changes at all. The message
then has no user-id and no headers, and is treated as one that has none; its body is untouched.
"""

import asyncio
from typing import Any, Final

import aio_pika
from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from queueing import corked

METHOD: Final = 1
HEADER: Final = 2
"""Types of frames (AMQP 0-9-1, 4.2.3)."""
FIXED: Final = 12  # class, weight and body size of a content header; then flags and properties
NO_PROPERTIES: Final = b"\0\0"
DELIVER: Final = bytes((0, 60, 0, 60))


class Connection(aio_pika.Connection):
    """aio_pika's, that reads whatever comes, and writes together what is written together."""

    def __init__(self, *args: Any, **named: Any) -> None:  # noqa: ANN401 - as the library's
        super().__init__(*args, **named)
        secure = self.url.scheme == "amqps"
        plain = TLSTransportFactory() if secure else TCPTransportFactory()
        self.kwargs["transport_factory"] = _Factory(plain)


class _Factory(TransportFactory):
    def __init__(self, plain: TransportFactory) -> None:
        self._plain = plain

    async def create(self, url: Any, **named: Any) -> Any:  # noqa: ANN401 - as the library's
        reader, writer = await self._plain.create(url, **named)
        return Reader(reader), corked.Writer(writer)


class Reader:
    """What the library reads frames from: one byte of type, six more, the payload and its end."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._type = 0

    def at_eof(self) -> bool:
        """As the stream's own."""
        return self._reader.at_eof()

    async def read(self, size: int = -1) -> bytes:
        """As the stream's own."""
        return await self._reader.read(size)

    async def readexactly(self, size: int) -> bytes:
        """As the stream's own, but for what could not be decoded."""
        part = await self._reader.readexactly(size)
        if size == 1:
            self._type = part[0]
        elif self._type == HEADER and size > FIXED:
            return part if _reads(ContentHeader(), part[:-1]) else _bare(part)
        elif self._type == METHOD and part.startswith(DELIVER):
            return part if _reads(Basic.Deliver(), part[4:-1]) else _ascii(part)
        return part


def _reads(frame: Any, payload: bytes) -> bool:  # noqa: ANN401 - two kinds of pamqp's
    try:
        frame.unmarshal(payload)
    except Exception:  # noqa: BLE001 - a text, a time, a table: each fails in its own way
        return False
    return True


def _bare(part: bytes) -> bytes:
    """The header with its flags saying that no property follows; what follows is not looked at."""
    return part[:FIXED] + NO_PROPERTIES + part[FIXED + len(NO_PROPERTIES) :]


def _ascii(part: bytes) -> bytes:
    """`Basic.Deliver` with a question mark for each byte of its routing key that is not ASCII.

    Before the key stand our consumer tag, the delivery tag, one bit and the exchange's name.
    """
    exchange = 5 + part[4] + 9
    key = exchange + 1 + part[exchange] + 1
    plain = bytes(byte if byte < 0x80 else ord("?") for byte in part[key:-1])
    return part[:key] + plain + part[-1:]
