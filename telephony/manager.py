"""The PBX's side of a manager session, as far as the simulator needs it: a small AMI server.

It greets, challenges, checks the account, answers Ping, Logoff, CoreShowChannels and QueueStatus
(from what its owner says is up), and sends every event to every session that has logged in. It is
no proof of what a real PBX does; that is what the tests on Asterisk are for.
"""

import asyncio
import hashlib
import hmac
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from telephony.errors import WireError
from telephony.message import Message
from telephony.wire import Wire

BANNER: Final = b"Asterisk Call Manager/11.0.0\r\n"

Headers = Sequence[tuple[str, str]]


class Manager:
    """An AMI server on loopback. `channels`: one mapping of headers for each channel that is up;
    `queues`: the lines QueueStatus answers, each with its event's name."""

    def __init__(
        self,
        *,
        user: str,
        secret: str,
        channels: Callable[[], Sequence[Mapping[str, str]]],
        challenge: Callable[[], str],
        queues: Callable[[], Sequence[Headers]] = tuple,
        tls: ssl.SSLContext | None = None,
        acts: Callable[[Message], str] | None = None,
    ) -> None:
        """`acts`: does what an account that may act asks for, and answers why not ('': done)."""
        self._acts = acts
        self._user = user
        self._secret = secret
        self._channels = channels
        self._challenge = challenge
        self._queues = queues
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._listening: set[asyncio.StreamWriter] = set()
        self._sessions: set[asyncio.Task[None]] = set()
        self._halfway: frozenset[asyncio.StreamWriter] = frozenset()
        self._after: list[tuple[asyncio.StreamWriter, bytes]] = []
        self.port = 0

    async def start(self, port: int = 0) -> None:
        """Listens on 127.0.0.1; `port` 0 takes a free one and says which."""
        self._server = await asyncio.start_server(self._session, "127.0.0.1", port, ssl=self._tls)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Drops every session and listens no more."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        if self._server is not None:
            await self._server.wait_closed()
        await asyncio.gather(*self._sessions)  # else they end with the loop, which complains

    @property
    def listeners(self) -> int:
        """How many sessions have logged in and are open."""
        return len(self._listening)

    def send(self, headers: Headers) -> None:
        """One message to everybody who has logged in."""
        self.write(render(headers))

    def write(self, data: bytes) -> None:
        """Bytes, whatever they are, to everybody who has logged in."""
        for writer in list(self._listening):
            self._say(writer, data)

    async def drip(self, data: bytes, pause_s: float) -> None:
        """One message byte by byte to everybody who has logged in. As on a PBX it stays one: who
        signs in meanwhile gets nothing of it, and what else is said comes after it."""
        self._halfway = frozenset(self._listening)
        try:
            for at in range(len(data)):
                for writer in self._halfway:
                    writer.write(data[at : at + 1])
                await asyncio.sleep(pause_s)
        finally:
            self._halfway = frozenset()
            after, self._after = self._after, []
            for writer, said in after:
                if not writer.is_closing():
                    writer.write(said)

    async def hang_up(self, last: bytes = b"") -> None:
        """Ends every session after these bytes, in order: what was written before arrives."""
        self.write(last)
        for writer in list(self._open):
            self._listening.discard(writer)
            writer.close()
        await asyncio.sleep(0)

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        session = asyncio.current_task()
        assert session is not None  # noqa: S101 - a coroutine runs in a task
        self._sessions.add(session)
        session.add_done_callback(self._sessions.discard)
        wire = Wire(greeted=True)
        challenge = self._challenge()
        writer.write(BANNER)
        try:
            while data := await reader.read(65_536):
                for request in wire.feed(data):
                    self._answer(request, writer, challenge)
        except (OSError, WireError):
            pass  # the peer is gone, or no AMI client
        finally:
            self._open.discard(writer)
            self._listening.discard(writer)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _answer(self, request: Message, writer: asyncio.StreamWriter, challenge: str) -> None:
        action_id = request.get("ActionID")
        mark = [("ActionID", action_id)] if action_id else []
        name = request.get("Action").lower()
        if name == "challenge":
            self._say(writer, render([("Response", "Success"), *mark, ("Challenge", challenge)]))
        elif name == "login":
            self._login(request, writer, challenge, mark)
        elif writer not in self._listening:
            self._say(writer, _error(mark, "Permission denied"))
        elif name == "ping":
            self._say(writer, render([("Response", "Success"), *mark, ("Ping", "Pong")]))
        elif name == "coreshowchannels":
            lines = [[("Event", "CoreShowChannel"), *up.items()] for up in self._channels()]
            self._list(writer, mark, lines, "CoreShowChannelsComplete")
        elif name == "queuestatus":
            self._list(writer, mark, self._queues(), "QueueStatusComplete")
        elif name == "logoff":
            self._say(writer, render([("Response", "Goodbye"), *mark]))
            writer.close()
        elif self._acts is None:
            self._say(writer, _error(mark, "Invalid/unknown command"))
        else:
            why = self._acts(request)
            done = render([("Response", "Success"), *mark, ("Message", "done")])
            self._say(writer, _error(mark, why) if why else done)

    def _login(
        self, request: Message, writer: asyncio.StreamWriter, challenge: str, mark: Headers
    ) -> None:
        key = hashlib.md5((challenge + self._secret).encode(), usedforsecurity=False).hexdigest()
        if request.get("AuthType").upper() == "MD5":
            known = hmac.compare_digest(request.get("Key"), key)
        else:
            known = hmac.compare_digest(request.get("Secret").encode(), self._secret.encode())
        if request.get("Username") != self._user or not known:
            self._say(writer, _error(mark, "Authentication failed"))
            return
        self._listening.add(writer)
        accepted = ("Message", "Authentication accepted")
        self._say(writer, render([("Response", "Success"), *mark, accepted]))
        self._say(writer, render([("Event", "FullyBooted"), ("Status", "Fully Booted")]))

    def _list(
        self, writer: asyncio.StreamWriter, mark: Headers, lines: Sequence[Headers], done: str
    ) -> None:
        started = ("EventList", "start")
        self._say(writer, render([("Response", "Success"), *mark, started]))
        for line in lines:
            self._say(writer, render([line[0], *mark, *line[1:]]))
        ended = [("EventList", "Complete"), ("ListItems", str(len(lines)))]
        self._say(writer, render([("Event", done), *mark, *ended]))

    def _say(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        if writer in self._halfway:
            self._after.append((writer, data))
        else:
            writer.write(data)


def render(headers: Headers) -> bytes:
    """A message's bytes, as the PBX would send it: nothing in a value is refused or escaped."""
    text = "".join(f"{key}: {value}\r\n" for key, value in headers)
    return text.encode("utf-8", "surrogateescape") + b"\r\n"


def _error(mark: Headers, text: str) -> bytes:
    return render([("Response", "Error"), *mark, ("Message", text)])
