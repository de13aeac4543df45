"""Sealed objects no row names: what a crash between storing and cataloguing leaves behind.

An orphan is removed only when it is superseded: the same recording of the same PBX has a row that
names another object, that object is one of this recording, and both its parts still hash to what
was catalogued.  A row that was pointed at some other object supersedes nothing: then the "orphan"
is the evidence.  An orphan whose recording has no row is left alone too: its WAV will be sealed
again, or, where the database was set back to an earlier day, the orphan is the only copy.
"""

from contextlib import suppress
from itertools import islice

from recordings import catalogue, evidence, naming
from recordings.capture import Begin
from recordings.errors import EvidenceAltered, ObjectMissing, StoreError
from recordings.place import Store
from recordings.tables import RecordingRow

DAYS = 3
_DAY_US = 24 * 3600 * 1_000_000
_PARTIAL_US = 6 * 3600 * 1_000_000
_AT_ONCE = 500


def tidy(store: Store, begin: Begin, pbx: str, now: int) -> list[str]:
    """Remove superseded orphans of the last DAYS days and uploads dead for hours.

    Returns the keys removed.  An orphan older than that is clutter, not a danger: it is sealed.
    """
    store.remove_partials(now - _PARTIAL_US)
    removed: list[str] = []
    for day in range(DAYS):
        keys = store.keys(naming.directory(pbx, now - day * _DAY_US))
        while batch := list(islice(keys, _AT_ONCE)):
            removed += _tidy(store, begin, pbx, batch)
    return removed


def _tidy(store: Store, begin: Begin, pbx: str, keys: list[str]) -> list[str]:
    with begin() as session:
        rows = catalogue.by_names(session, pbx, {naming.name_in(key) for key in keys})
    removed = []
    stands: dict[str, bool] = {}
    for key in keys:
        row = rows.get(naming.name_in(key))
        if row is None or key.rpartition(".")[0] == row.object_key:
            continue
        if row.name not in stands:
            stands[row.name] = _stands(store, row)
        if stands[row.name]:
            with suppress(ObjectMissing):
                store.remove(key)
                removed.append(key)
    return removed


def _stands(store: Store, row: RecordingRow) -> bool:
    """Whether the row names an object of its own recording, and that one is what was sealed."""
    named = row.object_key
    if (naming.pbx_in(named), naming.name_in(named)) != (row.pbx, row.name):
        return False
    try:
        evidence.verify(store, named, row.sealed_sha256, version=row.header_version)
    except (EvidenceAltered, StoreError):
        return False
    return True
