"""Our age format against the public test vectors (C2SP CCTV), each with its expected outcome.

Armour, scrypt and hybrid vectors are not here: recordings use none of them (FORMAT.md).
"""

import hashlib
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from recordings import header as headers
from recordings import keys, sealed, seeking
from recordings.errors import (
    HeaderForged,
    HeaderInvalid,
    NoMatch,
    PayloadInvalid,
    SealedError,
)

VECTORS = Path(__file__).parents[2] / "vectors" / "age"
FAILURES: dict[str, type[SealedError]] = {
    "header failure": HeaderInvalid,
    "HMAC failure": HeaderForged,
    "no match": NoMatch,
    "payload failure": PayloadInvalid,
}


@dataclass(frozen=True)
class Vector:
    """One file of the test vectors, taken apart."""

    expect: str
    payload: str
    identities: tuple[bytes, ...]
    file_key: bytes
    file: bytes

    @classmethod
    def read(cls, name: str) -> "Vector":
        about, _, file = (VECTORS / name).read_bytes().partition(b"\n\n")
        lines = [line.split(": ", 1) for line in about.decode().split("\n")]
        fields = dict(lines)
        secrets = tuple(keys.decode_identity(v) for k, v in lines if k == "identity")
        packed = fields.get("compressed") == "zlib"
        return cls(
            fields["expect"],
            fields.get("payload", ""),
            secrets,
            bytes.fromhex(fields["file key"]),
            zlib.decompress(file) if packed else file,
        )


NAMES = sorted(path.name for path in VECTORS.iterdir())


def pieces(vector: Vector) -> Iterator[bytes]:
    """Open front to back, as files.py does."""
    header, length = headers.parse(vector.file)
    file_key = sealed.unwrap(header, vector.identities)
    yield from sealed.decrypt_all(io.BytesIO(vector.file[length:]).read, file_key)


def from_the_end(vector: Vector) -> bytes:
    """Open as playback does, the final chunk first."""
    header, length = headers.parse(vector.file)
    file_key = sealed.unwrap(header, vector.identities)
    body = vector.file[length:]
    payload = seeking.Payload(lambda start, stop: body[start:stop], len(body), file_key)
    return b"".join(payload.read(0, payload.size))


def test_the_vectors_are_all_there() -> None:
    """A vector lost in copying would be a fault nobody tries any more."""
    assert len(NAMES) == 67


@pytest.mark.parametrize("name", NAMES)
def test_vector_streamed(name: str) -> None:
    """Right files open to the right bytes; wrong ones fail for the right reason, having released
    exactly what the vectors' authors say: no chunk too many, and none held back."""
    vector = Vector.read(name)
    released = bytearray()
    outcome: type[SealedError] | None = None
    try:
        for piece in pieces(vector):
            released += piece
    except SealedError as error:
        outcome = type(error)
    assert outcome is FAILURES.get(vector.expect)
    if vector.payload:
        assert hashlib.sha256(released).hexdigest() == vector.payload
    else:
        assert not released


@pytest.mark.parametrize("name", NAMES)
def test_vector_sought(name: str) -> None:
    """The seeking reader agrees with the streaming one on every vector."""
    vector = Vector.read(name)
    if vector.expect == "success":
        assert hashlib.sha256(from_the_end(vector)).hexdigest() == vector.payload
    else:
        with pytest.raises(FAILURES[vector.expect]):
            from_the_end(vector)


@pytest.mark.parametrize("name", NAMES)
def test_what_parses_reserialises(name: str) -> None:
    """One spelling of every header: what was understood is what was authenticated."""
    file = Vector.read(name).file
    try:
        header, length = headers.parse(file)
    except HeaderInvalid:
        assert Vector.read(name).expect == "header failure"
    else:
        assert header.encode() == file[:length]


@pytest.mark.parametrize("name", [name for name in NAMES if Vector.read(name).expect == "success"])
def test_what_opens_seals_to_the_same_bytes(name: str) -> None:
    """There is one payload for a plaintext, a file key and a nonce: theirs is ours."""
    vector = Vector.read(name)
    header, length = headers.parse(vector.file)
    body, file_key = vector.file[length:], sealed.unwrap(header, vector.identities)
    assert file_key == vector.file_key
    plain = sealed.decrypt_whole(body, file_key)
    assert sealed.encrypt_all(plain, file_key, body[: sealed.NONCE]) == body
