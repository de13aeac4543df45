"""A stream of plaintext in, a sealed and verified stream and its figures out, in one pass.

Four work side by side on a ring of blocks, each on a thread of its own (reading, encrypting,
hashing and writing all release the interpreter's lock), the first three with about as much to do:

    ahead           reads a block and hashes it
    the caller's    encrypts it and writes it
    stored          reads back what was just written, compares it with what was encrypted, and
                    hashes what the place gave back
    settling        has what was written go to the disk already, so that publishing is short

What always holds: memory is the ring, whatever the length; each byte is read once; `plain_sha256`
is of exactly the bytes read, `sealed_sha256` of the bytes the place held when they were read back.
Of a place that shows nothing before it is published, `verified` is False, the hash is of what was
written, and whoever seals there has to read it again.  It opens, names and syncs no file.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property

from recordings import sealed
from recordings.errors import EvidenceAltered
from recordings.place import Growing

_CHUNKS = 16
_PLAIN_BLOCK = _CHUNKS * sealed.CHUNK
_SEALED_BLOCK = _CHUNKS * sealed.SEALED_CHUNK
_SETTLE = 8 * _CHUNKS
"""Chunks after which what was written goes to the disk: 8 MiB."""

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
    """A stretch of plaintext and its ciphertext, used again once both are done with; it takes no
    memory before it is used."""

    checked: Future[None] | None = None

    @cached_property
    def plain(self) -> memoryview:
        return memoryview(bytearray(_PLAIN_BLOCK))

    @cached_property
    def sealed(self) -> memoryview:
        return memoryview(bytearray(_SEALED_BLOCK))

    def wait(self) -> None:
        """Until what was written of it is compared; raises what went wrong there."""
        if self.checked:
            self.checked.result()


class _Source:
    """What is sealed, read ahead until it ends; after that nothing more is asked of it."""

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
    chunks, index = sealed.Chunks(file_key, nonce), 0
    source, written, settled = _Source(read_into), _Written(upload, header), list[Future[None]]()
    with ExitStack() as stack:
        ahead, stored, settling = (stack.enter_context(ThreadPoolExecutor(1)) for _ in range(3))
        stored.submit(written.check, written.write(nonce), nonce).result()
        for block, filled, final in _blocks(source, ahead):
            size = _encrypt(chunks, index, block, filled, final=final)
            at = written.write(block.sealed[:size])
            block.checked = stored.submit(written.check, at, block.sealed[:size])
            index += _CHUNKS
            if index % _SETTLE == 0:
                settled.append(settling.submit(upload.settle))
        for work in settled:  # the kernel tells of a failed write once: it must not be overheard
            work.result()
    return Figures(
        hashlib.sha256(header).digest(),
        written.digest.digest(),
        source.digest.digest(),
        source.size,
        len(header) + written.size,
        written.verified,
    )


def _blocks(source: _Source, ahead: ThreadPoolExecutor) -> Iterator[tuple[_Block, int, bool]]:
    """Each block, how far it is filled, and whether it is the last, which is known only once the
    next one was read."""
    ring = [_Block() for _ in range(_RING)]
    filling = deque((block, ahead.submit(source.fill, block)) for block in ring)
    block, work = filling.popleft()
    filled, final = work.result(), False
    while not final:
        following, work = filling.popleft()
        filled_next = work.result()
        final = not filled_next
        yield block, filled, final
        filling.append((block, ahead.submit(source.fill, block)))
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
