"""One finished WAV → its sealed objects in the store, read back and compared.

    payload   sealed, read back while it is written, synced, published
    peaks     the outline of its loudness, sealed to the same key; not of everything there is one
    header    last: where a header lies, the rest does

What always holds: what is given back stands in the store, whole and synced, and was read back from
there; when anything fails, nothing of it stays under its names.  Each file has a key, a nonce and
an ephemeral secret of its own, and names in its header the recording it is of.  Nothing is known
here of spools, rows, or private keys.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from recordings import binding, evidence, naming, peaks, sealed, sealing, wav
from recordings.errors import EvidenceAltered, ObjectExists, RecordingsError
from recordings.keys import Recipient
from recordings.place import Store

Entropy = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Source:
    """A finished WAV: `read_into` from its beginning, `read(start, stop)` anywhere in it, and
    whether it is, after it was read, still as it was (`unchanged`, given the bytes read)."""

    pbx: str
    name: str
    about: wav.Wav
    read_into: Callable[[memoryview], int | None]
    read: Callable[[int, int], bytes]
    unchanged: Callable[[int], bool]


@dataclass(frozen=True, slots=True)
class Objects:
    """What stands in the store; `peaks` is the sealed outline, empty where there is none."""

    header: bytes
    figures: sealing.Figures
    peaks: bytes

    @property
    def peaks_sha256(self) -> bytes | None:
        """Of the sealed outline."""
        return hashlib.sha256(self.peaks).digest() if self.peaks else None


def store_sealed(
    store: Store, key: str, source: Source, recipient: Recipient, entropy: Entropy
) -> Objects | None:
    """Seal a WAV into the objects of `key`; None where it changed meanwhile, and nothing is kept.

    Raises EvidenceAltered where the store gives back something else, StoreError and OSError where
    it does not take it.
    """
    file_key, nonce = entropy(sealed.FILE_KEY), entropy(sealed.NONCE)
    header = _header(binding.AUDIO, source, file_key, recipient, entropy)
    with _all_or_nothing(store, key) as standing:
        with store.upload(key + naming.PAYLOAD) as upload:
            figures = sealing.seal(source.read_into, upload, header, file_key, nonce)
            if not source.unchanged(figures.plain_size):
                return None
            standing.append(naming.PAYLOAD)
            upload.publish()
        outline = _outline(source, recipient, entropy)
        for suffix, data in ((naming.PEAKS, outline), (naming.HEADER, header)):
            if data:
                standing.append(suffix)
                store.put(key + suffix, data)
        _verify(store, key, header, outline, figures)
    return Objects(header, figures, outline)


def _outline(source: Source, recipient: Recipient, entropy: Entropy) -> bytes:
    drawn = peaks.of(source.read, source.about)
    if drawn is None:
        return b""
    file_key, nonce = entropy(sealed.FILE_KEY), entropy(sealed.NONCE)
    header = _header(binding.PEAKS, source, file_key, recipient, entropy)
    return header + sealed.encrypt_all(drawn.encode(), file_key, nonce)


def _header(
    kind: str, source: Source, file_key: bytes, recipient: Recipient, entropy: Entropy
) -> bytes:
    named = binding.stanza(kind, source.pbx, source.name)
    return sealed.make_header(file_key, [recipient.public], entropy, beside=[named])


def _verify(
    store: Store, key: str, header: bytes, outline: bytes, figures: sealing.Figures
) -> None:
    """The payload was compared while it was written, where the store shows it before."""
    if not figures.verified:
        evidence.verify(store, key, figures.sealed_sha256)
    elif store.size(key + naming.PAYLOAD) != figures.sealed_size - len(header):
        raise _given_back()
    for suffix, data in ((naming.HEADER, header), (naming.PEAKS, outline)):
        if data and store.read_at(key + suffix, 0, len(data) + 1) != data:
            raise _given_back()


def _given_back() -> EvidenceAltered:
    return EvidenceAltered(
        "存储写入后读回的内容不同，请检查磁盘。 "
        "The store gave back other bytes than were written: check the disk."
    )


@contextmanager
def _all_or_nothing(store: Store, key: str) -> Iterator[list[str]]:
    """Remove what stands of the objects when anything fails: no row names them yet.

    The block lists what it is about to publish; what stood there before is not ours to remove.
    """
    standing: list[str] = []
    try:
        yield standing
    except Exception as error:
        if isinstance(error, ObjectExists):
            standing.pop()
        for suffix in reversed(standing):
            with suppress(OSError, RecordingsError):
                store.remove(key + suffix)
        raise
