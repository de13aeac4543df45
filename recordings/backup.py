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
from dataclasses import dataclass, field

from recordings import catalogue, copying, listing, manifest
from recordings.capture import Begin
from recordings.errors import EvidenceAltered, ObjectMissing, ObjectUnreadable
from recordings.listing import Days, Told
from recordings.manifest import OBJECTS, Failures, Kept, Manifest
from recordings.place import Store
from recordings.tables import RecordingRow


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
    _there: Days = field(init=False)

    def __post_init__(self) -> None:
        self._there = Days(self.target, OBJECTS)

    def take(self, row: RecordingRow) -> bytes:
        """The row's line for the catalogue once its objects are in the backup; else nothing."""
        try:
            kept = Kept.of(row)
            if missing := self._there.lacks(copying.objects(kept)):
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
        kept = (row for row in listing.rows(begin, last_id) if row.destroyed_at is None)
        for done, row in enumerate(kept, 1):
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
