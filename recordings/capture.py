"""A finished WAV → sealed → stored → verified → catalogued → and only then gone from the spool.

The steps of one WAV, in an order in which a crash after any of them loses nothing:

    1  seal into the store's temporary file     only the public key is here; read back at once
    2  sync, publish payload, peaks, header     put-if-absent; names are synced too
    3  read back peaks and header               (storing.py does 1 to 3)
    4  commit the row                           with what the gateway hangs on it (`on_captured`)
    5  remove the WAV, sync its directory

Before 4 the WAV is whole: the next start seals it again, under a new object name, and orphans.py
removes what was left.  After 4 the evidence is whole: the next start finds the row, compares WAV,
row and stored objects once more, and does 5.  What always holds: a WAV is removed only when a
committed row and stored bytes with the row's hash stand for exactly its bytes; a WAV that cannot
be sealed stays, and stands in the list of troubles with its reason; one WAV never stops another.

This module knows nothing of private keys, of what a call is, or of when to look again (watch.py).
"""

import logging
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from sqlalchemy.orm import Session

from recordings import catalogue, evidence, naming, spool, troubles, wav
from recordings.disk import Disk
from recordings.errors import CaptureError, KeyMissing, KeysError, RecordingsError
from recordings.keys import Recipient, Recipients, key_id_at
from recordings.place import Store
from recordings.storing import Entropy, Objects, Source, store_sealed
from recordings.tables import RecordingRow

log = logging.getLogger(__name__)

_Mark = tuple[int, int, int]
Begin = Callable[[], AbstractContextManager[Session]]
OnCaptured = Callable[[Session, RecordingRow], None]

SETTLE_S = 30
_AT_ONCE = 200
_STRANGE_US = 48 * 3600 * 1_000_000
_RETRY_S = (5, 10, 20, 40, 60)


@dataclass(frozen=True, slots=True)
class Captured:
    """A WAV that is sealed, catalogued and gone from the spool."""

    recording_id: int
    name: str
    object_key: str
    condition: str
    plain_size: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class _Stored:
    """Sealed and verified in the store, not yet catalogued; `mark` tells the WAV's version."""

    mark: _Mark
    row: dict[str, object]


class Capture:
    """Seals the WAVs of one PBX's spool."""

    def __init__(
        self,
        directory: Path,
        pbx: str,
        recipients: Recipients,
        store: Store,
        begin: Begin,
        clock: Callable[[], int],
        on_captured: OnCaptured = lambda _session, _row: None,
        *,
        entropy: Entropy = os.urandom,
        disk: Disk | None = None,
    ) -> None:
        """`begin` gives a unit of work; `on_captured` runs inside the row's transaction."""
        self._directory, self._pbx = directory, naming.checked(pbx)
        self._recipients, self._store = recipients, store
        self._begin, self._clock, self._on_captured = begin, clock, on_captured
        self._entropy, self._disk = entropy, disk or Disk()
        self._stored: dict[str, _Stored] = {}
        self._waiting: dict[str, tuple[int, int]] = {}

    def once(self, *, sweep: bool = True, settle_s: int = SETTLE_S) -> list[Captured]:
        """Seal every finished WAV there is now; what fails is written down and tried again later.

        `sweep` looks through the whole spool and not into `ready/` alone.
        """
        now = self._clock()
        found = [
            one
            for one in spool.look(self._directory, now, settle_s, sweep=sweep)
            if self._waiting.get(one.name, (0, 0))[1] <= now
        ]
        done: list[Captured] = []
        for at in range(0, len(found), _AT_ONCE):
            batch = found[at : at + _AT_ONCE]
            with self._begin() as session:
                rows = catalogue.by_names(session, self._pbx, [one.known_as for one in batch])
            taken = (self._take_or_note(one, rows.get(one.known_as)) for one in batch)
            done += [captured for captured in taken if captured]
        return done

    def _take_or_note(self, found: spool.Found, row: RecordingRow | None) -> Captured | None:
        """One WAV; whatever goes wrong with it is noted, and the next one has its turn."""
        try:
            captured = self._take(found, row)
        except CaptureError as error:
            moved = (self._directory / spool.READY / found.path.name).exists()
            if error.what != "vanished" or not moved:
                self._note(found, error)
        except OSError as error:
            self._note(found, troubles.store_failed(error))
        except RecordingsError as error:
            self._note(found, CaptureError("store_failed", str(error)))
        except Exception as error:  # noqa: BLE001  the database's own; the next WAV is due
            self._note(found, troubles.not_committed(error))
        else:
            self._waiting.pop(found.name, None)
            return captured
        return None

    def _take(self, found: spool.Found, row: RecordingRow | None) -> Captured | None:
        """Steps 1 to 5; None where the WAV is still being written."""
        naming.checked(found.name)
        with spool.open_wav(found.path) as file:
            if not spool.is_finished(found, file, self._clock()):
                return None
            mark = _mark(file)
            known = row is not None
            if row is not None:
                self._compare(file, row)
            else:
                stored = self._stored.get(found.name)
                if stored is None or stored.mark != mark:
                    stored = self._seal(found.name, file, mark)
                    if stored is None:
                        return None
                    self._stored[found.name] = stored
                row = self._commit(found.name, stored)
            if _mark(file) == mark and _names(found.path, file):
                self._remove(found.path)
        if known:
            with self._begin() as session:
                catalogue.clear_trouble(session, self._pbx, found.name)
        return Captured(
            row.id, row.name, row.object_key, row.condition, row.plain_size, row.duration_ms
        )

    def _seal(self, name: str, file: FileIO, mark: _Mark) -> _Stored | None:
        """Steps 1 to 3; None where the WAV changed meanwhile, and nothing is kept then."""
        size, changed_at = mark[1], mark[2] // 1000
        about = wav.understand(os.pread(file.fileno(), wav.PEEK, 0), size)
        at = naming.recorded_at(name, changed_at, about.duration_ms)
        recipient = self._recipient(at)
        key = naming.object_key(self._pbx, name, at, self._entropy(4))
        source = Source(
            self._pbx,
            name,
            about,
            _reader(file),
            lambda start, stop: os.pread(file.fileno(), stop - start, start),
            lambda count: _mark(file) == mark and count == size,
        )
        objects = store_sealed(self._store, key, source, recipient, self._entropy)
        if objects is None:
            return None
        row = _row(source, key, recipient, objects)
        return _Stored(mark, row | {"recorded_at": at, "sealed_at": self._clock()})

    def _commit(self, name: str, stored: _Stored) -> RecordingRow:
        """Step 4.  When it fails, the sealed objects are kept for the next try: whether the
        database took the row may be unknown, and then removing them would lose the evidence."""
        row = RecordingRow(**stored.row)
        try:
            with self._begin() as session:
                session.add(row)
                session.flush()
                catalogue.clear_trouble(session, self._pbx, name)
                self._on_captured(session, row)
        except Exception as error:  # the database's own errors and those of the gateway's hook
            raise troubles.not_committed(error) from error
        self._stored.pop(name, None)
        return row

    def _compare(self, file: FileIO, row: RecordingRow) -> None:
        """A row stands already: a crash came before step 5, or the name was used twice."""
        if evidence.sha256_of(file) != row.plain_sha256:
            raise troubles.name_reused()
        version = row.header_version
        evidence.verify(self._store, row.object_key, row.sealed_sha256, version=version)

    def _recipient(self, at: int) -> Recipient:
        """The key of the recording's month; of this month where that one is not there, or where
        the recording, by the PBX's clock, is not of these days: a key must not be as old as a
        clock that is wrong says, for it is destroyed by its month."""
        now = self._clock()
        try:
            if abs(now - at) > _STRANGE_US:
                return self._recipients.of(key_id_at(now))
            try:
                return self._recipients.of(key_id_at(at))
            except KeyMissing:
                return self._recipients.of(key_id_at(now))
        except KeysError as error:
            raise CaptureError("no_key", str(error)) from error

    def _remove(self, path: Path) -> None:
        """Step 5.  A sync that fails is no trouble: should the name come back, it is met again."""
        try:
            self._disk.remove(path)
        except OSError as error:
            if not path.exists():
                return
            raise troubles.not_removed(error) from error
        with suppress(OSError):
            self._disk.sync_directory(path.parent)

    def _note(self, found: spool.Found, error: CaptureError) -> None:
        """Write the trouble down and wait a little longer each time."""
        tries = self._waiting.get(found.name, (0, 0))[0]
        now = self._clock()
        pause = _RETRY_S[min(tries, len(_RETRY_S) - 1)]
        self._waiting[found.name] = (tries + 1, now + pause * 1_000_000)
        log.warning("recording %s not sealed: %s", found.known_as, error.what)
        try:
            with self._begin() as session:
                if error.what == "vanished" and catalogue.by_name(session, self._pbx, found.name):
                    return  # another process sealed it
                catalogue.note_trouble(
                    session, self._pbx, found.known_as, error.what, str(error), now
                )
        except Exception as trouble:  # noqa: BLE001  the list is on the same sick database
            log.warning("trouble not written down: %s", type(trouble).__name__)


def _row(source: Source, key: str, recipient: Recipient, objects: Objects) -> dict[str, object]:
    figures, about = objects.figures, source.about
    return {
        "pbx": source.pbx,
        "name": source.name,
        "object_key": key,
        "key_id": recipient.key_id,
        "recipient": recipient.text,
        "header": objects.header,
        "header_sha256": figures.header_sha256,
        "sealed_sha256": figures.sealed_sha256,
        "plain_sha256": figures.plain_sha256,
        "plain_size": figures.plain_size,
        "sealed_size": figures.sealed_size,
        "peaks_sha256": objects.peaks_sha256,
        "peaks_size": len(objects.peaks),
        "duration_ms": about.duration_ms,
        "sample_rate": about.sample_rate,
        "channels": about.channels,
        "data_offset": about.data_offset,
        "condition": about.condition,
    }


def _mark(file: FileIO) -> _Mark:
    """Inode, size and last change (ns) of the open file: equal means nobody wrote to it."""
    status = os.fstat(file.fileno())
    return status.st_ino, status.st_size, status.st_mtime_ns


def _names(path: Path, file: FileIO) -> bool:
    """Whether the path still names the file that was sealed."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _reader(file: FileIO) -> Callable[[memoryview], int | None]:
    """Read the WAV; its own failures are told apart from those of the store."""

    def read_into(buffer: memoryview) -> int | None:
        try:
            return file.readinto(buffer)
        except OSError as error:
            raise troubles.unreadable(error) from error

    return read_into
