"""The recordings room as tests stand it up: a spool, a store, a keyring, a database, a clock.

Everything is the real part; only the clock is turned by hand.  `wav()` writes what a PBX writes.
"""

import os
import random
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine, create_engine, event, select
from sqlalchemy.orm import Session

from recordings.capture import Capture, OnCaptured
from recordings.disk import Disk
from recordings.grants import Grant
from recordings.keyring import Identities, new_pair
from recordings.keys import Recipients, key_id_at
from recordings.playback import Playback, SealedAs
from recordings.store import DirectoryStore
from recordings.tables import Base, CaptureTroubleRow, RecordingRow

SECOND = 1_000_000
NOW = 1_795_400_100 * SECOND  # 2026-11-23 in China
PBX = "main"


def engine_for(url: str) -> Engine:
    """An engine that behaves as the gateway's: on SQLite every transaction is immediate."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _(connection: object, _record: object) -> None:
            connection.isolation_level = None  # type: ignore[attr-defined]
            connection.execute("PRAGMA synchronous=OFF")  # type: ignore[attr-defined]

        @event.listens_for(engine, "begin")
        def _(connection: object) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # type: ignore[attr-defined]

    return engine


def wav(seconds: float, *, seed: int = 1, channels: int = 1, lengths: int | None = None) -> bytes:
    """A 16-bit 8 kHz PCM WAV; `lengths` overrides what the header says (0: never filled in)."""
    audio = random.Random(seed).randbytes(int(seconds * 8000) * 2 * channels)
    said = len(audio) if lengths is None else lengths
    riff = said + 36 if lengths is None else lengths
    form = struct.pack("<HHIIHH", 1, channels, 8000, 16000 * channels, 2 * channels, 16)
    return (
        struct.pack("<4sI4s4sI", b"RIFF", riff, b"WAVE", b"fmt ", 16)
        + form
        + struct.pack("<4sI", b"data", said)
        + audio
    )


@dataclass
class Room:
    """All of it, in one temporary directory."""

    directory: Path
    url: str = ""
    disk: Disk = field(default_factory=Disk)
    now: int = NOW
    key_id: str = key_id_at(NOW)

    def __post_init__(self) -> None:
        self.spool = self.directory / "spool"
        self.ready = self.spool / "ready"
        self.keyring = self.directory / "keyring"
        self.root = self.directory / "store"
        self.ready.mkdir(parents=True, exist_ok=True)
        self.store = DirectoryStore(self.root, self.disk)
        self.url = self.url or f"sqlite:///{self.directory / 'room.sqlite'}"
        self.engine = engine_for(self.url)
        Base.metadata.create_all(self.engine)
        if not (self.keyring / "private" / f"{self.key_id}.agekey").exists():
            new_pair(self.keyring, self.key_id, now=self.now)

    @contextmanager
    def begin(self) -> Iterator[Session]:
        with Session(self.engine, expire_on_commit=False) as session:
            yield session
            session.commit()

    def clock(self) -> int:
        return self.now

    def capture(self, on_captured: OnCaptured = lambda _s, _r: None) -> Capture:
        """A capturing process just started."""
        return Capture(
            self.spool,
            PBX,
            Recipients(self.keyring),
            self.store,
            self.begin,
            self.clock,
            on_captured,
            disk=self.disk,
        )

    def put(self, name: str, data: bytes, *, where: Path | None = None, age_s: float = 5) -> Path:
        """A WAV the PBX left, last changed `age_s` seconds ago by the room's clock."""
        path = (where or self.ready) / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self.age(path, age_s)
        return path

    def age(self, path: Path, age_s: float) -> None:
        changed = (self.now - int(age_s * SECOND)) * 1000
        os.utime(path, ns=(changed, changed))

    def rows(self) -> list[RecordingRow]:
        with self.begin() as session:
            return list(session.scalars(select(RecordingRow).order_by(RecordingRow.id)))

    def troubles(self) -> dict[str, str]:
        with self.begin() as session:
            return {row.name: row.what for row in session.scalars(select(CaptureTroubleRow))}

    def wavs(self) -> list[Path]:
        return sorted(self.spool.rglob("*.wav"))

    def playback(self, sealed_as: SealedAs = lambda _row: True) -> Playback:
        """Without a log, unless one is brought; what the gateway's says is tried in its tests."""
        return Playback(self.store, Identities(self.keyring), sealed_as)

    def played(self, row: RecordingRow) -> bytes:
        """The whole recording as somebody with a grant would hear it."""
        opened = self.playback().open(row, grant_for(row))
        with closing(opened):
            return b"".join(opened.read(0, opened.size))

    def plaintext(self, data: bytes) -> list[Path]:
        """Files outside the spool that hold a recognisable stretch of `data`."""
        marks = [data[at : at + 64] for at in range(44, len(data) - 64, max(1, len(data) // 16))]
        return [
            path
            for path in self.directory.rglob("*")
            if path.is_file() and not path.is_relative_to(self.spool)
            for held in [path.read_bytes()]
            if any(mark in held for mark in marks)
        ]


def grant_for(row: RecordingRow) -> Grant:
    """A Grant as `usable` would make it; grants themselves are tried in test_grants."""
    return Grant(1, 1, "supervisor", row.id, "verify", NOW + SECOND)
