"""A TCP or TLS connection that one thread reads and writes, and any thread may wake or close.

A TLS session cannot be used by two threads at once, and a socket written by one thread while
another waits in `recv` needs luck to be closed. So one thread does both: `read` waits in `select`
for the peer or for a wake-up, and writes out what other threads queued meanwhile, as much as the
socket takes. Quiet is not an error here: whoever owns the pipe decides when silence is too long.
It knows nothing of AMI.
"""

import select
import socket
import ssl
import threading
from contextlib import suppress
from typing import Final

_CHUNK: Final = 65_536


class Pipe:
    """Made by `open`; `read` belongs to one thread, the rest to any."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._out = bytearray()
        self._lock = threading.Lock()
        self._ending = False
        self._wake_out, self._wake_in = socket.socketpair()
        self._wake_out.setblocking(False)
        self._wake_in.setblocking(False)

    @classmethod
    def open(
        cls, host: str, port: int, *, timeout_s: float, tls: ssl.SSLContext | None = None
    ) -> "Pipe":
        """Connects (and verifies the peer when `tls` is given); raises `OSError`."""
        sock = socket.create_connection((host, port), timeout=timeout_s)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return cls(tls.wrap_socket(sock, server_hostname=host) if tls else sock)
        except BaseException:
            sock.close()
            raise

    def write(self, data: bytes) -> None:
        """Queues `data`; the reading thread sends all of it."""
        with self._lock:
            self._out += data
        self._wake()

    def close(self) -> None:
        """Ends the pipe: `read` answers b'' at once, wherever it waits."""
        self._ending = True
        self._wake()

    def read(self) -> bytes:
        """The next bytes, however long they take; b'' when the pipe has ended. Raises `OSError`."""
        while not self._ending:
            wants_write = self._flush()
            try:
                return self._sock.recv(_CHUNK)
            except (BlockingIOError, ssl.SSLWantReadError):
                pass
            except ssl.SSLWantWriteError:
                wants_write = True
            writers = [self._sock] if wants_write else []
            ready, _, _ = select.select([self._sock, self._wake_out], writers, [])
            if self._wake_out in ready:
                with suppress(BlockingIOError):
                    self._wake_out.recv(_CHUNK)
        return b""

    def release(self) -> None:
        """Gives the sockets back; by the reading thread, last."""
        self._ending = True
        for sock in (self._sock, self._wake_in, self._wake_out):
            sock.close()

    def _flush(self) -> bool:
        """Sends what the socket takes; True when some is left."""
        with self._lock:
            while self._out:
                try:
                    sent = self._sock.send(self._out)
                except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                    return True
                del self._out[:sent]
        return False

    def _wake(self) -> None:
        with suppress(OSError):  # full: it is awake already; closed: nobody sleeps
            self._wake_in.send(b"!")
