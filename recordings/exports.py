"""An export: a recording sealed anew to the recipient's age key, and the sheet that goes with it.

The plaintext goes from the opened recording through memory into the new file, a chunk at a time; it
is on no disk, and no WAV leaves. File key and nonce are new: nothing of the evidence's own file is
used again. What always holds: under its key lies a whole age file, synced, or nothing (the store
publishes it only then); its hashes are of exactly the bytes read and written.

The custody sheet is canonical JSON: what was sealed, for whom, why, by whose yes, and when. The
log's line of the export holds the sheet's hash, so that neither can be changed alone. Who may
export at all is the gateway's to say.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from recordings import sealed
from recordings.keys import decode_recipient
from recordings.playback import Opened
from recordings.store import DirectoryStore
from recordings.tables import GrantRow, RecordingRow, RequestRow


@dataclass(frozen=True, slots=True)
class Exported:
    """The age file that was made: hashes of 32 bytes, `size` in bytes."""

    plain_sha256: bytes
    sealed_sha256: bytes
    size: int


def public_of(recipient: str) -> bytes:
    """The 32 bytes of an `age1…` key that something can be sealed to.

    Raises KeyInvalid for a text that is none, HeaderInvalid for a key of low order.
    """
    public = decode_recipient(recipient)
    sealed.wrap(bytes(sealed.FILE_KEY), public, bytes(sealed.X25519_KEY))
    return public


def reseal(
    opened: Opened,
    recipient: str,
    store: DirectoryStore,
    key: str,
    entropy: Callable[[int], bytes],
) -> Exported:
    """Seal what `opened` gives to `recipient`, under `key` of `store`.

    `entropy(n)` gives n random bytes. Raises EvidenceAltered where the recording does not
    authenticate to its end (nothing is kept then), ObjectExists where the key is taken.
    """
    file_key, nonce = entropy(sealed.FILE_KEY), entropy(sealed.NONCE)
    header = sealed.make_header(file_key, [public_of(recipient)], entropy)
    plain, whole, size = hashlib.sha256(), hashlib.sha256(), 0
    with store.upload(key) as upload:

        def write(data: bytes | memoryview) -> None:
            nonlocal size
            whole.update(data)
            upload.write(data)
            size += len(data)

        write(header + nonce)
        chunks = sealed.Chunks(file_key, nonce)
        for index, (data, final) in enumerate(_chunks(opened.read(0, opened.size))):
            out = bytearray(len(data) + sealed.TAG)
            chunks.encrypt_into(index, data, out, final=final)
            plain.update(data)
            write(memoryview(out))
        upload.publish()
    return Exported(plain.digest(), whole.digest(), size)


def _chunks(pieces: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    """The plaintext cut into chunks, each with whether it is the last; of nothing, one chunk."""
    kept = bytearray()
    for piece in pieces:
        kept += piece
        while len(kept) > sealed.CHUNK:  # one more byte is there: this one is not the last
            yield bytes(kept[: sealed.CHUNK]), False
            del kept[: sealed.CHUNK]
    yield bytes(kept), True


def sheet(
    row: RecordingRow, request: RequestRow, grant: GrantRow, exported: Exported, now: int
) -> str:
    """The custody sheet: canonical JSON, times in µs since the Unix epoch, hashes in hex.

    `plain_sha256` is of the WAV that the recipient will have; it differs from the catalogue's
    (`catalogued`) only where the PBX never wrote the WAV's lengths and playback mends them.
    """
    return json.dumps(
        {
            "recording": {
                "id": row.id, "pbx": row.pbx, "name": row.name, "recorded_at": row.recorded_at,
                "duration_ms": row.duration_ms, "condition": row.condition, "key": row.key_id,
                "sealed_at": row.sealed_at,
            },
            "catalogued": {
                "plain_sha256": row.plain_sha256.hex(), "sealed_sha256": row.sealed_sha256.hex(),
            },
            "export": {
                "plain_sha256": exported.plain_sha256.hex(), "size": exported.size,
                "sealed_sha256": exported.sealed_sha256.hex(), "recipient": request.recipient,
                "made_at": now, "made_by": grant.person,
            },
            "why": {
                "purpose": request.purpose, "ticket": request.ticket_no, "call": request.call_id,
                "reason": request.reason, "request": request.id, "asked_at": request.asked_at,
            },
            "granted": {
                "grant": grant.id, "authoriser": grant.authoriser, "granted_at": grant.granted_at,
                "expires_at": grant.expires_at,
            },
        },
        ensure_ascii=False, sort_keys=True, separators=(",", ":"),
    )  # fmt: skip
