"""The textual header of an age v1 file: parsed strictly, written back byte for byte.

Pure.  What always holds: `parse(data)` either raises or gives a Header whose `encode()` is
exactly the bytes it was read from: there is one spelling of every header, so nothing can be
smuggled between what was authenticated and what was understood.  The MAC is computed here
(HMAC-SHA-256 over the header up to and including `---`); what a stanza means is not known here.

Source: C2SP age specification, sections "Header" and "ABNF definition of file header".
"""

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass

from recordings.errors import HeaderForged, HeaderInvalid

VERSION_LINE = b"age-encryption.org/v1\n"
COLUMNS = 64
MAX_HEADER = 64 * 1024
"""Ours are some 200 bytes.  The bound keeps a hostile file from growing in memory."""

_VCHAR = re.compile(rb"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Stanza:
    """One recipient stanza: its arguments (the first is the type) and its decoded body."""

    args: tuple[str, ...]
    body: bytes

    def encode(self) -> bytes:
        """Write the stanza; its body ends with a line shorter than 64 columns, maybe empty."""
        text = encode64(self.body)
        lines = [text[i : i + COLUMNS] for i in range(0, len(text) + 1, COLUMNS)]
        return (
            b"-> "
            + " ".join(self.args).encode()
            + b"\n"
            + b"".join(f"{x}\n".encode() for x in lines)
        )


@dataclass(frozen=True, slots=True)
class Header:
    """A whole header.  `mac` is 32 bytes and is not checked until `verify` is called."""

    stanzas: tuple[Stanza, ...]
    mac: bytes

    def encode(self) -> bytes:
        """Write the header as it stands in a file, with its last newline."""
        return _authenticated(self.stanzas) + f" {encode64(self.mac)}\n".encode()

    def verify(self, file_key: bytes) -> None:
        """Raise HeaderForged unless the MAC was made with this file key over these stanzas."""
        if not hmac.compare_digest(self.mac, mac(self.stanzas, file_key)):
            raise HeaderForged("封存文件头被改动。 The sealed header was altered.")


def mac(stanzas: tuple[Stanza, ...], file_key: bytes) -> bytes:
    """The MAC of a header with these stanzas: 32 bytes."""
    key = hkdf_sha256(file_key, salt=b"", info=b"header")
    return hmac.digest(key, _authenticated(stanzas), "sha256")


def parse(data: bytes) -> tuple[Header, int]:
    """Read the header `data` begins with; return it and its length in bytes.

    Raises HeaderInvalid for anything the ABNF does not allow, a header cut off included.
    """
    if not data.startswith(VERSION_LINE):
        raise HeaderInvalid("不是 age v1 文件。 This is not an age v1 file.")
    at = len(VERSION_LINE)
    stanzas: list[Stanza] = []
    while True:
        line, at = _line(data, at)
        if line.startswith(b"---"):
            break
        stanza, at = _stanza(line, data, at)
        stanzas.append(stanza)
    if not stanzas:
        raise HeaderInvalid("文件头没有收件人。 The header has no recipient.")
    if not line.startswith(b"--- "):
        raise HeaderInvalid("文件头末行不规范。 The header's last line is malformed.")
    return Header(tuple(stanzas), _decode_fixed(line[4:], 32)), at


def decode64(text: bytes) -> bytes:
    """Decode canonical unpadded base64; raise HeaderInvalid for any other spelling."""
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise HeaderInvalid("文件头 base64 不合法。 Invalid base64 in the header.") from error
    if encode64(data).encode() != text:
        raise HeaderInvalid("文件头 base64 不规范。 Base64 in the header is not canonical.")
    return data


def encode64(data: bytes) -> str:
    """Encode as base64 without padding (RFC 4648 section 4)."""
    return base64.b64encode(data).decode("ascii").rstrip("=")


def hkdf_sha256(key: bytes, *, salt: bytes, info: bytes) -> bytes:
    """HKDF-SHA-256 (RFC 5869) to 32 bytes, which is all the age format ever asks for."""
    extracted = hmac.digest(salt or bytes(hashlib.sha256().digest_size), key, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def _authenticated(stanzas: tuple[Stanza, ...]) -> bytes:
    return VERSION_LINE + b"".join(stanza.encode() for stanza in stanzas) + b"---"


def _line(data: bytes, at: int) -> tuple[bytes, int]:
    end = data.find(b"\n", at, MAX_HEADER)
    if end < 0:
        raise HeaderInvalid("文件头不完整或过长。 The header is cut off or too long.")
    return data[at:end], end + 1


def _stanza(line: bytes, data: bytes, at: int) -> tuple[Stanza, int]:
    if not line.startswith(b"-> "):
        raise HeaderInvalid("文件头有无法识别的行。 The header has a line of no known kind.")
    args = line[3:].split(b" ")
    if not all(_VCHAR.fullmatch(arg) for arg in args):
        raise HeaderInvalid("收件人参数不合法。 A recipient's argument is malformed.")
    body = bytearray()
    while True:
        text, at = _line(data, at)
        if len(text) > COLUMNS:
            raise HeaderInvalid("收件人正文行过长。 A line of a recipient's body is too long.")
        body += decode64(text)
        if len(text) < COLUMNS:
            return Stanza(tuple(arg.decode("ascii") for arg in args), bytes(body)), at


def _decode_fixed(text: bytes, size: int) -> bytes:
    data = decode64(text)
    if len(data) != size:
        raise HeaderInvalid("文件头校验值长度不对。 The header's MAC has the wrong length.")
    return data
