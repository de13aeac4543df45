"""A file key under a passphrase: the age format's scrypt stanza, for the keyring file alone.

Pure: the salt is an argument, and so is the work.  What always holds: a header with a scrypt
stanza has no other one; the work a file asks for is bounded before any of it is done, so a hostile
file costs at most 1 GiB of memory; a wrong passphrase and an altered stanza look the same
(NoMatch), because nobody can tell them apart.  Recordings are never sealed under a passphrase.

Source: C2SP age specification, section "scrypt recipient stanza".
"""

import hashlib
import re

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from recordings import header as headers
from recordings import sealed
from recordings.errors import HeaderInvalid, NoMatch

SALT = 16
WORK = 18
"""Log2 of scrypt's N when we write: 256 MiB and under a second, as the age program does it."""
MOST_WORK = 20
"""The most a file may ask for when we read: 1 GiB."""

_TYPE = "scrypt"
_SALT_PREFIX = b"age-encryption.org/v1/scrypt"
_BLOCK = 8
_ZERO_NONCE = bytes(12)
_WORK = re.compile(r"[1-9][0-9]*", re.ASCII)


def wrap(file_key: bytes, passphrase: str, salt: bytes, log_n: int = WORK) -> headers.Stanza:
    """Wrap the 16-byte file key; `salt` is 16 random bytes, new for every file."""
    body = _aead(passphrase, salt, log_n).encrypt(_ZERO_NONCE, file_key, None)
    return headers.Stanza((_TYPE, headers.encode64(salt), str(log_n)), body)


def unwrap(header: headers.Header, passphrase: str, *, most: int = MOST_WORK) -> bytes:
    """Return the file key, with the header's MAC verified.

    Raises HeaderInvalid for a malformed scrypt stanza, one that is not alone or asks for more than
    2^`most`; NoMatch for a wrong passphrase or no scrypt stanza; HeaderForged where the MAC fails.
    """
    found = [stanza for stanza in header.stanzas if stanza.args[0] == _TYPE]
    if not found:
        raise NoMatch("文件不是用口令封存的。 The file is not sealed under a passphrase.")
    if len(header.stanzas) != 1:
        raise HeaderInvalid("口令收件人必须单独出现。 A scrypt stanza must be the only one.")
    salt, log_n = _salt_and_work(found[0], most)
    try:
        file_key = _aead(passphrase, salt, log_n).decrypt(_ZERO_NONCE, found[0].body, None)
    except InvalidTag as error:
        raise NoMatch("口令不对。 The passphrase is wrong.") from error
    header.verify(file_key)
    return file_key


def _aead(passphrase: str, salt: bytes, log_n: int) -> ChaCha20Poly1305:
    key = hashlib.scrypt(
        passphrase.encode(),
        salt=_SALT_PREFIX + salt,
        n=1 << log_n,
        r=_BLOCK,
        p=1,
        maxmem=(128 * _BLOCK << log_n) + (1 << 20),  # what scrypt fills, and OpenSSL's own needs
        dklen=32,
    )
    return ChaCha20Poly1305(key)


def _salt_and_work(stanza: headers.Stanza, most: int) -> tuple[bytes, int]:
    """Check the stanza as the format demands, before any work is done for it."""
    if len(stanza.args) != 3:
        raise HeaderInvalid("口令收件人参数个数不对。 A scrypt stanza has three arguments.")
    salt = headers.decode64(stanza.args[1].encode())
    if len(salt) != SALT or len(stanza.body) != sealed.FILE_KEY + sealed.TAG:
        raise HeaderInvalid("口令收件人长度不对。 A scrypt stanza has a wrong length.")
    work = stanza.args[2]
    if not _WORK.fullmatch(work) or len(work) > 2 or int(work) > most:
        raise HeaderInvalid("口令计算量不合规定。 The scrypt work factor is not acceptable.")
    return salt, int(work)
