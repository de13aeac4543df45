"""Grant → bytes in a range: the only door to the private key.

What is checked before a byte leaves, in this order: the Grant is for this recording; the log says
of it what the row says (`sealed_as`); the catalogue's header hashes to the catalogue's hash; the
stored header is that same header; the stored size is the catalogued one; the header names this
recording, and its MAC fits; the payload's final chunk authenticates.  Then each chunk is released
only once it has authenticated itself.  Two recordings exchanged in the store, a row pointed at
another file, two rows exchanged, a flipped bit, a payload cut off: all are EvidenceAltered before
the bytes concerned are served.  A private key that is not the one it was sealed to is WrongKey:
then the evidence is whole and the keyring is not.  Nothing is written anywhere; memory is a run
of chunks.

A header whose lengths the PBX never wrote is mended in the served bytes alone (wav.py).  That the
line in the log is committed first is the caller's duty: `open` reads the evidence, and only
`Opened.read` gives any of it away.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

from recordings import binding, peaks, sealed, seeking, wav
from recordings import header as headers
from recordings.errors import Destroyed, EvidenceAltered, NoMatch, NotGranted, SealedError, WrongKey
from recordings.grants import Grant
from recordings.keys import Keyring
from recordings.naming import PAYLOAD, PEAKS, header_of
from recordings.peaks import Peaks
from recordings.place import Store
from recordings.tables import RecordingRow

CONTENT_TYPE = "audio/wav"
SealedAs = Callable[[RecordingRow], bool]


@dataclass(frozen=True, slots=True)
class Opened:
    """A recording that can be read; as long as it lives it holds the file key in memory and the
    object open.  `close` it."""

    size: int
    etag: str
    close: Callable[[], None] = field(repr=False)
    _payload: seeking.Payload = field(repr=False)
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
        beyond = start + len(piece)
        if not any(start < at + len(value) and at < beyond for at, value in self._patch):
            return piece
        out = bytearray(piece)
        for at, value in self._patch:
            low, high = max(at, start), min(at + len(value), beyond)
            if low < high:
                out[low - start : high - start] = value[low - at : high - at]
        return bytes(out)


class Playback:
    """Opens recordings of one store with the private keys of one keyring.

    `sealed_as(row)` tells whether the log holds what the row says of its recording: without that,
    whoever may write to the catalogue could exchange two rows wholly.
    """

    def __init__(self, store: Store, identities: Keyring, sealed_as: SealedAs) -> None:
        self._store, self._identities, self._sealed_as = store, identities, sealed_as

    def open(self, row: RecordingRow, grant: Grant) -> Opened:
        """Check everything that can be checked without reading it all, and open.

        Raises NotGranted, Destroyed, EvidenceAltered, WrongKey, ObjectMissing, KeyMissing.
        """
        self._check(row, grant)
        secret = self._identities.of(row.key_id).secret
        with ExitStack() as stack:
            read = stack.enter_context(self._store.reader(row.object_key + PAYLOAD))
            header = _parsed(row.header)
            binding.check(header, binding.AUDIO, row.pbx, row.name, required=False)
            file_key = _unwrapped(header, secret, row.key_id)
            try:
                payload = seeking.Payload(read, row.sealed_size - len(row.header), file_key)
            except SealedError as error:
                raise _altered() from error
            if payload.size != row.plain_size:
                raise _altered()
            close = stack.pop_all().close
        return Opened(payload.size, etag(row), close, payload, _patch_of(row))

    def peaks(self, row: RecordingRow, grant: Grant) -> Peaks | None:
        """The outline of the recording's loudness, or None where none was made; raises as `open`.

        It is shown as the recording is: by a grant, with its line in the log committed before.
        """
        self._check(row, grant)
        if row.peaks_sha256 is None:
            return None
        secret = self._identities.of(row.key_id).secret
        file = self._store.read_at(row.object_key + PEAKS, 0, row.peaks_size + 1)
        if hashlib.sha256(file).digest() != row.peaks_sha256:
            raise _altered()
        header = _parsed(file)
        binding.check(header, binding.PEAKS, row.pbx, row.name, required=True)
        file_key = _unwrapped(header, secret, row.key_id)
        try:
            return peaks.decode(sealed.decrypt_whole(file[len(header.encode()) :], file_key))
        except SealedError as error:
            raise _altered() from error

    def _check(self, row: RecordingRow, grant: Grant) -> None:
        if grant.recording_id != row.id:
            raise NotGranted("授权与录音不符。 The grant is for another recording.")
        if row.destroyed_at is not None:
            raise Destroyed(
                f"该录音已到期销毁，见销毁证明 {row.destroyed_plan}。 "
                f"This recording was destroyed on time: see certificate {row.destroyed_plan}."
            )
        if not self._sealed_as(row):
            raise EvidenceAltered(
                "目录与日志中封存时的记录不一致，已停止播放，请报审计。 "
                "The catalogue is not what the log says was sealed; playback stopped: tell the "
                "auditor."
            )
        stored = self._store.read_at(
            header_of(row.object_key, row.header_version), 0, headers.MAX_HEADER
        )
        size = self._store.size(row.object_key + PAYLOAD) + len(stored)
        hashed = hashlib.sha256(row.header).digest()
        if hashed != row.header_sha256 or stored != row.header or size != row.sealed_size:
            raise _altered()


def etag(row: RecordingRow) -> str:
    """The strong tag (RFC 9110, 8.8.3) of what is served of a recording."""
    return f'"{row.sealed_sha256.hex()}"'


def _parsed(data: bytes) -> headers.Header:
    try:
        return headers.parse(data)[0]
    except SealedError as error:
        raise _altered() from error


def _unwrapped(header: headers.Header, secret: bytes, key_id: str) -> bytes:
    try:
        return sealed.unwrap(header, [secret])
    except NoMatch as error:
        raise WrongKey(
            f"密钥环中 {key_id} 的私钥不是封存时所用的那一把；录音未改动，请找回原密钥环。 "
            f"The keyring's key {key_id} is not the one this was sealed to; the recording is as it "
            "was: bring the right keyring back."
        ) from error
    except SealedError as error:
        raise _altered() from error


def _patch_of(row: RecordingRow) -> tuple[tuple[int, bytes], ...]:
    if row.condition != "header_unfilled":
        return ()
    return wav.patch(wav.Wav(row.condition, row.data_offset, row.plain_size - row.data_offset))


def _altered() -> EvidenceAltered:
    return EvidenceAltered(
        "录音与入库时不一致，已停止播放，请报审计。 "
        "The recording is not what was catalogued; playback stopped: tell the auditor."
    )
