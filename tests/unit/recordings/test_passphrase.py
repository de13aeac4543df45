"""The scrypt stanza against the public test vectors, and what it refuses before working."""

import hashlib
import io
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings import header as headers
from recordings import passphrase, sealed
from recordings.errors import HeaderForged, HeaderInvalid, NoMatch, SealedError

VECTORS = Path(__file__).parents[2] / "vectors" / "age"
NAMES = sorted(path.name for path in VECTORS.glob("scrypt*"))
FAILURES: dict[str, type[SealedError]] = {
    "header failure": HeaderInvalid,
    "HMAC failure": HeaderForged,
    "no match": NoMatch,
}
KEY, SALT = bytes(range(16)), bytes(16)


def test_the_vectors_are_all_there() -> None:
    """A vector lost in copying would be a fault nobody tries any more."""
    assert len(NAMES) == 25


@pytest.mark.parametrize("name", NAMES)
def test_vector(name: str) -> None:
    """Right files open to the right bytes; wrong ones fail for the right reason."""
    about, _, file = (VECTORS / name).read_bytes().partition(b"\n\n")
    lines = [line.split(": ", 1) for line in about.decode().split("\n")]
    fields = dict(reversed(lines))  # of two passphrases the first
    try:
        header, length = headers.parse(file)
        file_key = passphrase.unwrap(header, fields["passphrase"])
        opened = b"".join(sealed.decrypt_all(io.BytesIO(file[length:]).read, file_key))
    except SealedError as error:
        assert type(error) is FAILURES[fields["expect"]]
    else:
        assert fields["expect"] == "success"
        assert file_key.hex() == fields["file key"]
        assert hashlib.sha256(opened).hexdigest() == fields["payload"]
        assert header.encode() == file[:length]


def header_of(stanza: headers.Stanza) -> headers.Header:
    return headers.Header((stanza,), headers.mac((stanza,), KEY))


def test_the_known_vector_is_written_again() -> None:
    """The same file key, passphrase, salt and work give the very stanza of the public vector."""
    file = (VECTORS / "scrypt").read_bytes().partition(b"\n\n")[2]
    header, _ = headers.parse(file)
    (stanza,) = header.stanzas
    salt = headers.decode64(stanza.args[1].encode())
    assert passphrase.wrap(b"YELLOW SUBMARINE", "password", salt, 10) == stanza


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=40), st.binary(min_size=16, max_size=16), st.integers(1, 6))
def test_what_is_wrapped_unwraps(words: str, salt: bytes, log_n: int) -> None:
    """Any passphrase comes back, Chinese ones too, and no neighbour of it does."""
    try:
        stanza = passphrase.wrap(KEY, words, salt, log_n)
    except UnicodeEncodeError:  # a lone surrogate is no text that anybody can type
        return
    header = header_of(stanza)
    assert passphrase.unwrap(header, words) == KEY
    with pytest.raises(NoMatch):
        passphrase.unwrap(header, words + "x")


@pytest.mark.parametrize("work", ["21", "64", "999999999999", "٣"])
def test_hostile_work_is_refused_at_once(work: str) -> None:
    """A file that asks for terabytes is refused before a byte of them is filled."""
    stanza = headers.Stanza(("scrypt", headers.encode64(SALT), work), bytes(32))
    began = time.monotonic()
    with pytest.raises(HeaderInvalid):
        passphrase.unwrap(header_of(stanza), "x")
    assert time.monotonic() - began < 1


def test_an_altered_header_is_no_wrong_passphrase() -> None:
    """With the right passphrase and a wrong MAC the file was altered, and that is what is said."""
    header = header_of(passphrase.wrap(KEY, "x", SALT, 1))
    with pytest.raises(HeaderForged):
        passphrase.unwrap(headers.Header(header.stanzas, bytes(32)), "x")
