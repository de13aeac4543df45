"""The sealed format on its own: any range, any flipped bit, any length cut off."""

import hashlib
import io
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings import header as headers
from recordings import sealed, sealing, seeking
from recordings.errors import EvidenceAltered, HeaderInvalid, NoMatch, PayloadInvalid, SealedError

IDENTITY = bytes(range(32))
EDGES = [0, 1, 65535, 65536, 65537, 131072, 131073, 1_048_575, 1_048_576, 1_048_577, 3_200_000]


def entropy(seed: int) -> Callable[[int], bytes]:
    return random.Random(seed).randbytes


def seal(data: bytes, seed: int = 7) -> tuple[bytes, bytes, sealing.Figures]:
    """Header, payload and figures of sealed `data`."""
    random_bytes = entropy(seed)
    file_key, nonce = random_bytes(16), random_bytes(16)
    header = sealed.make_header(file_key, [sealed.public_of(IDENTITY)], random_bytes)
    out = Place()
    source = io.BytesIO(data)
    figures = sealing.seal(source.readinto, out, header, file_key, nonce)
    return header, bytes(out.held), figures


class Place:
    """Somewhere to write to (place.Growing), in memory."""

    def __init__(self) -> None:
        self.held, self.settled = bytearray(), 0

    def write(self, data: bytes | memoryview) -> None:
        self.held += data

    def reread(self, at: int, size: int) -> bytearray | None:
        return self.held[at : at + size]

    def settle(self) -> None:
        self.settled += 1


def open_payload(header: bytes, payload: bytes) -> seeking.Payload:
    parsed, length = headers.parse(header)
    assert length == len(header)
    key = sealed.unwrap(parsed, [IDENTITY])
    return seeking.Payload(lambda start, stop: payload[start:stop], len(payload), key)


def open_whole(file: bytes) -> seeking.Payload:
    parsed, length = headers.parse(file)
    body, key = file[length:], sealed.unwrap(parsed, [IDENTITY])
    return seeking.Payload(lambda start, stop: body[start:stop], len(body), key)


@pytest.mark.parametrize("size", EDGES)
def test_figures_and_bytes_fit_at_every_edge(size: int) -> None:
    """Sizes around chunk and block edges seal to what opens again, hashed and counted right."""
    data = random.Random(size).randbytes(size)
    header, payload, figures = seal(data)
    opened = open_payload(header, payload)
    assert b"".join(opened.read(0, opened.size)) == data
    assert figures.plain_size == opened.size == size
    assert figures.sealed_size == len(header) + len(payload)
    assert figures.sealed_sha256 == hashlib.sha256(header + payload).digest()
    assert figures.plain_sha256 == hashlib.sha256(data).digest()
    assert figures.header_sha256 == hashlib.sha256(header).digest()


def test_a_source_that_gives_little_at_a_time() -> None:
    """A pipe or a slow disk gives short reads; the chunks are whole all the same."""
    data = random.Random(3).randbytes(200_001)
    source = io.BytesIO(data)
    out = Place()
    header = sealed.make_header(b"k" * 16, [sealed.public_of(IDENTITY)], entropy(1))
    sealing.seal(lambda view: source.readinto(view[:1000]), out, header, b"k" * 16, b"n" * 16)
    opened = open_payload(header, bytes(out.held))
    assert b"".join(opened.read(0, opened.size)) == data


def test_what_was_written_is_read_back_while_it_is_written() -> None:
    """A place that holds another bit than was given it is noticed, wherever in the file it is."""

    class Lying(Place):
        def write(self, data: bytes | memoryview) -> None:
            super().write(data)
            if len(self.held) > 2_500_000 and not self.settled:
                self.held[-70_000], self.settled = self.held[-70_000] ^ 1, 1

    header = sealed.make_header(b"k" * 16, [sealed.public_of(IDENTITY)], entropy(1))
    for size in (2_600_000, 9_000_000):
        source = io.BytesIO(bytes(size))
        with pytest.raises(EvidenceAltered):
            sealing.seal(source.readinto, Lying(), header, b"k" * 16, b"n" * 16)


def test_a_place_that_shows_nothing_before_it_is_published() -> None:
    """The hashes are of what was written, and whoever seals is told to look again."""

    class Blind(Place):
        def reread(self, at: int, size: int) -> None:
            return None

    data, out = random.Random(5).randbytes(3_000_000), Blind()
    header = sealed.make_header(b"k" * 16, [sealed.public_of(IDENTITY)], entropy(1))
    blind = sealing.seal(io.BytesIO(data).readinto, out, header, b"k" * 16, b"n" * 16)
    seeing = sealing.seal(io.BytesIO(data).readinto, Place(), header, b"k" * 16, b"n" * 16)
    assert (blind.verified, seeing.verified) == (False, True)
    assert blind.sealed_sha256 == seeing.sealed_sha256
    assert blind.sealed_sha256 == hashlib.sha256(header + out.held).digest()


def test_a_disk_that_fails_meanwhile_is_heard() -> None:
    """The kernel tells of a lost write once, to whoever syncs first: that must not be overheard."""

    class Failing(Place):
        def settle(self) -> None:
            raise OSError(5, "Input/output error")

    header, quiet = sealed.make_header(b"k" * 16, [sealed.public_of(IDENTITY)], entropy(1)), Place()
    source = bytes(17 << 20)
    sealing.seal(io.BytesIO(source).readinto, quiet, header, b"k" * 16, b"n" * 16)
    assert quiet.settled == 2
    with pytest.raises(OSError, match="Input/output"):
        sealing.seal(io.BytesIO(source).readinto, Failing(), header, b"k" * 16, b"n" * 16)


def test_what_comes_after_the_end_is_not_read() -> None:
    """A file that grows behind its end is sealed as far as it went: what was read ahead of the
    end's being known is no part of it, nor of its hash."""
    data = random.Random(9).randbytes(1_500_000)
    gives = [data[:1_048_576], data[1_048_576:], b"", b"more", b"", b""]
    source = iter(gives)

    def read_into(view: memoryview) -> int:
        piece = next(source, b"")
        view[: len(piece)] = piece
        return len(piece)

    out, header = Place(), sealed.make_header(b"k" * 16, [sealed.public_of(IDENTITY)], entropy(1))
    figures = sealing.seal(read_into, out, header, b"k" * 16, b"n" * 16)
    assert (figures.plain_size, figures.plain_sha256) == (len(data), hashlib.sha256(data).digest())
    opened = open_payload(header, bytes(out.held))
    assert b"".join(opened.read(0, opened.size)) == data


def test_randomness_is_an_argument() -> None:
    """The same randomness gives the same file; another gives another, header and payload."""
    assert seal(b"a" * 100, 1)[:2] == seal(b"a" * 100, 1)[:2]
    first, second = seal(b"a" * 100, 1), seal(b"a" * 100, 2)
    assert first[0] != second[0]
    assert first[1] != second[1]


DATA = random.Random(9).randbytes(200_000)
HEADER, PAYLOAD, _ = seal(DATA)


@given(st.integers(-5, 200_005), st.integers(-5, 200_005))
@settings(max_examples=200, deadline=None)
def test_any_range_is_the_slice(start: int, stop: int) -> None:
    """Any range read from the sealed file is that slice of the plaintext."""
    start, stop = max(start, 0), max(stop, 0)
    assert b"".join(open_payload(HEADER, PAYLOAD).read(start, stop)) == DATA[start:stop]


def test_a_range_reads_only_its_chunks() -> None:
    """A seek to the end of a long call must not read the whole of it."""
    asked: list[tuple[int, int]] = []
    parsed, _ = headers.parse(HEADER)

    def read_at(start: int, stop: int) -> bytes:
        asked.append((start, stop))
        return PAYLOAD[start:stop]

    payload = seeking.Payload(read_at, len(PAYLOAD), sealed.unwrap(parsed, [IDENTITY]))
    assert sum(stop - start for start, stop in asked) < 2 * sealed.SEALED_CHUNK
    asked.clear()
    assert b"".join(payload.read(70_000, 70_010)) == DATA[70_000:70_010]
    assert asked == [(16 + 65552, 16 + 2 * 65552)]


SMALL = random.Random(10).randbytes(150)
SMALL_HEADER, SMALL_PAYLOAD, _ = seal(SMALL)


def test_every_single_flipped_bit_is_rejected() -> None:
    """No bit of a sealed file can be turned without its being noticed before a byte is released."""
    whole = SMALL_HEADER + SMALL_PAYLOAD
    for position in range(len(whole) * 8):
        flipped = bytearray(whole)
        flipped[position // 8] ^= 1 << position % 8
        with pytest.raises(SealedError):
            open_whole(bytes(flipped))


def test_a_flipped_bit_spoils_its_chunk_alone() -> None:
    """Chunks before and after an altered one still play; the altered one releases nothing."""
    payload = bytearray(PAYLOAD)
    payload[16 + 65552 + 5] ^= 4
    opened = open_payload(HEADER, bytes(payload))
    reading = opened.read(0, len(DATA))
    assert next(reading) == DATA[:65536]
    with pytest.raises(PayloadInvalid):
        next(reading)
    assert b"".join(opened.read(131072, 200_000)) == DATA[131072:]


def test_truncation_at_every_length_is_rejected() -> None:
    """A recording cut short, at any byte, opens to nothing at all."""
    for length in range(len(SMALL_PAYLOAD)):
        with pytest.raises(SealedError):
            open_payload(SMALL_HEADER, SMALL_PAYLOAD[:length])


def test_truncation_at_chunk_edges_is_rejected() -> None:
    """Whole chunks cut off leave only authentic chunks behind: the final flag notices it."""
    for chunks in range(1, 4):
        for around in (-1, 0, 1):
            with pytest.raises(PayloadInvalid):
                open_payload(HEADER, PAYLOAD[: 16 + chunks * 65552 + around])


def test_chunks_exchanged_or_repeated_are_rejected() -> None:
    """Two authentic chunks in each other's place are an altered recording."""
    first, second = PAYLOAD[16 : 16 + 65552], PAYLOAD[16 + 65552 : 16 + 2 * 65552]
    rest = PAYLOAD[16 + 2 * 65552 :]
    for body in (second + first, first + first):
        opened = open_payload(HEADER, PAYLOAD[:16] + body + rest)
        with pytest.raises(PayloadInvalid):
            list(opened.read(0, 131072))


def test_another_key_does_not_open_it() -> None:
    """Only the month's private key opens a recording."""
    parsed, _ = headers.parse(HEADER)
    with pytest.raises(NoMatch):
        sealed.unwrap(parsed, [bytes(reversed(range(32)))])


def test_nothing_is_sealed_to_a_low_order_point() -> None:
    """Sealing to a degenerate public key would be sealing to everybody."""
    with pytest.raises(HeaderInvalid):
        sealed.make_header(b"k" * 16, [bytes(32)], entropy(1))


def test_two_recipients_open_the_same_recording() -> None:
    """Re-wrapping to a second key touches the header only."""
    other = bytes(reversed(range(32)))
    publics = [sealed.public_of(IDENTITY), sealed.public_of(other)]
    header, _ = headers.parse(sealed.make_header(b"k" * 16, publics, entropy(4)))
    assert sealed.unwrap(header, [IDENTITY]) == sealed.unwrap(header, [other]) == b"k" * 16


def test_secrets_do_not_show() -> None:
    """A file key in a traceback would be in a log."""
    assert "file_key" not in repr(open_payload(HEADER, PAYLOAD))


def test_a_header_without_end_is_refused_early() -> None:
    """A hostile file must not be read into memory in search of its header's end."""
    with pytest.raises(HeaderInvalid):
        headers.parse(headers.VERSION_LINE + b"-> X25519 " + b"A" * 200_000)
