"""Reading a sealed payload from anywhere in it.

Pure.  What always holds: the final chunk has authenticated, as final, before anything else is
read, so that a payload that was cut off or lengthened releases nothing at all; no byte of a chunk
is released before that chunk has authenticated; a range costs its own chunks and the last one,
whatever the size of the recording; memory is a run of chunks, some 1.5 MiB.

Source: FORMAT.md section 4; C2SP age specification, "Payload" (seeking).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from recordings import sealed
from recordings.errors import PayloadInvalid

_RUN = 16
_PIECE = 4
"""Chunks that are read at once (1 MiB), and chunks that are handed on at once (256 KiB): so it is
known to 16 s of speech how far somebody got."""
_FINE = 8 * _RUN
"""Chunks after which what was read at once is handed on at once: nobody listens so long in one go,
and a copy is to be quick."""


@dataclass(slots=True)
class Payload:
    """A payload that can be read from anywhere.

    `read_at(start, stop)` gives the sealed bytes [start, stop) of the payload, nonce included;
    `sealed_size` is the payload's length.  Constructing it authenticates the final chunk and
    thereby the plaintext's size; PayloadInvalid is raised before anything can be read.
    """

    read_at: Callable[[int, int], bytes]
    sealed_size: int
    file_key: bytes = field(repr=False)
    size: int = field(init=False, repr=False)
    _chunks: sealed.Chunks = field(init=False, repr=False)
    _last: int = field(init=False, repr=False)
    _tail: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._chunks = sealed.Chunks(
            self.file_key, sealed.whole_nonce(self.read_at(0, sealed.NONCE))
        )
        body = self.sealed_size - sealed.NONCE
        if body < sealed.TAG:
            raise PayloadInvalid("录音数据不完整。 The sealed payload is incomplete.")
        self._last = (body - 1) // sealed.SEALED_CHUNK
        at = sealed.NONCE + self._last * sealed.SEALED_CHUNK
        tail = self.read_at(at, self.sealed_size)
        if len(tail) != self.sealed_size - at:
            raise PayloadInvalid("录音数据不完整。 The sealed payload is incomplete.")
        self._tail = self._chunks.decrypt(self._last, tail, final=True)
        self.size = self._last * sealed.CHUNK + len(self._tail)

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the plaintext [start, stop) in pieces of a few chunks, each authenticated.

        The store is asked for a run of chunks at once.  Where a chunk fails, those before it are
        yielded, and then PayloadInvalid is raised.
        """
        stop, coarse = min(stop, self.size), start // sealed.CHUNK + _FINE
        while start < stop:
            first = start // sealed.CHUNK
            beyond = min(first + _RUN, -(-stop // sealed.CHUNK))
            ends = min(beyond, self._last)  # the last one was read before anything else
            run = memoryview(self.read_at(_place(first), _place(ends)) if first < ends else b"")
            piece_of = _PIECE if first < coarse else _RUN
            for index in range(first, beyond, piece_of):
                plain, trouble = self._open(index, min(index + piece_of, beyond), run, first)
                if piece := plain[
                    max(0, start - index * sealed.CHUNK) : stop - index * sealed.CHUNK
                ]:
                    yield bytes(piece)
                if trouble:
                    raise trouble
            start = beyond * sealed.CHUNK

    def _open(
        self, index: int, beyond: int, run: memoryview, first: int
    ) -> tuple[memoryview, PayloadInvalid | None]:
        """The plaintext of chunks [index, beyond) as far as they authenticate, and why no farther;
        `run` is sealed chunks from number `first` on, the last of all not among them."""
        out, filled = memoryview(bytearray((beyond - index) * sealed.CHUNK)), 0
        for number in range(index, beyond):
            if number == self._last:
                out[filled : filled + len(self._tail)] = self._tail
                filled += len(self._tail)
                break
            at = (number - first) * sealed.SEALED_CHUNK
            try:
                self._chunks.decrypt_into(
                    number, run[at : at + sealed.SEALED_CHUNK], out[filled : filled + sealed.CHUNK]
                )
            except PayloadInvalid as error:
                return out[:filled], error
            filled += sealed.CHUNK
        return out[:filled], None


def _place(index: int) -> int:
    """Where in the payload a chunk begins."""
    return sealed.NONCE + index * sealed.SEALED_CHUNK
