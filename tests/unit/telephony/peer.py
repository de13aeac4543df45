"""A manager interface that a test holds in its hand: it can be quiet, deaf, cut, or say any bytes.

Threads and plain sockets, so that the bare library and ours meet the very same peer.
"""

import contextlib
import socket
import struct
import threading
from types import TracebackType
from typing import Self

from telephony.manager import BANNER
from telephony.wire import END


class Peer:
    """Listens on loopback; answers every action with Success unless `deaf`."""

    def __init__(self, port: int = 0, *, secret: str = "secret") -> None:
        self.deaf = False
        self._killed = threading.Event()
        self._threads: list[threading.Thread] = []
        self._busy = threading.Event()
        self._busy.set()
        self.received = bytearray()
        self.connections = 0
        self._links: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", port))
        self.port = int(self._server.getsockname()[1])
        self.signed_in = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def say(self, data: bytes) -> None:
        """Sends `data` to whoever is connected."""
        for link in list(self._links):
            with contextlib.suppress(OSError):
                link.sendall(data)

    def stop_reading(self) -> None:
        """Takes nothing more off the socket, as a PBX that is busy."""
        self._busy.clear()

    def drop(self) -> None:
        """Cuts every connection; goes on listening."""
        for link in self._links:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
        self._links.clear()
        self.signed_in.clear()

    def kill(self) -> None:
        """As a PBX killed with unread bytes in its socket: a reset, and nobody listening."""
        self._killed.set()
        self.close()

    def close(self) -> None:
        """Nobody listening, every connection closed in order."""
        self._busy.set()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        if self._killed.is_set():
            for thread in self._threads:
                thread.join()
        self.drop()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = self._server.accept()
                self.connections += 1
                self._links.append(link)
                thread = threading.Thread(target=self._serve, args=(link,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, link: socket.socket) -> None:
        pending = b""
        with link, contextlib.suppress(OSError):
            link.sendall(BANNER)
            link.settimeout(0.05)
            while not self._killed.is_set():
                try:
                    data = link.recv(65_536)
                except TimeoutError:
                    continue
                if not data:
                    return
                self.received += data
                *actions, pending = (pending + data).split(END)
                for action in actions:
                    self._answer(link, action)
                self._busy.wait(10)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _answer(self, link: socket.socket, action: bytes) -> None:
        if self.deaf:
            return
        lines = dict(line.split(b": ", 1) for line in action.split(b"\r\n") if b": " in line)
        answer = b"Response: Success\r\nChallenge: 1234\r\n"
        link.sendall(answer + b"ActionID: " + lines.get(b"ActionID", b"") + END)
        if lines.get(b"Action") == b"Login":
            self.signed_in.set()


def event(name: str, *headers: tuple[str, str]) -> bytes:
    """An event's bytes."""
    lines = [("Event", name), *headers]
    return "".join(f"{key}: {value}\r\n" for key, value in lines).encode() + b"\r\n"
