"""Signed checkpoints of the log: C2SP signed notes with Ed25519, C2SP checkpoints as their text.

What always holds: nothing in a note is believed before a signature by a known key over exactly
its text was verified, and a known key whose signature does not fit spoils the whole note.  A
checkpoint says: this log had that many lines, with that root.

Keys are texts as Go's note package writes them (`PRIVATE+KEY+name+hash+…`, and the verifier key
`name+hash+…`), so that tools of others read ours.  Source: c2sp.org/signed-note,
c2sp.org/tlog-checkpoint; scheme 0x01, Ed25519.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from recordings.errors import CheckpointInvalid

_ED25519 = b"\x01"
_COSIGNATURE = b"\x04"
_NAME = re.compile(r"[^\s+]+")
_MARK = "\N{EM DASH} "
_MAX_NOTE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log `origin` had `size` lines and this root hash."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The note's text, with its last newline."""
        return f"{self.origin}\n{self.size}\n{encode(self.root)}\n"


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs for one log; `secret` is an Ed25519 seed of 32 bytes, `name` the log's origin."""

    name: str
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or len(self.secret) != 32:
            raise CheckpointInvalid("签名密钥不合法。 Not a signing key.")

    @classmethod
    def parse(cls, text: str) -> "Signer":
        """Read `PRIVATE+KEY+name+hash+key`; raises CheckpointInvalid."""
        parts = text.strip().split("+", 4)
        if len(parts) != 5 or parts[:2] != ["PRIVATE", "KEY"]:
            raise CheckpointInvalid("签名密钥不合法。 Not a signing key.")
        key = decode(parts[4])
        signer = cls(parts[2], key[1:])
        if key[:1] != _ED25519 or parts[3] != signer._key_id().hex():
            raise CheckpointInvalid("签名密钥不合法。 Not a signing key.")
        return signer

    def render(self) -> str:
        """The private key as text; to be kept like one."""
        key_id = self._key_id().hex()
        return f"PRIVATE+KEY+{self.name}+{key_id}+{encode(_ED25519 + self.secret)}"

    @property
    def verifier_key(self) -> str:
        """The public key as text: what auditors and witnesses are given."""
        return f"{self.name}+{self._key_id().hex()}+{encode(_ED25519 + self._public())}"

    def sign(self, checkpoint: Checkpoint) -> str:
        """The checkpoint as a signed note."""
        text = checkpoint.text
        signature = Ed25519PrivateKey.from_private_bytes(self.secret).sign(text.encode())
        return f"{text}\n{_MARK}{self.name} {encode(self._key_id() + signature)}\n"

    def _public(self) -> bytes:
        return Ed25519PrivateKey.from_private_bytes(self.secret).public_key().public_bytes_raw()

    def _key_id(self) -> bytes:
        return _key_id(self.name, self._public())


def check_key(key: str, *, witness: bool = False) -> None:
    """Raise CheckpointInvalid unless this is a verifier key, of a log or of a witness."""
    _verifier(key, _COSIGNATURE if witness else _ED25519)


def verify(note: str, verifier_keys: Collection[str]) -> Checkpoint:
    """The checkpoint in a note signed by one of the given keys; raises CheckpointInvalid."""
    text, signatures = _split(note)
    known = dict(_verifier(key) for key in verifier_keys)
    verified = False
    for name, key_id, signature in signatures:
        public = known.get((name, key_id))
        if public is None:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, text.encode())
        except InvalidSignature as error:
            raise CheckpointInvalid("检查点签名不符。 The signature does not fit.") from error
        verified = True
    if not verified:
        raise CheckpointInvalid("检查点不是由已知密钥签名。 No known key signed this checkpoint.")
    return _checkpoint(text)


def cosignature(note: str, answer: str, key: str) -> str:
    """The line among `answer` by which the witness of that verifier key cosigned the note.

    c2sp.org/tlog-cosignature, Ed25519 (type 0x04): eight bytes of time in seconds and a signature
    over the time and the note's text. Raises CheckpointInvalid where there is none that fits.
    """
    text, _ = _split(note)
    (wanted, key_id), public = _verifier(key, _COSIGNATURE)
    for line in answer.splitlines():
        name, data = _signature(line)
        if (name, data[:4]) != (wanted, key_id) or len(data) != 76:
            continue
        time, signature = int.from_bytes(data[4:12], "big"), data[12:]
        signed = f"cosignature/v1\ntime {time}\n{text}".encode()
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, signed)
        except InvalidSignature as error:
            raise CheckpointInvalid("见证签名不符。 The cosignature does not fit.") from error
        return f"{line}\n"
    raise CheckpointInvalid("应答中没有该见证方的签名。 The witness did not cosign.")


def next_name(name: str) -> str:
    """`…/2` after `…`, `…/3` after `…/2`."""
    stem, _, last = name.rpartition("/")
    return f"{stem}/{int(last) + 1}" if stem and last.isdecimal() and len(last) < 4 else f"{name}/2"


def follows(name: str, earlier: str) -> bool:
    """Whether `name` is one that `earlier` was given up for."""
    while name != earlier:
        stem, _, last = name.rpartition("/")
        if not (stem and last.isdecimal() and 2 <= int(last) < 1000):
            return False
        name = stem if last == "2" else f"{stem}/{int(last) - 1}"
    return True


def _split(note: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    text, separator, block = note.rpartition("\n\n")
    if len(note) > _MAX_NOTE or not separator or not block.endswith("\n"):
        raise CheckpointInvalid("检查点格式不对。 This is not a signed note.")
    signatures = [_signature(line) for line in block[:-1].split("\n")]
    return text + "\n", [(name, data[:4], data[4:]) for name, data in signatures]


def _signature(line: str) -> tuple[str, bytes]:
    name, _, encoded = line.removeprefix(_MARK).partition(" ")
    data = decode(encoded)
    if not line.startswith(_MARK) or not _NAME.fullmatch(name) or len(data) < 5:
        raise CheckpointInvalid("检查点签名行格式不对。 A signature line is malformed.")
    return name, data


def _checkpoint(text: str) -> Checkpoint:
    lines = text.split("\n")
    if len(lines) < 4 or not lines[0] or not re.fullmatch(r"0|[1-9][0-9]{0,18}", lines[1]):
        raise CheckpointInvalid("检查点内容不对。 The note is no checkpoint.")
    root = decode(lines[2])
    if len(root) != hashlib.sha256().digest_size:
        raise CheckpointInvalid("检查点内容不对。 The note is no checkpoint.")
    return Checkpoint(lines[0], int(lines[1]), root)


def _verifier(key: str, kind: bytes = _ED25519) -> tuple[tuple[str, bytes], bytes]:
    parts = key.strip().split("+", 2)
    data = decode(parts[2]) if len(parts) == 3 else b""
    name, public = parts[0], data[1:]
    key_id = _key_id(name, public, kind)
    if data[:1] != kind or len(public) != 32 or parts[1] != key_id.hex():
        raise CheckpointInvalid("验证密钥不合法。 Not a verifier key.")
    return (name, key_id), public


def _key_id(name: str, public: bytes, kind: bytes = _ED25519) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + kind + public).digest()[:4]


def encode(data: bytes) -> str:
    """Standard base64, as notes and proofs write it."""
    return base64.b64encode(data).decode("ascii")


def decode(text: str) -> bytes:
    """Raises CheckpointInvalid for what is no base64, or another spelling of the same bytes."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CheckpointInvalid("base64 不合法。 Invalid base64.") from error
    if encode(data) != text:
        raise CheckpointInvalid("base64 不规范。 Base64 that is not canonical.")
    return data
