"""One recording copied from one store into another, compared on the way.

What always holds: nothing is published in the other store but what hashes to the catalogue's word,
payload before header, so that where a header lies its payload does; what lies there already is
not replaced; sealed bytes alone are read, in constant memory.
"""

import hashlib
from collections.abc import Collection, Iterator

from recordings import evidence
from recordings import header as headers
from recordings.errors import EvidenceAltered, ObjectExists, ObjectUnreadable
from recordings.manifest import Kept
from recordings.naming import HEADER, PAYLOAD
from recordings.place import Store

OBJECTS = (PAYLOAD, HEADER)
"""A recording's objects, in the order they are published."""

_BLOCK = 1 << 20


def copy(
    kept: Kept, store: Store, target: Store, missing: Collection[str], below: str = ""
) -> None:
    """Put the `missing` ones of OBJECTS into `target`, under `below` and their own keys.

    A payload that is not missing was compared when it was put there; where one turns out to be
    there, both are compared now.  Raises EvidenceAltered, ObjectMissing or ObjectUnreadable where
    `store` does not have what was catalogued; StoreError or OSError otherwise is of `target`.
    """
    header, existed = _header(kept, store), False
    if PAYLOAD in missing:
        with target.upload(below + kept.object_key + PAYLOAD) as upload:
            digest = hashlib.sha256(header)
            for piece in _pieces(store, kept.object_key + PAYLOAD):
                digest.update(piece)
                upload.write(piece)
            if digest.digest() != kept.sealed_sha256:
                raise _altered()
            try:
                upload.publish()
            except ObjectExists:  # a run that was killed, or another at the same time
                existed = True
    try:
        target.put(below + kept.object_key + HEADER, header)
    except ObjectExists:
        existed = True
    if existed:
        evidence.verify(target, below + kept.object_key, kept.sealed_sha256)


def _header(kept: Kept, store: Store) -> bytes:
    try:
        header = store.read_at(kept.object_key + HEADER, 0, headers.MAX_HEADER)
    except OSError as error:
        raise unreadable(error) from error
    if header != kept.header or hashlib.sha256(header).digest() != kept.header_sha256:
        raise _altered()
    return header


def _pieces(store: Store, key: str) -> Iterator[memoryview]:
    """The object's bytes; what the store's own disk or network refuses is told apart."""
    buffer = memoryview(bytearray(_BLOCK))
    try:
        source = store.open(key)
        with source as file:
            while count := file.readinto(buffer):
                yield buffer[:count]
    except OSError as error:
        raise unreadable(error) from error


def unreadable(error: OSError) -> ObjectUnreadable:
    """Told where a store has an object and does not give its bytes."""
    return ObjectUnreadable(
        f"存储中的录音读不出（{error.strerror or type(error).__name__}），请查磁盘或网络。 "
        "The store does not give this recording's bytes: look at its disk or network."
    )


def _altered() -> EvidenceAltered:
    return EvidenceAltered(
        "存储中的录音与入库时不一致，未复制；请查以前的备份。 The stored recording is not the one "
        "that was catalogued; it was not copied: look into an earlier backup."
    )
