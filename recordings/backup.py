"""Every catalogued recording copied to another place, sealed as it is, and a list of what is there.

What always holds: a recording is copied only while its bytes hash to what the catalogue says, so
that nothing altered ever gets into a backup as if it were the evidence; what lies in the backup is
never replaced; a recording that cannot be copied is reported and stops no other; the manifest is
written last, so that a run that was killed is no run, and what it had copied serves the next.
Sealed bytes alone are read: there is no way from here to a private key.

A run copies what the backup does not have yet; what was destroyed in its time is no part of it.
Memory is one page of rows and the names of a few days, however much there is; no transaction is
open while bytes are copied.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from recordings import catalogue, copying, manifest
from recordings.capture import Begin
from recordings.errors import EvidenceAltered, ObjectMissing, ObjectUnreadable
from recordings.manifest import OBJECTS, Failures, Kept, Manifest
from recordings.place import Store
from recordings.tables import RecordingRow

Told = Callable[[int, int], None]
"""How far it is: recordings looked at, and all of them."""

_PAGE = 200
_DAYS = 8  # directories whose names are kept: PBXs and the days around one


@dataclass(frozen=True, slots=True)
class Backed:
    """What one run did; the `failed` ones are not in it."""

    manifest: Manifest
    copied: int
    copied_bytes: int
    failed: Failures


@dataclass(slots=True)
class _Run:
    """A run under way."""

    store: Store
    target: Store
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    recordings: int = 0
    sealed_bytes: int = 0
    copied: int = 0
    copied_bytes: int = 0
    failed: Failures = field(default_factory=Failures)
    _days: dict[str, set[str]] = field(default_factory=dict)

    def take(self, row: RecordingRow) -> bytes:
        """The row's line for the catalogue once its objects are in the backup; else nothing."""
        try:
            kept = Kept.of(row)
            if missing := self._missing(kept):
                copying.copy(kept, self.store, self.target, missing, OBJECTS)
                self.copied += 1
                self.copied_bytes += row.sealed_size
        except (EvidenceAltered, ObjectMissing, ObjectUnreadable) as error:
            self.failed.add(row.id, str(error))
            return b""
        line = manifest.line(row)
        self.digest.update(line)
        self.recordings += 1
        self.sealed_bytes += row.sealed_size
        return line

    def _missing(self, kept: Kept) -> list[str]:
        """Which of the recording's objects the backup lacks; a directory is listed once."""
        day = OBJECTS + kept.object_key.rpartition("/")[0]
        if day not in self._days:
            if len(self._days) >= _DAYS:
                del self._days[next(iter(self._days))]
            self._days[day] = set(self.target.keys(day))
        there = self._days[day]
        return [key for key in copying.objects(kept) if OBJECTS + key not in there]


def backup(
    begin: Begin,
    store: Store,
    target: Store,
    now: int,
    *,
    checkpoint: str = "",
    told: Told = lambda _done, _of: None,
) -> Backed:
    """Copy to `target` what it lacks of `store`, then write catalogue and manifest of the run.

    `checkpoint` is the newest signed note of the log.  Raises StoreError or OSError where `target`
    takes nothing more; what was copied stays there.
    """
    name = manifest.run_at(now)
    with begin() as session:
        last_id, total = catalogue.extent(session)
    run = _Run(store, target)
    with target.upload(manifest.catalogue_key(name)) as upload:
        for done, row in enumerate(_rows(begin, last_id), 1):
            if line := run.take(row):
                upload.write(line)
            told(done, max(done, total))
        upload.publish()
    made = Manifest(
        name, now, run.recordings, run.sealed_bytes, last_id, run.failed.count,
        run.digest.hexdigest(), checkpoint,
    )  # fmt: skip
    target.put(manifest.manifest_key(name), made.encode())
    return Backed(made, run.copied, run.copied_bytes, run.failed)


def _rows(begin: Begin, last_id: int) -> Iterator[RecordingRow]:
    after = 0
    while True:
        with begin() as session:
            page = catalogue.following(session, after, last_id, _PAGE)
        if not page:
            return
        yield from (row for row in page if row.destroyed_at is None)
        after = page[-1].id
