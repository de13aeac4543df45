"""Sealed objects no row names: what a crash between storing and cataloguing leaves behind.

An orphan is removed only when it is superseded: the same recording of the same PBX has a row that
names another object, and that object is there.  An orphan whose recording has no row is left
alone: its WAV will be sealed again, or, where the database was set back to an earlier day, the
orphan is the only copy of the evidence.
"""

from contextlib import suppress
from itertools import islice

from recordings import catalogue, naming
from recordings.capture import Begin
from recordings.errors import ObjectMissing
from recordings.store import DirectoryStore

DAYS = 3
_DAY_US = 24 * 3600 * 1_000_000
_PARTIAL_US = 6 * 3600 * 1_000_000
_AT_ONCE = 500


def tidy(store: DirectoryStore, begin: Begin, pbx: str, now: int) -> list[str]:
    """Remove superseded orphans of the last DAYS days and uploads dead for hours.

    Returns the keys removed.  An orphan older than that is clutter, not a danger: it is sealed.
    """
    store.remove_partials(now - _PARTIAL_US)
    removed: list[str] = []
    for day in range(DAYS):
        keys = iter(store.keys(naming.directory(pbx, now - day * _DAY_US)))
        while batch := list(islice(keys, _AT_ONCE)):
            removed += _tidy(store, begin, pbx, batch)
    return removed


def _tidy(store: DirectoryStore, begin: Begin, pbx: str, keys: list[str]) -> list[str]:
    with begin() as session:
        names = {naming.name_in(key) for key in keys}
        rows = {n: r.object_key for n, r in catalogue.by_names(session, pbx, names).items()}
    removed = []
    for key in keys:
        named = rows.get(naming.name_in(key))
        if named and key.rpartition(".")[0] != named and _is_there(store, named):
            with suppress(ObjectMissing):
                store.remove(key)
                removed.append(key)
    return removed


def _is_there(store: DirectoryStore, object_key: str) -> bool:
    try:
        store.size(object_key + naming.HEADER)
        store.size(object_key + naming.PAYLOAD)
    except ObjectMissing:
        return False
    return True
