"""One recording copied from one store into another, compared on the way.

What always holds: nothing is published in the other store but what hashes to the catalogue's word,
payload before header, so that where a header lies its payload does, and the outline last, for a
spoilt one must not keep the evidence back; what lies there already is not replaced; sealed bytes
alone are read, in constant memory.  Of several headers the one that counts is taken.
"""

import hashlib
from collections.abc import Collection, Iterator

from recordings import evidence
from recordings import header as headers
from recordings.errors import EvidenceAltered, ObjectExists, ObjectUnreadable
from recordings.manifest import Kept
from recordings.naming import PAYLOAD, PEAKS, header_of
from recordings.place import Store

_BLOCK = 1 << 20


def objects(kept: Kept) -> list[str]:
    """The keys of a recording's objects, in the order they are published."""
    outline = [kept.object_key + PEAKS] if kept.peaks_sha256 else []
    header = header_of(kept.object_key, kept.header_version)
    return [kept.object_key + PAYLOAD, header, *outline]


def verify(kept: Kept, store: Store, below: str = "") -> None:
    """Whether all of it lies in `store`, under `below`, as it was catalogued; raises as
    `evidence.verify`."""
    key = below + kept.object_key
    evidence.verify(store, key, kept.sealed_sha256, version=kept.header_version)
    if kept.peaks_sha256:
        _outline(kept, store, below)


def copy(
    kept: Kept, store: Store, target: Store, missing: Collection[str], below: str = ""
) -> None:
    """Put the `missing` ones of `objects` into `target`, under `below` and their own keys.

    A payload that is not missing was compared when it was put there; where one turns out to be
    there, both are compared now.  Raises EvidenceAltered, ObjectMissing or ObjectUnreadable where
    `store` does not have what was catalogued; StoreError or OSError otherwise is of `target`.
    """
    if _put(kept, _header(kept, store), store, target, missing, below):
        verify(kept, target, below)


def put_back(kept: Kept, backup: Store, of: str, store: Store, missing: Collection[str]) -> None:
    """Put the `missing` ones of `objects` into `store` out of `backup`, where they lie under `of`.

    The header is the catalogue's own.  What was not missing is not looked at.  Raises as `copy`.
    """
    if hashlib.sha256(kept.header).digest() != kept.header_sha256:
        raise _altered()
    _put(kept, kept.header, backup, store, missing, of=of)


def _put(
    kept: Kept,
    header: bytes,
    store: Store,
    target: Store,
    missing: Collection[str],
    below: str = "",
    of: str = "",
) -> bool:
    """Whether some of it turned out to lie in `target` already."""
    existed = False
    payload, *small = objects(kept)
    if payload in missing:
        with target.upload(below + payload) as upload:
            digest = hashlib.sha256(header)
            for piece in _pieces(store, of + payload):
                digest.update(piece)
                upload.write(piece)
            if digest.digest() != kept.sealed_sha256:
                raise _altered()
            try:
                upload.publish()
            except ObjectExists:  # a run that was killed, or another at the same time
                existed = True
    for key in small:
        if key not in missing:
            existed = True
            continue
        held = _outline(kept, store, of) if key.endswith(PEAKS) else header
        try:
            target.put(below + key, held)
        except ObjectExists:
            existed = True
    return existed


def _outline(kept: Kept, store: Store, below: str = "") -> bytes:
    """The sealed outline, found to be what was catalogued."""
    held = b"".join(bytes(piece) for piece in _pieces(store, below + kept.object_key + PEAKS))
    if hashlib.sha256(held).digest() != kept.peaks_sha256:
        raise _altered()
    return held


def _header(kept: Kept, store: Store) -> bytes:
    key = header_of(kept.object_key, kept.header_version)
    try:
        header = store.read_at(key, 0, headers.MAX_HEADER)
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
