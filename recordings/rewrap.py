"""A new header for a recording that stays: the same file key, wrapped to another key.

The payload is not touched, and never encrypted again under its nonce.  It is read once, to be sure
that it is what was catalogued and to hash it behind the new header.  What always holds: an object
is never overwritten, the new header is a new object of the next version; until the row names that
version, the old one counts and plays; a new header that nobody's row names is anybody's to replace.
Stanzas that wrap nothing (which recording this is) go along unchanged.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from recordings import header as headers
from recordings import sealed
from recordings.errors import EvidenceAltered, ObjectExists, ObjectMissing, SealedError
from recordings.header import Header
from recordings.keys import Identity, encode_recipient
from recordings.naming import PAYLOAD, PEAKS, header_of
from recordings.place import Store
from recordings.tables import RecordingRow

_WRAPS = "X25519"
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """What the row has to say once the new header lies in every store."""

    key_id: str
    recipient: str
    header: bytes
    sealed_sha256: bytes
    version: int


def rewrap(
    stores: Sequence[Store],
    row: RecordingRow,
    old: Identity,
    new: Identity,
    entropy: Callable[[int], bytes],
) -> Rewrapped:
    """Put the next header into every store; then `apply` it, and once that is committed, `tidy`.

    Raises EvidenceAltered where the recording is not what was catalogued, ObjectMissing,
    SealedError where `old` does not open it.  Done again, it ends the same.
    """
    header, _ = headers.parse(row.header)
    file_key = sealed.unwrap(header, [old.secret])
    version = row.header_version + 1
    name = header_of(row.object_key, version)
    made = _lying(stores[0], name, header, file_key, new) or _made(header, file_key, new, entropy)
    sealed_sha256 = _hashed(stores[0], row, made)
    for store in stores:
        _put(store, name, made)
    recipient = encode_recipient(sealed.public_of(new.secret))
    return Rewrapped(new.key_id, recipient, made, sealed_sha256, version)


def apply(row: RecordingRow, done: Rewrapped) -> None:
    """Let the row name the new header; the old one counts no more once this is committed."""
    row.sealed_size += len(done.header) - len(row.header)
    row.key_id, row.recipient = done.key_id, done.recipient
    row.header, row.header_sha256 = done.header, hashlib.sha256(done.header).digest()
    row.sealed_sha256, row.header_version = done.sealed_sha256, done.version
    row.peaks_sha256, row.peaks_size = None, 0


def tidy(stores: Sequence[Store], row: RecordingRow) -> None:
    """Remove what counts no more: earlier headers, and the outline, which has a file key and a
    header of its own and is not worth a second format: the recording plays without it."""
    for store in stores:
        for name in (*(header_of(row.object_key, n) for n in range(1, row.header_version)),
                     row.object_key + PEAKS):  # fmt: skip
            with suppress(ObjectMissing):
                store.remove(name)


def _beside(header: Header) -> tuple[headers.Stanza, ...]:
    return tuple(one for one in header.stanzas if one.args[0] != _WRAPS)


def _made(header: Header, file_key: bytes, new: Identity, entropy: Callable[[int], bytes]) -> bytes:
    wrapped = sealed.wrap(file_key, sealed.public_of(new.secret), entropy(sealed.X25519_KEY))
    stanzas = (wrapped, *_beside(header))
    return Header(stanzas, headers.mac(stanzas, file_key)).encode()


def _lying(store: Store, name: str, header: Header, file_key: bytes, new: Identity) -> bytes | None:
    """The header an earlier try has put there, if it is to be the same."""
    try:
        data = store.read_at(name, 0, headers.MAX_HEADER)
        found, length = headers.parse(data)
        opened = sealed.unwrap(found, [new.secret])
    except (ObjectMissing, SealedError):
        return None
    fits = opened == file_key and length == len(data) and _beside(found) == _beside(header)
    return data if fits else None


def _put(store: Store, name: str, data: bytes) -> None:
    try:
        store.put(name, data)
    except ObjectExists:
        if store.read_at(name, 0, headers.MAX_HEADER) == data:
            return
        store.remove(name)
        store.put(name, data)


def _hashed(store: Store, row: RecordingRow, made: bytes) -> bytes:
    """SHA-256 of the new header and the payload; the old header's and payload's must be the
    row's."""
    before, after = hashlib.sha256(row.header), hashlib.sha256(made)
    stored = store.read_at(header_of(row.object_key, row.header_version), 0, headers.MAX_HEADER)
    buffer = memoryview(bytearray(_BLOCK))
    with store.open(row.object_key + PAYLOAD) as file:
        while count := file.readinto(buffer):
            before.update(buffer[:count])
            after.update(buffer[:count])
    if stored != row.header or before.digest() != row.sealed_sha256:
        raise EvidenceAltered(
            "存储中的录音与入库时不一致，未改封；请从备份恢复后再试。 The stored recording is not "
            "what was catalogued; it was not re-wrapped: restore it from the backup, then go on."
        )
    return after.digest()
