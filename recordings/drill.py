"""A restore tried without restoring: everything is there, and every recording can be opened.

Of each recording in the newest run of a backup: both objects are there and hash to what its
catalogue says; the header is wrapped to a key we hold, and its MAC fits; the final chunk and some
others authenticate, or every one does and the plaintext hashes to what was recorded.  What always
holds: the plaintext is looked at in memory and dropped, nothing is written anywhere; one recording
that fails stops no other; memory is a chunk or two and a piece of the catalogue.

Where no private keys are (`identities` None) only presence and hashes are proved, and the verdict
says so.  The backup's own words are used, never the database's: a drill works when that is gone.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from recordings import copying, manifest, sealed, seeking
from recordings import header as headers
from recordings.errors import BackupInvalid, EvidenceAltered, KeyDestroyed, RecordingsError
from recordings.keys import Keyring
from recordings.manifest import OBJECTS, Failures, Kept, Manifest
from recordings.naming import PAYLOAD, header_of
from recordings.place import Store

Pick = Callable[[int], int]
Told = Callable[[int, int], None]
"""How far it is: recordings looked at, and all of them."""

SAMPLE = 3
_MANIFEST_MOST = 1 << 20
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Drilled:
    """The verdict on one run.  `opened`: keys were there and each recording was opened; `chunks`
    that authenticated, the final ones among them; of the `destroyed` the key was destroyed in its
    time; who `failed` is not restorable as it should."""

    manifest: Manifest
    opened: bool
    chunks: int
    destroyed: int
    failed: Failures


def drill(
    target: Store,
    identities: Keyring | None,
    *,
    sample: int | None = SAMPLE,
    pick: Pick = secrets.randbelow,
    told: Told = lambda _done, _of: None,
) -> Drilled:
    """Try the newest run of the backup in `target`; of each recording `sample` chunks beside the
    final one, all where it is None.

    Raises BackupInvalid where there is no finished run, or its catalogue is not the one it was
    made with.
    """
    made = newest(target)
    failed, chunks, destroyed = Failures(), 0, 0
    for done, text in enumerate(_catalogue(target, made), 1):
        kept = manifest.parse_line(text)
        try:
            copying.verify(kept, target, OBJECTS)
            if identities:
                chunks += _open(target, identities, kept, sample, pick)
        except KeyDestroyed:
            destroyed += 1
        except RecordingsError as error:
            failed.add(kept.id, str(error))
        except OSError as error:
            failed.add(kept.id, str(copying.unreadable(error)))
        told(done, made.recordings)
    return Drilled(made, identities is not None, chunks, destroyed, failed)


def newest(target: Store) -> Manifest:
    """What the newest finished run says of itself; raises BackupInvalid."""
    run = manifest.newest(target.keys(manifest.RUNS))
    return Manifest.parse(target.read_at(manifest.manifest_key(run), 0, _MANIFEST_MOST))


def _open(target: Store, identities: Keyring, kept: Kept, sample: int | None, pick: Pick) -> int:
    """Open the recording and look at its chunks; how many authenticated."""
    key = OBJECTS + kept.object_key
    stored = target.read_at(header_of(key, kept.header_version), 0, headers.MAX_HEADER)
    header, _ = headers.parse(stored)
    file_key = sealed.unwrap(header, [identities.of(kept.key_id).secret])
    with target.reader(key + PAYLOAD) as read:
        payload = seeking.Payload(read, target.size(key + PAYLOAD), file_key)
        if payload.size != kept.plain_size:
            raise _altered()
        chunks = -(-payload.size // sealed.CHUNK) or 1
        if sample is None:
            digest = hashlib.sha256()
            for piece in payload.read(0, payload.size):
                digest.update(piece)
            if digest.digest() != kept.plain_sha256:
                raise _altered()
            return chunks
        chosen = {pick(chunks - 1) for _ in range(sample)} if chunks > 1 else set[int]()
        for index in chosen:
            for _ in payload.read(index * sealed.CHUNK, (index + 1) * sealed.CHUNK):
                pass
        return 1 + len(chosen)


def _catalogue(target: Store, made: Manifest) -> Iterator[bytes]:
    """The lines of the run's catalogue, once all of it was found to be what the manifest says."""
    digest = hashlib.sha256()
    for piece in _pieces(target, made):
        digest.update(piece)
    if digest.hexdigest() != made.catalogue_sha256:
        raise BackupInvalid(
            "备份的目录与清单不符，请用另一份备份。 "
            "The backup's catalogue is not what its manifest says: use another backup."
        )
    rest = b""
    for piece in _pieces(target, made):
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines


def _pieces(target: Store, made: Manifest) -> Iterator[bytes]:
    buffer = memoryview(bytearray(_BLOCK))
    with target.open(manifest.catalogue_key(made.run)) as file:
        while count := file.readinto(buffer):
            yield bytes(buffer[:count])


def _altered() -> EvidenceAltered:
    return EvidenceAltered(
        "解开的内容与录音时不一致。 What opens is not what was recorded: use another backup."
    )
