"""A house that seals and plays, as the product composes it, for the bench.

Real database (SQLite, `synchronous=FULL`), real store, real log; a supervisor with a grant, and a
web server in a process of its own.
"""

import http.client
import itertools
import os
import random
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import select

from gateway import compose, settings
from gateway.console.visit import TOKEN_COOKIE
from gateway.flow import linking
from gateway.people import sessions
from gateway.people.accounts import person
from gateway.people.roles import Role
from gateway.tables import AccountRow
from recordings import grants, keys
from recordings.capture import Capture
from recordings.grants import Grant
from recordings.naming import HEADER, PAYLOAD, PEAKS
from recordings.playback import Opened, Playback
from recordings.tables import RecordingRow
from tests.rig.gateway import Gateway

MIB = 1 << 20
HEAD = 44


def wav(path: Path, mib: int) -> None:
    """A WAV of exactly `mib` MiB that does not compress, on the disk and in the page cache."""
    size = mib * MIB - HEAD
    block = random.Random(1).randbytes(MIB)
    form = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
    with path.open("wb") as file:
        file.write(struct.pack("<4sI4s4sI", b"RIFF", size + 36, b"WAVE", b"fmt ", 16))
        file.write(form + struct.pack("<4sI", b"data", size))
        file.write(block[HEAD:])
        for _ in range(mib - 1):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())


class Spool:
    """One PBX's spool, and all that takes a WAV from there to somebody's ear."""

    def __init__(self, state: Path) -> None:
        self._environ = {"HOTLINE_STATE": str(state), "HOTLINE_LISTEN": "127.0.0.1:0"}
        self.parts = compose.parts(settings.read(self._environ))
        compose.prepare(self.parts)
        exchange = self.parts.settings.pbxs[0]
        self._ready = exchange.spool / "ready"
        self._ready.mkdir(parents=True)
        self._capture = Capture(
            exchange.spool, exchange.name, self.parts.recipients, self.parts.store,
            self.parts.database.begin, self.parts.clock, linking.captured,
        )  # fmt: skip
        key_id = keys.key_id_at(self.parts.clock())
        self.recipient = self.parts.recipients.of(key_id).text
        assert self.parts.identities
        self.identity = keys.encode_identity(self.parts.identities.of(key_id).secret) + "\n"
        self._numbers = itertools.count(1)

    def hand_over(self, source: Path) -> str:
        """The WAV as the PBX hands it over: a name in `ready/`; capture removes that name alone."""
        name = f"{int(time.time())}.{next(self._numbers)}"
        (self._ready / f"{name}.wav").hardlink_to(source)
        return name

    def capture(self) -> None:
        """All that is ready, and nothing is left of it."""
        assert len(self._capture.once(sweep=False)) == 1

    def catalogued(self, source: Path) -> RecordingRow:
        """Handed over and captured; its row."""
        name = self.hand_over(source)
        self.capture()
        return self._row(name)

    def forget(self, name: str) -> None:
        """Make room on the disk again."""
        for suffix in (HEADER, PAYLOAD, PEAKS):
            self.parts.store.remove(self._row(name).object_key + suffix)

    def put_together(self, row: RecordingRow, file: Path) -> None:
        """The age file that its header and payload are."""
        with file.open("wb") as out:
            for suffix in (HEADER, PAYLOAD):
                part = self.parts.settings.store / (row.object_key + suffix)
                subprocess.run(["cat", part], stdout=out, check=True)

    def first_byte(self, row: RecordingRow) -> None:
        """Opened with all its checks, and the first piece of its last 64 KiB."""
        with closing(self._open(row)) as opened:
            next(opened.read(opened.size - 65536, opened.size))

    def play(self, row: RecordingRow) -> None:
        """From the first byte to the last, thrown away."""
        with closing(self._open(row)) as opened:
            assert sum(len(piece) for piece in opened.read(0, opened.size)) == row.plain_size

    @contextmanager
    def serving(self, row: RecordingRow) -> Iterator["Served"]:
        """A web process, and somebody who may hear the recording there."""
        token, grant = self._granted(row)
        web = Gateway(self.parts.settings.state, self._environ, only="web")
        try:
            web.start()
            yield Served(web, f"/recordings/{row.id}/audio?grant={grant}", token, row.plain_size)
        finally:
            web.stop()

    def _granted(self, row: RecordingRow) -> tuple[str, int]:
        """A supervisor's session, and the grant they have."""
        now = self.parts.clock()
        with self.parts.database.begin() as session:
            account = AccountRow(login="chen", name="chen", role=Role.SUPERVISOR,
                                 password_hash="-", created_at=now)  # fmt: skip
            session.add(account)
            session.flush()
            token = sessions.open_session(session, person(account), now).token
            request = grants.ask(session, requester="chen", recording_ids=[row.id],
                                 purpose="verify", ticket_no="1", reason="-", now=now)  # fmt: skip
            grant = grants.decide(session, request.id, authoriser="zhao", granted=True, note="",
                                  now=now, lasts_s=3600)  # fmt: skip
            assert grant is not None
            return token, grant.id

    def close(self) -> None:
        self.parts.database.dispose()

    def _row(self, name: str) -> RecordingRow:
        with self.parts.database.reading() as session:
            return session.scalars(select(RecordingRow).where(RecordingRow.name == name)).one()

    def _open(self, row: RecordingRow) -> Opened:
        assert self.parts.identities
        with self.parts.database.reading() as session:
            known = partial(linking.sealed_as, session)
            playback = Playback(self.parts.store, self.parts.identities, known)
            return playback.open(row, Grant(1, 1, "chen", row.id, "verify", self.parts.clock()))


@dataclass(frozen=True, slots=True)
class Served:
    """A recording at a web process, for one who is signed in there."""

    web: Gateway
    path: str
    token: str
    size: int

    def fetch(self) -> None:
        """The whole of it, thrown away."""
        with self.asked() as answer:
            buffer, got = bytearray(MIB), 0
            while count := answer.readinto(buffer):
                got += count
            assert got == self.size

    @contextmanager
    def asked(self, **headers: str) -> Iterator[http.client.HTTPResponse]:
        """The answer to one GET, its body not read yet."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.web.port, timeout=60)) as line:
            line.request("GET", self.path,
                         headers={"Cookie": f"{TOKEN_COOKIE}={self.token}"} | headers)  # fmt: skip
            answer = line.getresponse()
            assert answer.status in (200, 206)
            yield answer
