"""A stream of plaintext in, a sealed and verified stream and its figures out, in one pass.

Two work side by side on a ring of blocks, each on a thread of its own (reading, hashing, encrypting
and writing all release the interpreter's lock), with about as much to do:

    the caller's    reads a block, hashes it, encrypts it
    stored          writes it, reads back what was just written, compares it with what was
                    encrypted, hashes what the place gave back, and has it go to the disk already,
                    so that publishing is short

Two and not more: a third on two cores takes turns with the one the others wait for, and each
hand-over costs a waking (decision 0030).

What always holds: memory is the ring, whatever the length; each byte is read once; `plain_sha256`
is of exactly the bytes read, `sealed_sha256` of the bytes the place held when they were read back.
Of a place that shows nothing before it is published, `verified` is False, the hash is of what was
written, and whoever seals there has to read it again.  It opens, names and syncs no file.
"""

import hashlib
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

from recordings import sealed
from recordings.errors import EvidenceAltered
from recordings.place import Growing

_CHUNKS = 16
_PLAIN_BLOCK = _CHUNKS * sealed.CHUNK
_SEALED_BLOCK = _CHUNKS * sealed.SEALED_CHUNK
_SETTLE = 8 * _SEALED_BLOCK
"""Bytes after which what was written goes to the disk: 8 MiB."""

_RING = 6
"""Blocks of 1 MiB, plain and sealed: how far storing may lag behind, and 12 MiB of memory."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was sealed: hashes of 32 bytes, sizes in bytes; sealed means header and payload.

    `verified`: the payload was read back from where it was written and is what was encrypted.
    """

    header_sha256: bytes
    sealed_sha256: bytes
    plain_sha256: bytes
    plain_size: int
    sealed_size: int
    verified: bool


class _Block:
    """A stretch of plaintext and its ciphertext, used again once both are done with; it takes no
    memory before it is used."""

    kept: Future[None] | None = None

    @cached_property
    def plain(self) -> memoryview:
        return memoryview(bytearray(_PLAIN_BLOCK))

    @cached_property
    def sealed(self) -> memoryview:
        return memoryview(bytearray(_SEALED_BLOCK))

    def wait(self) -> None:
        """Until what was written of it is compared; raises what went wrong there."""
        if self.kept:
            self.kept.result()


class _Source:
    """What is sealed, read until it ends; after that nothing more is asked of it."""

    def __init__(self, read_into: Callable[[memoryview], int | None]) -> None:
        self._read_into, self._ended = read_into, False
        self.digest = hashlib.sha256()
        self.size = 0

    def fill(self, block: _Block) -> int:
        """Read into a block, once it is free, and hash; how many bytes, 0 after the end."""
        block.wait()
        if self._ended:
            return 0
        filled = 0
        while not self._ended and filled < _PLAIN_BLOCK:
            count = self._read_into(block.plain[filled:])
            filled, self._ended = filled + (count or 0), not count
        self.digest.update(block.plain[:filled])
        self.size += filled
        return filled


class _Written:
    """What the place is given, and what it gives back."""

    def __init__(self, upload: Growing, header: bytes) -> None:
        self._upload = upload
        self.digest = hashlib.sha256(header)
        self.size = self._settled = 0
        self.verified = True

    def keep(self, data: bytes | memoryview) -> None:
        """Append, read back and hash; raises EvidenceAltered where the place holds other bytes."""
        at = self.size
        self._upload.write(data)
        self.size += len(data)
        held = self._upload.reread(at, len(data))
        if held is None:
            self.verified = False
        elif held != data:  # type: ignore[comparison-overlap]  # buffers compare, by memcmp(3)
            raise EvidenceAltered(
                "存储写入后读回的内容不同，请检查磁盘。 "
                "The store gave back other bytes than were written: check the disk."
            )
        self.digest.update(data if held is None else held)
        if self.size - self._settled >= _SETTLE:
            self._upload.settle()
            self._settled = self.size


def seal(
    read_into: Callable[[memoryview], int | None],
    upload: Growing,
    header: bytes,
    file_key: bytes,
    nonce: bytes,
) -> Figures:
    """Seal everything `read_into` gives until it gives 0; `upload` takes the payload, no header.

    `header` is the header the payload will stand behind; it goes into the sealed hash and size.
    Raises EvidenceAltered where what was written reads back differently.
    """
    chunks, index = sealed.Chunks(file_key, nonce), 0
    source, written = _Source(read_into), _Written(upload, header)
    with ThreadPoolExecutor(1) as stored:
        stored.submit(written.keep, nonce).result()
        for block, filled, final in _blocks(source):
            size = _encrypt(chunks, index, block, filled, final=final)
            block.kept = stored.submit(written.keep, block.sealed[:size])
            index += _CHUNKS
    return Figures(
        hashlib.sha256(header).digest(),
        written.digest.digest(),
        source.digest.digest(),
        source.size,
        len(header) + written.size,
        written.verified,
    )


def _blocks(source: _Source) -> Iterator[tuple[_Block, int, bool]]:
    """Each block, how far it is filled, and whether it is the last, which is known only once the
    next one was read; ends when all of them are kept."""
    ring = [_Block() for _ in range(_RING)]
    turns = itertools.cycle(ring)
    block = next(turns)
    filled, final = source.fill(block), False
    while not final:
        following = next(turns)
        filled_next = source.fill(following)
        final = not filled_next
        yield block, filled, final
        block, filled = following, filled_next
    for one in ring:
        one.wait()


def _encrypt(chunks: sealed.Chunks, index: int, block: _Block, filled: int, *, final: bool) -> int:
    """Encrypt the block's plaintext chunk by chunk; return the ciphertext's length."""
    at = out = 0
    while True:
        end = min(at + sealed.CHUNK, filled)
        size = end - at + sealed.TAG
        last = end == filled
        target = block.sealed[out : out + size]
        chunks.encrypt_into(index, block.plain[at:end], target, final=final and last)
        at, out, index = end, out + size, index + 1
        if last:
            return out
