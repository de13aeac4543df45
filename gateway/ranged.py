"""What a request asks for of a recording's bytes, and the shape of the answer (RFC 9110).

Pure. Conditions first (13.2.2), then ranges (14.2), then the body: the whole, one range, or
several as multipart/byteranges (14.6). It is worked out from the catalogue's row alone, so that it
can stand in the log before the recording is opened. The bytes are `sending`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from recordings import conditions, ranges
from recordings.errors import RangeInvalid

Span = tuple[int, int]
Piece = bytes | Span
"""What a body is made of: text as it is, or a range [start, stop) of the recording."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The answer's status, and the ranges it will carry; none where it has no body."""

    status: int
    spans: tuple[Span, ...] = ()


def asked(method: str, headers: Mapping[str, str], etag: str, size: int) -> Asked:
    """What this request is to be answered with; header names are lower case."""
    ended = conditions.evaluate(method, headers, etag)
    if ended is not None:
        return Asked(ended)
    wanted = headers.get("range") if conditions.range_counts(method, headers, etag) else None
    try:
        found = ranges.parse(wanted, size)
    except RangeInvalid:
        return Asked(416)
    if method == "HEAD":
        return Asked(200)
    return Asked(200, ((0, size),)) if found is None else Asked(206, tuple(found))


def body(
    wanted: Asked, size: int, content_type: str, boundary: str
) -> tuple[list[Piece], dict[str, str]]:
    """The body's pieces, and the headers that describe them."""
    if wanted.status == 416:
        return [], {"Content-Range": ranges.unsatisfied(size), "Content-Length": "0"}
    if wanted.status in (304, 412):
        return [], {}
    spans = wanted.spans or ((0, size),)  # HEAD tells what GET would have given
    pieces: list[Piece] = [spans[0]]
    headers = {"Content-Type": content_type}
    if len(spans) > 1:
        pieces = _as_parts(spans, size, content_type, boundary)
        headers["Content-Type"] = f"multipart/byteranges; boundary={boundary}"
    elif wanted.status == 206:
        headers["Content-Range"] = ranges.content_range(*spans[0], size)
    lengths = (len(piece) if isinstance(piece, bytes) else piece[1] - piece[0] for piece in pieces)
    return pieces, headers | {"Content-Length": str(sum(lengths))}


def _as_parts(spans: tuple[Span, ...], size: int, content_type: str, boundary: str) -> list[Piece]:
    """Text between, and the ranges themselves."""
    pieces: list[Piece] = []
    for start, stop in spans:
        head = (
            f"\r\n--{boundary}\r\nContent-Type: {content_type}\r\n"
            f"Content-Range: {ranges.content_range(start, stop, size)}\r\n\r\n"
        )
        pieces += [head.encode(), (start, stop)]
    return [*pieces, f"\r\n--{boundary}--\r\n".encode()]
