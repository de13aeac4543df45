"""Going through everything: the catalogue page by page, a store's names day by day.

What always holds: memory is a page of rows and the names of a few days, however much there is; no
transaction is open between two pages.
"""

from collections.abc import Callable, Iterator, Sequence

from recordings import catalogue
from recordings.capture import Begin
from recordings.place import Store
from recordings.tables import RecordingRow

Told = Callable[[int, int], None]
"""How far it is: recordings looked at, and all of them."""

_PAGE = 200
_DAYS = 8  # directories whose names are kept: PBXs and the days around one


def rows(begin: Begin, last_id: int) -> Iterator[RecordingRow]:
    """Every recording up to that id, ascending."""
    after = 0
    while True:
        with begin() as session:
            page = catalogue.following(session, after, last_id, _PAGE)
        if not page:
            return
        yield from page
        after = page[-1].id


class Days:
    """What a store lacks, its objects all lying under `below`; a directory is listed once."""

    def __init__(self, store: Store, below: str = "") -> None:
        self._store, self._below = store, below
        self._days: dict[str, set[str]] = {}

    def lacks(self, keys: Sequence[str]) -> list[str]:
        """Those of the keys, all of one directory, under which nothing lies."""
        day = self._below + keys[0].rpartition("/")[0]
        if day not in self._days:
            if len(self._days) >= _DAYS:
                del self._days[next(iter(self._days))]
            self._days[day] = set(self._store.keys(day))
        return [key for key in keys if self._below + key not in self._days[day]]
