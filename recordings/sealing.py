"""A stream of plaintext in, a sealed and verified stream and its figures out, in one pass.

Four work side by side on a ring of blocks, each on a thread of its own (reading, encrypting,
hashing and writing all release the interpreter's lock):

    the caller's    reads a block, encrypts it, writes it
    plain           hashes what was read
    stored          reads back what was just written, compares it with what was encrypted, and
                    hashes what the place gave back
    settling        has what was written go to the disk already, so that publishing is short

What always holds: memory is the ring, whatever the length; each byte is read once; `plain_sha256`
is of exactly the bytes read, `sealed_sha256` of the bytes the place held when they were read back.
Of a place that shows nothing before it is published, `verified` is False, the hash is of what was
written, and whoever seals there has to read it again.  It opens, names and syncs no file.
"""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

from recordings import sealed
from recordings.errors import EvidenceAltered
from recordings.place import Growing

_CHUNKS = 16
_PLAIN_BLOCK = _CHUNKS * sealed.CHUNK
_SEALED_BLOCK = _CHUNKS * sealed.SEALED_CHUNK
_SETTLE = 32 * _CHUNKS
"""Chunks between two bringings to the disk: 32 MiB."""

_RING = 6
"""Blocks of 1 MiB, plain and sealed: how far the hashing may lag behind, and 12 MiB of memory."""


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
    """A stretch of plaintext and its ciphertext, used again once both are hashed."""

    def __init__(self) -> None:
        self.plain = memoryview(bytearray(_PLAIN_BLOCK))
        self.sealed = memoryview(bytearray(_SEALED_BLOCK))
        self.busy: list[Future[None]] = []

    def fill(self, read_into: Callable[[memoryview], int | None]) -> int:
        self.wait()
        filled = 0
        while filled < _PLAIN_BLOCK and (count := read_into(self.plain[filled:])):
            filled += count
        return filled

    def wait(self) -> None:
        """Until nobody works on it; raises what went wrong there."""
        for work in self.busy:
            work.result()
        self.busy = []


class _Written:
    """What the place is given, and what it gives back."""

    def __init__(self, upload: Growing, header: bytes) -> None:
        self._upload = upload
        self.digest = hashlib.sha256(header)
        self.size = 0
        self.verified = True

    def write(self, data: bytes | memoryview) -> int:
        """Append; returns where it stands in the object."""
        at = self.size
        self._upload.write(data)
        self.size += len(data)
        return at

    def check(self, at: int, data: bytes | memoryview) -> None:
        """Read back and hash; raises EvidenceAltered where the place holds something else."""
        held = self._upload.reread(at, len(data))
        if held is None:
            self.verified = False
        elif held != data:  # type: ignore[comparison-overlap]  # buffers compare, by memcmp(3)
            raise EvidenceAltered(
                "存储写入后读回的内容不同，请检查磁盘。 "
                "The store gave back other bytes than were written: check the disk."
            )
        self.digest.update(data if held is None else held)


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
    chunks, index, plain_size = sealed.Chunks(file_key, nonce), 0, 0
    written, plain_hash, settled = _Written(upload, header), hashlib.sha256(), list[Future[None]]()
    with ExitStack() as stack:
        plain, stored, settling = (stack.enter_context(ThreadPoolExecutor(1)) for _ in range(3))
        stored.submit(written.check, written.write(nonce), nonce).result()
        for block, filled, final in _blocks(read_into):
            block.busy.append(plain.submit(plain_hash.update, block.plain[:filled]))
            size = _encrypt(chunks, index, block, filled, final=final)
            at = written.write(block.sealed[:size])
            block.busy.append(stored.submit(written.check, at, block.sealed[:size]))
            plain_size, index = plain_size + filled, index + _CHUNKS
            if index % _SETTLE == 0:
                settled.append(settling.submit(upload.settle))
        for work in settled:  # the kernel tells of a failed write once: it must not be overheard
            work.result()
    return Figures(
        hashlib.sha256(header).digest(),
        written.digest.digest(),
        plain_hash.digest(),
        plain_size,
        len(header) + written.size,
        written.verified,
    )


def _blocks(
    read_into: Callable[[memoryview], int | None],
) -> Iterator[tuple[_Block, int, bool]]:
    """Each block, how far it is filled, and whether it is the last, which is known only once the
    next one was read.  The ring grows as far as the recording needs it."""
    ring, number = [_Block()], 0
    block, filled = ring[0], ring[0].fill(read_into)
    while filled == _PLAIN_BLOCK:
        number += 1
        if number < _RING:
            ring.append(_Block())
        following = ring[number % _RING]
        filled_next = following.fill(read_into)
        if not filled_next:
            break
        yield block, filled, False
        block, filled = following, filled_next
    yield block, filled, True
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
