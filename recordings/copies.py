"""A store and its second copy in another place, as one: written to the first, read from either.

What always holds: what is written goes to the first alone (copying.py brings it to the second);
what is read comes from the first, and from the second only where the first does not have it or
does not answer, and then that is said.  Where neither has it, what the first said is raised.  The
bytes are not judged here: an altered object of the first is not passed over in silence, it fails
where it is opened, and the scrub names it.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TypeVar

from recordings.errors import StoreError
from recordings.place import Readable, Store, Upload

log = logging.getLogger(__name__)

T = TypeVar("T")


class CopiedStore:
    """Two stores as one.  `told` hears the key of each read that the second had to answer."""

    def __init__(
        self, first: Store, second: Store, told: Callable[[str], None] = lambda _key: None
    ) -> None:
        self._first, self._second, self._told = first, second, told

    def upload(self, key: str) -> AbstractContextManager[Upload]:
        """Write an object to the first."""
        return self._first.upload(key)

    def put(self, key: str, data: bytes) -> None:
        """Write a small object to the first; raises ObjectExists."""
        self._first.put(key, data)

    def size(self, key: str) -> int:
        """Bytes of the object; raises ObjectMissing."""
        return self._either(key, lambda store: store.size(key))

    def read_at(self, key: str, start: int, stop: int) -> bytes:
        """The bytes [start, stop), fewer where the object ends before; raises ObjectMissing."""
        return self._either(key, lambda store: store.read_at(key, start, stop))

    @contextmanager
    def reader(self, key: str) -> Iterator[Callable[[int, int], bytes]]:
        """`read_at` of one object; a first that stops answering in between is passed over too."""
        with ExitStack() as stack:
            of_first = self._either(key, lambda store: stack.enter_context(store.reader(key)))

            def read(start: int, stop: int) -> bytes:
                try:
                    return of_first(start, stop)
                except (StoreError, OSError) as error:
                    return self._second_for(key, error, lambda s: s.read_at(key, start, stop))

            yield read

    def open(self, key: str) -> AbstractContextManager[Readable]:
        """The object to be read from its beginning; raises ObjectMissing."""
        return self._either(key, lambda store: store.open(key))

    def remove(self, key: str) -> None:
        """Remove an object of the first; raises ObjectMissing."""
        self._first.remove(key)

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """The keys of the first."""
        return self._first.keys(prefix, after=after)

    def remove_partials(self, before: int) -> int:
        """Remove what uploads to the first left behind."""
        return self._first.remove_partials(before)

    def _either(self, key: str, act: Callable[[Store], T]) -> T:
        try:
            return act(self._first)
        except (StoreError, OSError) as error:
            return self._second_for(key, error, act)

    def _second_for(self, key: str, error: Exception, act: Callable[[Store], T]) -> T:
        try:
            done = act(self._second)
        except (StoreError, OSError):
            raise error from None
        log.warning("%s: read from the second copy (%s)", key, type(error).__name__)
        self._told(key)
        return done
