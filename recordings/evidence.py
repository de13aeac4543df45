"""Whether the store still holds what was hashed: the same bytes, nothing more, nothing less.

Reads in constant memory and with public data alone; it opens nothing and changes nothing.
"""

import hashlib
from io import FileIO

from recordings.errors import EvidenceAltered
from recordings.naming import PAYLOAD, header_of
from recordings.place import Readable, Store


def verify(store: Store, object_key: str, sealed_sha256: bytes, *, version: int = 1) -> None:
    """Read both objects; raise EvidenceAltered unless header and payload hash to what is given.

    `version` tells which header object counts.  Raises ObjectMissing where one of
    them is not there.
    """
    digest = hashlib.sha256()
    for key in (header_of(object_key, version), object_key + PAYLOAD):
        with store.open(key) as file:
            _feed(digest, file)
    if digest.digest() != sealed_sha256:
        raise EvidenceAltered(
            "存储中的录音与入库时不一致，请查备份。 "
            "The stored recording is not the one that was catalogued: look into the backup."
        )


def sha256_of(file: FileIO) -> bytes:
    """SHA-256 of a whole file from its beginning."""
    file.seek(0)
    digest = hashlib.sha256()
    _feed(digest, file)
    return digest.digest()


def _feed(digest: "hashlib._Hash", file: Readable) -> None:
    buffer = memoryview(bytearray(1 << 20))
    while count := file.readinto(buffer):
        digest.update(buffer[:count])
