"""Sealing and opening one file by hand, without any database: for emergencies and others' tools.

What is written is a whole age file (header and payload in one), what is read may be one of ours
put together again (`cat X.header X.payload`), or any age file sealed to an X25519 key.  What
always holds: the output appears under its name whole and synced, or not at all; nothing that is
there already is overwritten; a file that fails to authenticate, and a process that is killed over
it, leave no plaintext behind.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from recordings import header as headers
from recordings import keys, sealed, sealing
from recordings.disk import Disk, reread, whole
from recordings.errors import KeyInvalid, StoreError


def seal_file(wav: Path, recipient: str, out: Path) -> sealing.Figures:
    """Seal a file to an age1… recipient.  Raises KeyInvalid, StoreError where `out` exists."""
    public = keys.decode_recipient(recipient)
    file_key, nonce = os.urandom(sealed.FILE_KEY), os.urandom(sealed.NONCE)
    header = sealed.make_header(file_key, [public], os.urandom)
    disk = Disk()
    with open(wav, "rb", buffering=0) as source, _new(out) as target:  # noqa: PTH123
        disk.write(target, header)
        return sealing.seal(
            source.readinto, _After(disk, target, len(header)), header, file_key, nonce
        )


def open_file(file: Path, identity_file: Path, out: Path) -> None:
    """Open an age file with the keys of an age-keygen file.

    Raises KeyInvalid, a SealedError that says what is wrong with the file, or StoreError where
    `out` exists.
    """
    try:
        secrets = keys.parse_identity_file(identity_file.read_text("utf-8"))
    except UnicodeDecodeError as error:
        raise KeyInvalid("密钥文件不是文本。 The key file is not text.") from error
    disk = Disk()
    with file.open("rb") as source:
        beginning = source.read(headers.MAX_HEADER)
        header, length = headers.parse(beginning)
        file_key = sealed.unwrap(header, secrets)
        source.seek(length)
        with _new(out) as target:
            for piece in sealed.decrypt_all(source.read, file_key):
                disk.write(target, piece)


class _After:
    """The part of a file that comes after its first `start` bytes (place.Growing)."""

    def __init__(self, disk: Disk, file: BinaryIO, start: int) -> None:
        self._disk, self._file, self._start = disk, file, start
        self._held, self._settled = bytearray(), start

    def write(self, data: bytes | memoryview) -> None:
        self._disk.write(self._file, data)

    def reread(self, at: int, size: int) -> bytearray:
        self._held = reread(self._file, self._start + at, size, self._held)
        return self._held

    def settle(self) -> None:
        self._settled = self._disk.settle(self._file, self._settled)


@contextmanager
def _new(out: Path) -> Iterator[BinaryIO]:
    """A file that gets its name only when the block ends well; raises StoreError."""
    try:
        with whole(out) as file:
            yield file
    except FileExistsError as error:
        raise StoreError(
            f"{out.name} 已存在，未覆盖。 {out.name} exists; not overwritten."
        ) from error
