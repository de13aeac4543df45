"""Objects put back into the store out of a backup, or out of the second copy: what is missing.

What always holds: the catalogue says what belongs there, and nothing else is put there; a
recording is put back only while its bytes hash to the catalogue's word, by the header that the
catalogue itself keeps, so that an older backup serves a recording that was re-wrapped since; what
lies in the store is compared and never replaced; one that cannot be put back is named and stops no
other.  What was destroyed in its time stays destroyed, also where a database of an earlier day
does not know it yet and the keyring does.

A run that was killed is taken up by the next.  Memory is one page of rows and the names of a few
days; no transaction is open while bytes are copied.  Sealed bytes alone are read.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from recordings import catalogue, copying, listing, scrub
from recordings.capture import Begin
from recordings.errors import (
    EvidenceAltered,
    KeyDestroyed,
    KeysError,
    ObjectMissing,
    ObjectUnreadable,
)
from recordings.keys import Keyring
from recordings.listing import Days, Told
from recordings.manifest import Failures, Kept
from recordings.place import Store
from recordings.scrub import OnFound
from recordings.tables import RecordingRow
from recordings.tables_store import ALTERED, OK, STORE

_ALTERED = (
    "存储中已有而与目录不一致，未覆盖；请移走后再还原，并报审计。 What lies in the store is not "
    "what was catalogued; nothing was replaced: move it aside, restore again, tell the auditor."
)
_NOT_HERE = "此处也没有这份录音，请用另一份备份。 It is not here either: use another backup."
_ELSE = "放回后未能核对，请检查存储。 It could not be compared afterwards: look at the store."


@dataclass(slots=True)
class Restored:
    """What a run found: `whole` before, `put_back` now, `destroyed` in their time and left so; the
    `failed` ones are not whole."""

    whole: int = 0
    put_back: int = 0
    put_back_bytes: int = 0
    destroyed: int = 0
    failed: Failures = field(default_factory=Failures)

    def count(self, row: RecordingRow, how: str, *, put: bool) -> None:
        """One more that was looked at: found `how`, after something was `put` there."""
        if how != OK:
            self.failed.add(row.id, _ALTERED if how == ALTERED else _ELSE)
        elif put:
            self.put_back += 1
            self.put_back_bytes += row.sealed_size
        else:
            self.whole += 1


@dataclass(frozen=True, slots=True)
class Source:
    """Where objects come from: a store, and what their keys begin with there."""

    store: Store
    below: str = ""


def restore(
    begin: Begin,
    source: Source,
    store: Store,
    keyring: Keyring | None,
    clock: Callable[[], int],
    *,
    on_found: OnFound = lambda _session, _row, _place, _outcome: None,
    told: Told = lambda _done, _of: None,
) -> Restored:
    """Compare every catalogued recording with `store`, and put back what is missing there.

    Each is written down as found, as a scrub does.  Raises StoreError or OSError where `store`
    takes nothing more; what was put back stays.
    """
    with begin() as session:
        last_id, total = catalogue.extent(session)
    done, there, gone = Restored(), Days(store), _Gone(keyring)
    for count, row in enumerate(listing.rows(begin, last_id), 1):
        if gone(row):
            done.destroyed += 1
        else:
            try:
                put = _put_back(Kept.of(row), source, store, there)
                how = scrub.check(begin, STORE, store, [row.id], clock, on_found).get(row.id, "")
            except (EvidenceAltered, ObjectUnreadable) as error:
                done.failed.add(row.id, str(error))
            except ObjectMissing:
                done.failed.add(row.id, _NOT_HERE)
            else:
                done.count(row, how, put=put)
        told(count, max(count, total))
    return done


def _put_back(kept: Kept, source: Source, store: Store, there: Days) -> bool:
    """Whether anything was missing, and lies in the store now."""
    missing = there.lacks(copying.objects(kept))
    if missing:
        copying.put_back(kept, source.store, source.below, store, missing)
    return bool(missing)


class _Gone:
    """Whether a recording was destroyed in its time: its row says so, or the keyring of its key."""

    def __init__(self, keyring: Keyring | None) -> None:
        self._keyring = keyring
        self._known: dict[str, bool] = {}

    def __call__(self, row: RecordingRow) -> bool:
        if row.destroyed_at is not None:
            return True
        if row.key_id not in self._known:
            self._known[row.key_id] = self._destroyed(row.key_id)
        return self._known[row.key_id]

    def _destroyed(self, key_id: str) -> bool:
        if self._keyring is None:
            return False
        try:
            self._keyring.of(key_id)
        except KeyDestroyed:
            return True
        except KeysError:  # locked or lost: the recording may still be wanted
            return False
        return False
