"""A stream of plaintext in, a sealed stream and its figures out, in one pass.

What always holds: memory is a few blocks whatever the length; each byte is read once; the plain
and the sealed SHA-256 are of exactly the bytes read and written.  Hashing runs on a thread of its
own, one block behind the encryption: both release the interpreter's lock, and a long recording
takes the time of the slower instead of the sum.  It opens, names and syncs no file.
"""

import hashlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from recordings import sealed

_CHUNKS = 16
_PLAIN_BLOCK = _CHUNKS * sealed.CHUNK
_SEALED_BLOCK = _CHUNKS * sealed.SEALED_CHUNK
_IN_FLIGHT = 3


@dataclass(frozen=True, slots=True)
class Figures:
    """What was sealed: hashes of 32 bytes, sizes in bytes; sealed means header and payload."""

    header_sha256: bytes
    sealed_sha256: bytes
    plain_sha256: bytes
    plain_size: int
    sealed_size: int


class _Block:
    """A stretch of plaintext and its ciphertext, used again once both are hashed."""

    def __init__(self) -> None:
        self.plain = memoryview(bytearray(_PLAIN_BLOCK))
        self.sealed = memoryview(bytearray(_SEALED_BLOCK))
        self.hashed: Future[None] | None = None

    def fill(self, read_into: Callable[[memoryview], int | None]) -> int:
        if self.hashed:
            self.hashed.result()
        filled = 0
        while filled < _PLAIN_BLOCK and (count := read_into(self.plain[filled:])):
            filled += count
        return filled


def seal(
    read_into: Callable[[memoryview], int | None],
    write: Callable[[memoryview], None],
    header: bytes,
    file_key: bytes,
    nonce: bytes,
) -> Figures:
    """Seal everything `read_into` gives until it gives 0; `write` takes the payload, no header.

    `header` is the header the payload will stand behind; it goes into the sealed hash and size.
    """
    chunks = sealed.Chunks(file_key, nonce)
    plain_hash, sealed_hash = hashlib.sha256(), hashlib.sha256(header + nonce)
    plain_size, sealed_size, index = 0, len(header) + len(nonce), 0
    write(memoryview(nonce))

    def digest(plain: memoryview, ciphertext: memoryview) -> None:
        plain_hash.update(plain)
        sealed_hash.update(ciphertext)

    blocks = [_Block() for _ in range(_IN_FLIGHT)]
    with ThreadPoolExecutor(1) as hasher:
        block, filled = blocks[0], blocks[0].fill(read_into)
        while True:
            # The next block is read first: only then is it known whether this one is the last.
            following = blocks[(index // _CHUNKS + 1) % _IN_FLIGHT]
            filled_next = following.fill(read_into) if filled == _PLAIN_BLOCK else 0
            size = _encrypt(chunks, index, block, filled, final=not filled_next)
            block.hashed = hasher.submit(digest, block.plain[:filled], block.sealed[:size])
            write(block.sealed[:size])
            plain_size, sealed_size, index = (
                plain_size + filled,
                sealed_size + size,
                index + _CHUNKS,
            )
            if not filled_next:
                block.hashed.result()
                break
            block, filled = following, filled_next
    return Figures(
        hashlib.sha256(header).digest(),
        sealed_hash.digest(),
        plain_hash.digest(),
        plain_size,
        sealed_size,
    )


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
