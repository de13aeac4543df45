"""A stream's writer that sends once a turn of the loop what was written in it.

The library writes each message by itself, and each is then a call into the kernel in which every
other thread of the process may take the interpreter. What is written in one turn goes out together
at its end: of a window of messages, a few calls.
Always holds: the order of the bytes, and that nothing waits longer than for the end of this turn;
`drain`, `write_eof` and `close` send first. It deliberately keeps nothing from one turn to another.
"""

import asyncio
from typing import Any


class Writer:
    """As `asyncio.StreamWriter`, of which it has one; what is not here is that one's own."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._held: list[bytes] = []

    def write(self, data: bytes) -> None:
        """To be sent at the end of this turn."""
        if not self._held:
            asyncio.get_running_loop().call_soon(self._send)
        self._held.append(data)

    def _send(self) -> None:
        if self._held:
            held, self._held = self._held, []
            self._writer.write(b"".join(held))

    async def drain(self) -> None:
        """Send, and wait while too much is on its way."""
        self._send()
        await self._writer.drain()

    def write_eof(self) -> None:
        """Send, and then the end."""
        self._send()
        self._writer.write_eof()

    def close(self) -> None:
        """Send, and close."""
        self._send()
        self._writer.close()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the stream's own
        return getattr(self._writer, name)
