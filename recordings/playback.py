"""Grant → bytes in a range: the only door to the private key.

What is checked before a byte leaves, in this order: the Grant is for this recording; the
catalogue's header hashes to the catalogue's hash; the stored header is that same header; the
stored size is the catalogued one; the header's MAC fits; the payload's final chunk authenticates.
Then each chunk is released only once it has authenticated itself.  Two recordings exchanged in
the store, a row pointed at another file, a flipped bit, a payload cut off: all are EvidenceAltered
before the bytes concerned are served.  Nothing is written anywhere; memory is one chunk.

A header whose lengths the PBX never wrote is mended in the served bytes alone (wav.py).  That the
line in the log is committed first is the caller's duty: `open` reads the evidence, and only
`Opened.read` gives any of it away.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from recordings import header as headers
from recordings import sealed, wav
from recordings.errors import Destroyed, EvidenceAltered, NotGranted, SealedError
from recordings.grants import Grant
from recordings.keys import Keyring
from recordings.naming import PAYLOAD, header_of
from recordings.place import Store
from recordings.tables import RecordingRow

CONTENT_TYPE = "audio/wav"


@dataclass(frozen=True, slots=True)
class Opened:
    """A recording that can be read; it holds the file key in memory as long as it lives."""

    size: int
    etag: str
    _payload: sealed.Payload = field(repr=False)
    _patch: tuple[tuple[int, bytes], ...] = ()
    content_type: str = CONTENT_TYPE

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the plaintext [start, stop); raises EvidenceAltered where a chunk does not fit."""
        try:
            for piece in self._payload.read(start, stop):
                yield self._mended(start, piece)
                start += len(piece)
        except SealedError as error:
            raise _altered() from error

    def _mended(self, start: int, piece: bytes) -> bytes:
        out = bytearray(piece) if self._patch else piece
        for at, value in self._patch:
            low, high = max(at, start), min(at + len(value), start + len(piece))
            if low < high and isinstance(out, bytearray):
                out[low - start : high - start] = value[low - at : high - at]
        return bytes(out)


class Playback:
    """Opens recordings of one store with the private keys of one keyring."""

    def __init__(self, store: Store, identities: Keyring) -> None:
        self._store, self._identities = store, identities

    def open(self, row: RecordingRow, grant: Grant) -> Opened:
        """Check everything that can be checked without reading it all, and open.

        Raises NotGranted, Destroyed, EvidenceAltered, ObjectMissing, KeyMissing.
        """
        if grant.recording_id != row.id:
            raise NotGranted("授权与录音不符。 The grant is for another recording.")
        if row.destroyed_at is not None:
            raise Destroyed(
                f"该录音已到期销毁，见销毁证明 {row.destroyed_plan}。 "
                f"This recording was destroyed on time: see certificate {row.destroyed_plan}."
            )
        key = row.object_key
        self._check_catalogue(row)
        identity = self._identities.of(row.key_id)
        try:
            header, _ = headers.parse(row.header)
            file_key = sealed.unwrap(header, [identity.secret])
            payload = sealed.Payload(
                lambda start, stop: self._store.read_at(key + PAYLOAD, start, stop),
                row.sealed_size - len(row.header),
                file_key,
            )
        except SealedError as error:
            raise _altered() from error
        if payload.size != row.plain_size:
            raise _altered()
        return Opened(payload.size, f'"{row.sealed_sha256.hex()}"', payload, _patch_of(row))

    def _check_catalogue(self, row: RecordingRow) -> None:
        stored = self._store.read_at(
            header_of(row.object_key, row.header_version), 0, headers.MAX_HEADER
        )
        size = self._store.size(row.object_key + PAYLOAD) + len(stored)
        hashed = hashlib.sha256(row.header).digest()
        if hashed != row.header_sha256 or stored != row.header or size != row.sealed_size:
            raise _altered()


def _patch_of(row: RecordingRow) -> tuple[tuple[int, bytes], ...]:
    if row.condition != "header_unfilled":
        return ()
    return wav.patch(wav.Wav(row.condition, row.data_offset, row.plain_size - row.data_offset))


def _altered() -> EvidenceAltered:
    return EvidenceAltered(
        "录音与入库时不一致，已停止播放，请报审计。 "
        "The recording is not what was catalogued; playback stopped: tell the auditor."
    )
