"""What a store is, whoever keeps the bytes: objects written once under a key, read by ranges.

A key is a path without a leading slash (`2026/11/23/main/1763840000.12-9f1c2b3a.payload`), its
parts of letters, digits, `.`, `_` and `-`, none beginning with a dot.  What always holds in every
store: `publish` and `put` never replace an object, a key names the whole object or nothing, and
what they returned from is durable.  A store knows nothing of what it keeps; of recordings, only
what was sealed.  Only shapes stand here; store.py has the directory.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol


class Readable(Protocol):
    """An object being read from its beginning, in order."""

    def readinto(self, buffer: bytearray | memoryview, /) -> int:
        """Fill `buffer` from where the last call ended; the number of bytes, 0 at the end."""


class Growing(Protocol):
    """Bytes being written that can be read back: what sealing asks for."""

    def write(self, data: bytes | memoryview) -> None:
        """Append to the object."""

    def reread(self, at: int, size: int) -> bytearray | None:
        """What was written at `at`, as the place holds it, good until the next time; None where it
        shows nothing before `publish`, and has to be verified after it."""

    def settle(self) -> None:
        """Bring what was written so far to the disk already, or do nothing: it promises nothing,
        and makes `publish` short."""


class Upload(Growing, Protocol):
    """An object under way: written to, then published, once."""

    def publish(self) -> None:
        """Make the object durable and visible; raises ObjectExists where the key is taken."""


class Store(Protocol):
    """A place of sealed objects.  Every method raises StoreError for what is no key."""

    def upload(self, key: str) -> AbstractContextManager[Upload]:
        """Write an object: `upload.write(…)`, then `upload.publish()`; without it nothing stays."""

    def put(self, key: str, data: bytes) -> None:
        """Write a small object whole; raises ObjectExists."""

    def size(self, key: str) -> int:
        """Bytes of the object; raises ObjectMissing."""

    def read_at(self, key: str, start: int, stop: int) -> bytes:
        """The bytes [start, stop), fewer where the object ends before; raises ObjectMissing."""

    def reader(self, key: str) -> AbstractContextManager[Callable[[int, int], bytes]]:
        """`read_at` of one object, again and again; raises ObjectMissing on entering."""

    def open(self, key: str) -> AbstractContextManager[Readable]:
        """The object to be read from its beginning; raises ObjectMissing."""

    def remove(self, key: str) -> None:
        """Remove an object; raises ObjectMissing."""

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """The keys below a directory of the store ("": of all), greater than `after`, ascending.

        In constant memory, however many there are; none where there is no such directory.  What is
        written or removed meanwhile may be among them or not.
        """

    def remove_partials(self, before: int) -> int:
        """Remove what uploads left behind that died before `before` (µs); returns how many."""
