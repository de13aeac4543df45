"""What changed, told to the other processes: an agent's page may hang on another gateway than the
one that has the PBX.

What always holds: nobody is told of what was not committed, and nothing is told twice in one
process (each skips its own). On PostgreSQL the notes travel in the transaction itself (NOTIFY), so
they reach whoever listens exactly when it commits, on whatever machine. On SQLite all processes
share one machine and one state directory: a datagram to each listener's socket after the commit.

A listener that may have missed something (its connection broke, its queue was full) lets its pages
start over: they reconnect and fetch the present state, so a lost note costs a reload and no more.
Notes carry a topic, a kind and an id, never what a caller said. Nothing here survives a restart.
"""

import asyncio
import json
import logging
import os
import secrets
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Protocol

from sqlalchemy import text
from sqlalchemy.orm import Session

from gateway.database import Database
from gateway.notices import Hub, Notice

log = logging.getLogger(__name__)

CHANNEL: Final = "hotline_notices"
PAYLOAD_BYTES: Final = 7_000
"""PostgreSQL refuses a payload of 8 000 bytes; a datagram of this size always fits its socket."""
LOOK_UP_S: Final = 1.0  # how soon a listener sees that it is to stop
AGAIN_S: Final = 1.0
PATIENCE_S: Final = 0.05  # how long a commit waits for a listener whose queue is full
MISSED: Final = b"missed"


class Broadcast(Protocol):
    """One process's way to the others: `within` a transaction, `after` it, and `hear`."""

    def within(self, session: Session, noted: Sequence[Notice]) -> None:
        """Before the commit of what `noted` speaks of."""

    def after(self, noted: Sequence[Notice]) -> None:
        """After that commit."""

    def hear(self, database: Database, hub: Hub, stop: threading.Event) -> None:
        """Hand what others told to `hub` until `stop`; blocks, in a thread of its own."""


async def listen(broadcast: Broadcast, database: Database, hub: Hub) -> None:
    """Hear the other processes until cancelled; whatever breaks is begun again."""
    stop = threading.Event()
    try:
        await asyncio.to_thread(broadcast.hear, database, hub, stop)
    finally:
        stop.set()


def payloads(origin: str, noted: Sequence[Notice]) -> Iterator[str]:
    """The notes as JSON, each piece within `PAYLOAD_BYTES`. A note too long for one is left out of
    the wire and asks the others to start over instead."""
    piece: list[tuple[str, str, str]] = []
    size = 0
    for notice in noted:
        one = (notice.topic, notice.kind, notice.ref)
        length = len(json.dumps(one)) + 2
        if length + 64 > PAYLOAD_BYTES:
            yield json.dumps([origin, None])
            continue
        if size + length + 64 > PAYLOAD_BYTES:
            yield json.dumps([origin, piece])
            piece, size = [], 0
        piece.append(one)
        size += length
    if piece:
        yield json.dumps([origin, piece])


def publish(hub: Hub, me: str, payload: str | bytes) -> None:
    """Hand a payload of somebody else's to this process's pages; ours, and noise, to nobody."""
    try:
        origin, noted = json.loads(payload)
        told = None if noted is None else [Notice(*map(str, one)) for one in noted]
    except (ValueError, TypeError, RecursionError):
        log.warning("a notice that cannot be read was left out")
        return
    if origin == me:
        return
    if told is None:
        hub.start_over()
    else:
        hub.publish(told)


class Notify:
    """PostgreSQL's LISTEN and NOTIFY (its documentation, SQL Commands, NOTIFY)."""

    def __init__(self) -> None:
        self._me = secrets.token_hex(8)

    def within(self, session: Session, noted: Sequence[Notice]) -> None:
        """The notes become part of the transaction."""
        for payload in payloads(self._me, noted):
            session.execute(
                text("SELECT pg_notify(:channel, :payload)"),
                {"channel": CHANNEL, "payload": payload},
            )

    def after(self, noted: Sequence[Notice]) -> None:
        """Nothing: PostgreSQL has told."""

    def hear(self, database: Database, hub: Hub, stop: threading.Event) -> None:
        """On a connection of its own; when it breaks, pages start over on the next."""
        while not stop.is_set():
            try:
                self._hear(database, hub, stop)
            except Exception as error:  # noqa: BLE001 - the driver's own errors have no home here
                log.warning("notices: %s; listening again", type(error).__name__)
                stop.wait(AGAIN_S)

    def _hear(self, database: Database, hub: Hub, stop: threading.Event) -> None:
        with database.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            connection.detach()  # never back into the pool: it listens
            driver.autocommit = True
            driver.execute(f"LISTEN {CHANNEL}")
            hub.start_over()  # from here on nothing is missed
            while not stop.is_set():
                for heard in driver.notifies(timeout=LOOK_UP_S):
                    publish(hub, self._me, heard.payload)


class Datagrams:
    """Unix datagrams between the processes that share a state directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._me = secrets.token_hex(8)
        self._owing: set[str] = set()

    def within(self, session: Session, noted: Sequence[Notice]) -> None:
        """Nothing: what is not committed is told to nobody."""

    def after(self, noted: Sequence[Notice]) -> None:
        """A datagram to each listener; one that is dead is forgotten."""
        others = [name for name in self._names() if name != f"{self._me}.sock"] if noted else []
        if not others:
            return
        with (
            _short(self._directory) as short,
            closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sender,
        ):
            sender.settimeout(PATIENCE_S)
            for name in others:
                self._send(sender, f"{short}/{name}", name, noted)

    def _send(self, sender: socket.socket, place: str, name: str, noted: Sequence[Notice]) -> None:
        try:
            if name in self._owing:
                sender.sendto(MISSED, place)
                self._owing.discard(name)
                return
            for payload in payloads(self._me, noted):
                sender.sendto(payload.encode(), place)
        except (ConnectionRefusedError, FileNotFoundError):
            self._owing.discard(name)
            with suppress(FileNotFoundError):
                (self._directory / name).unlink()
        except OSError:  # its queue is full: told at the next occasion that it missed something
            self._owing.add(name)

    def _names(self) -> list[str]:
        try:
            return [place.name for place in self._directory.iterdir() if place.suffix == ".sock"]
        except FileNotFoundError:
            return []

    def hear(self, database: Database, hub: Hub, stop: threading.Event) -> None:  # noqa: ARG002
        """On a socket in the state directory, removed at the end."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = self._directory / f"{self._me}.sock"
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as receiver:
            with _short(self._directory) as short:
                receiver.bind(f"{short}/{place.name}")
            receiver.settimeout(LOOK_UP_S)
            try:
                while not stop.is_set():
                    with suppress(TimeoutError):
                        heard = receiver.recv(2 * PAYLOAD_BYTES)
                        if heard == MISSED:
                            hub.start_over()
                        else:
                            publish(hub, self._me, heard)
            finally:
                place.unlink(missing_ok=True)


@contextmanager
def _short(directory: Path) -> Iterator[str]:
    """A short name of a directory: a socket's path may have 107 bytes (unix(7))."""
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{opened}"
    finally:
        os.close(opened)
