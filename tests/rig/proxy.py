"""A TCP proxy on loopback that can hold back or cut what passes, at a byte the test chooses.

Held back is not lost: the server has long acted on what its client hears nothing of, which is the
moment between publish and confirm.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Proxy:
    """Forwards one address; every switch acts on open connections as on later ones."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._answers = asyncio.Event()
        self._answers.set()
        self._requests = asyncio.Event()
        self._requests.set()
        self._dead: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.sent = b""

    def hold_answers(self) -> None:
        """From now on the server's bytes stop here; `sent` begins anew."""
        self.sent = b""
        self._answers.clear()

    def let_answers(self) -> None:
        """Answers pass again."""
        self._answers.set()

    def hold_requests(self) -> None:
        """From now on the client's bytes stop here; `sent` begins anew."""
        self.sent = b""
        self._requests.clear()

    def let_requests(self) -> None:
        """Requests pass again, on connections that were not cut."""
        self._requests.set()

    def swallow(self) -> None:
        """What is sent over the connections there are now arrives nowhere, and nobody is told, as
        behind a firewall that forgot them; new ones are not concerned. From any thread."""
        self._dead |= self._open

    def cut(self) -> None:
        """Reset every open connection, both sides."""
        for writer in list(self._open):
            writer.transport.abort()

    async def sends(self, token: bytes) -> None:
        """Wait until the client has sent these bytes since `hold_answers`."""
        async with asyncio.timeout(20):
            while token not in self.sent:  # noqa: ASYNC110 - bytes, not an event, are waited for
                await asyncio.sleep(0.01)

    async def _serve(self, client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        try:
            server, request = await asyncio.open_connection(*self._target)
        except OSError:
            answer.transport.abort()
            return
        self._open |= {answer, request}
        for reader, writer, back in ((client, request, False), (server, answer, True)):
            task = asyncio.create_task(self._pump(reader, writer, back=back))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, back: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65536):
                if back:
                    await self._answers.wait()
                else:
                    self.sent += chunk
                    await self._requests.wait()
                if writer not in self._dead:
                    writer.write(chunk)
                    await writer.drain()
        if writer not in self._dead:  # there nobody hears of an end either
            writer.transport.abort()
            self._open.discard(writer)

    async def stop(self) -> None:
        """Cut everything and wait until nothing of it runs."""
        self.cut()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def proxy(host: str, port: int) -> AsyncIterator[Proxy]:
    """A proxy to `host:port` on a free port of its own."""
    made = Proxy(host, port)
    server = await asyncio.start_server(made._serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await made.stop()
        await server.wait_closed()
