"""age v1 sealing: a file key wrapped to X25519 recipients, and a payload in STREAM chunks.

What a recording needs of the age format, and no more: X25519 recipients (several in one header),
the 64 KiB chunks, reading from the front.  Passphrase (scrypt), hybrid and plugin recipients and
ASCII armour are deliberately not here; a stanza of another kind is skipped, as the format asks.

What always holds:
- randomness is an argument: the same file key, ephemeral secrets and nonce give the same bytes;
- no byte of a chunk is released before that chunk has authenticated;
- memory is one chunk, whatever the size of the recording.

Reading from anywhere in a payload is seeking.py's.  No disk, no clock: reading and writing belong
to sealing.py, files.py and playback.py.
Source: C2SP age specification; sections named at each function.
"""

import io
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from recordings import header as headers
from recordings.errors import HeaderInvalid, NoMatch, PayloadInvalid

CHUNK = 64 * 1024
TAG = 16
SEALED_CHUNK = CHUNK + TAG
FILE_KEY = 16
NONCE = 16
X25519_KEY = 32

_WRAP_INFO = b"age-encryption.org/v1/X25519"
_ZERO_NONCE = bytes(12)

_X25519 = "X25519"


def public_of(identity: bytes) -> bytes:
    """The 32-byte recipient that belongs to a 32-byte identity."""
    return X25519PrivateKey.from_private_bytes(identity).public_key().public_bytes_raw()


def wrap(file_key: bytes, recipient: bytes, ephemeral: bytes) -> headers.Stanza:
    """Wrap the 16-byte file key to a 32-byte recipient ("X25519 recipient stanza").

    `ephemeral` is 32 random bytes, new for every stanza.  Raises HeaderInvalid for a recipient of
    low order, to which nothing can be sealed.
    """
    secret = X25519PrivateKey.from_private_bytes(ephemeral)
    share = secret.public_key().public_bytes_raw()
    aead = ChaCha20Poly1305(_wrap_key(secret, recipient, share, recipient))
    body = aead.encrypt(_ZERO_NONCE, file_key, None)
    return headers.Stanza((_X25519, headers.encode64(share)), body)


def unwrap(header: headers.Header, identities: Iterable[bytes]) -> bytes:
    """Return the file key, with the header's MAC verified.

    Raises HeaderInvalid for a malformed X25519 stanza, NoMatch when no identity fits, and
    HeaderForged when the MAC does not.
    """
    stanzas = [_share_and_body(s) for s in header.stanzas if s.args[0] == _X25519]
    for identity in identities:
        secret = X25519PrivateKey.from_private_bytes(identity)
        recipient = secret.public_key().public_bytes_raw()
        for share, body in stanzas:
            aead = ChaCha20Poly1305(_wrap_key(secret, share, share, recipient))
            try:
                file_key = aead.decrypt(_ZERO_NONCE, body, None)
            except InvalidTag:
                continue
            header.verify(file_key)
            return file_key
    raise NoMatch("没有能打开此录音的密钥。 No key given opens this recording.")


def make_header(
    file_key: bytes,
    recipients: Sequence[bytes],
    entropy: Callable[[int], bytes],
    *,
    beside: Sequence[headers.Stanza] = (),
) -> bytes:
    """A whole header that wraps `file_key` to each recipient; `entropy(n)` gives n random bytes.

    `beside` are stanzas of other kinds, which wrap nothing and which the MAC covers as well.
    """
    wrapped = (wrap(file_key, recipient, entropy(X25519_KEY)) for recipient in recipients)
    stanzas = (*wrapped, *beside)
    return headers.Header(stanzas, headers.mac(stanzas, file_key)).encode()


class Chunks:
    """Encrypts and decrypts the chunks of one payload by their number ("Payload")."""

    def __init__(self, file_key: bytes, nonce: bytes) -> None:
        self._aead = ChaCha20Poly1305(headers.hkdf_sha256(file_key, salt=nonce, info=b"payload"))

    def encrypt_into(
        self, index: int, data: bytes | memoryview, out: bytearray | memoryview, *, final: bool
    ) -> None:
        """Encrypt at most CHUNK bytes into `out`, whose length is exactly TAG more."""
        self._aead.encrypt_into(_chunk_nonce(index, final=final), data, None, out)

    def decrypt(self, index: int, data: bytes | memoryview, *, final: bool) -> bytes:
        """Decrypt one chunk; raise PayloadInvalid unless it is this chunk, whole and unaltered."""
        if len(data) < TAG or len(data) > SEALED_CHUNK or (final and index and len(data) == TAG):
            raise PayloadInvalid("录音数据长度不对。 The sealed payload has a wrong length.")
        try:
            return self._aead.decrypt(_chunk_nonce(index, final=final), data, None)
        except InvalidTag as error:
            raise _altered() from error

    def decrypt_into(self, index: int, data: memoryview, out: memoryview) -> None:
        """Decrypt a whole chunk that is not the final one into `out`, CHUNK bytes long.

        Raises PayloadInvalid; what `out` holds then is nothing to be released.
        """
        if len(data) != SEALED_CHUNK:
            raise _altered()
        try:
            self._aead.decrypt_into(_chunk_nonce(index, final=False), data, None, out)
        except InvalidTag as error:
            raise _altered() from error


def decrypt_all(read: Callable[[int], bytes], file_key: bytes) -> Iterator[bytes]:
    """Decrypt a payload from its first byte on; `read(n)` gives n bytes, fewer only at the end.

    Each chunk is yielded as soon as it authenticates, by whichever flag; PayloadInvalid may
    therefore come after some were yielded, and whoever keeps them has to discard them (files.py
    does).  What is yielded before a failure is what the public vectors say, to the byte.
    """
    chunks = Chunks(file_key, whole_nonce(read(NONCE)))
    for index in itertools.count():
        data = read(SEALED_CHUNK)
        if len(data) < SEALED_CHUNK:
            yield chunks.decrypt(index, data, final=True)
            return
        try:
            yield chunks.decrypt(index, data, final=False)
        except PayloadInvalid:
            yield chunks.decrypt(index, data, final=True)
            if read(1):
                raise PayloadInvalid(
                    "录音数据后有多余内容。 Something follows the sealed payload's end."
                ) from None
            return


def decrypt_whole(payload: bytes, file_key: bytes) -> bytes:
    """The plaintext of a payload small enough to be held in memory; raises PayloadInvalid."""
    return b"".join(decrypt_all(io.BytesIO(payload).read, file_key))


def encrypt_all(data: bytes, file_key: bytes, nonce: bytes) -> bytes:
    """A whole payload, nonce included, of data small enough to be held in memory."""
    chunks, out = Chunks(file_key, whole_nonce(nonce)), bytearray(nonce)
    last = max(0, len(data) - 1) // CHUNK
    for index in range(last + 1):
        piece = data[index * CHUNK : (index + 1) * CHUNK]
        sealed = bytearray(len(piece) + TAG)
        chunks.encrypt_into(index, piece, sealed, final=index == last)
        out += sealed
    return bytes(out)


def _wrap_key(secret: X25519PrivateKey, peer: bytes, share: bytes, recipient: bytes) -> bytes:
    try:
        shared = secret.exchange(X25519PublicKey.from_public_bytes(peer))
    except ValueError as error:  # the shared secret would be all zero: a point of low order
        raise HeaderInvalid("公钥是低阶点，不可用。 The public key is of low order.") from error
    return headers.hkdf_sha256(shared, salt=share + recipient, info=_WRAP_INFO)


def _share_and_body(stanza: headers.Stanza) -> tuple[bytes, bytes]:
    """Check an X25519 stanza as the format demands, before anything is decrypted with it."""
    if len(stanza.args) != 2:
        raise HeaderInvalid("X25519 收件人参数个数不对。 An X25519 stanza has two arguments.")
    share = headers.decode64(stanza.args[1].encode())
    if len(share) != X25519_KEY or len(stanza.body) != FILE_KEY + TAG:
        raise HeaderInvalid("X25519 收件人长度不对。 An X25519 stanza has a wrong length.")
    return share, stanza.body


def _altered() -> PayloadInvalid:
    return PayloadInvalid(
        "录音数据被改动或不完整。 The sealed payload was altered or is incomplete."
    )


def _chunk_nonce(index: int, *, final: bool) -> bytes:
    return index.to_bytes(11, "big") + (b"\x01" if final else b"\x00")


def whole_nonce(nonce: bytes) -> bytes:
    """The nonce a payload begins with; raises HeaderInvalid where it is cut off."""
    if len(nonce) != NONCE:
        raise HeaderInvalid("录音数据缺少开头。 The sealed payload lacks its nonce.")
    return nonce
