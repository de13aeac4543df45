"""The bytes of a recording over HTTP: GET and HEAD with ranges (RFC 9110, 14 and 15.3.7).

    may this person hear it? → the log's line, committed → only then the first byte
    the stream ends, however it ends → the log's line of what was heard

A range is decrypted as it is sent and nothing is kept: not by us, and `no-store` tells the browser
the same. What counts as heard is counted before it is sent: the log may name a few kilobytes that
a broken line swallowed, and never misses one that arrived. Whether a recording may be heard is
decided in `flow.playing`, whether it is whole in `recordings.playback`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from gateway.console.visit import Visit, play_asked
from gateway.errors import Conflict, Forbidden, HotlineError
from gateway.flow import playing
from gateway.flow.listening import Refused
from recordings import ranges
from recordings.errors import RangeInvalid, RecordingsError
from recordings.playback import Opened, Playback
from recordings.tables import RecordingRow

BOUNDARY = "hotline-recording-part-12333"  # a reader goes by each part's Content-Range


class Unplayable(Conflict):
    """The recording cannot be opened: altered, missing, or its key is not here."""


@dataclass(slots=True)
class Heard:
    """The ranges of bytes that went out, and whether the stream came to its end."""

    parts: list[tuple[int, int]] = field(default_factory=list)
    ended: bool = False


def audio(visit: Visit) -> Response:
    """GET and HEAD /recordings/{recording_id}/audio?play=…"""
    recording_id, play_id = visit.number("recording_id"), play_asked(visit)
    with visit.parts.database.begin() as session:
        decided = playing.open_for_play(
            session, visit.person, play_id, recording_id, origin=visit.origin, now=visit.now,
            asked=lambda row: _spans(visit, row),
        )  # fmt: skip
    # The line is committed: from here on, and not before, bytes may leave or a refusal be told.
    if isinstance(decided, Refused):
        raise decided.error
    tell = _teller(visit, decided.grant.grant_id, recording_id)
    try:
        opened = _open(visit, decided)
    except HotlineError:
        tell(Heard())
        raise
    return _answer(visit, opened, tell)


def _open(visit: Visit, permitted: playing.Permitted) -> Opened:
    if visit.parts.identities is None:
        raise Forbidden(
            "本进程不持有私钥，不能播放。 This process holds no private key and plays nothing."
        )
    try:
        playback = Playback(visit.parts.store, visit.parts.identities)
        return playback.open(permitted.row, permitted.grant)
    except RecordingsError as error:
        raise Unplayable(str(error)) from error


def _teller(visit: Visit, grant_id: int, recording_id: int) -> Callable[[Heard], None]:
    def tell(heard: Heard) -> None:
        with visit.parts.database.begin() as session:
            playing.heard(
                session,
                visit.person,
                grant_id,
                recording_id,
                heard.parts,
                origin=visit.origin,
                now=visit.parts.clock(),
                outcome="ok" if heard.ended else "failed",
            )

    return tell


def _answer(visit: Visit, opened: Opened, tell: Callable[[Heard], None]) -> Response:
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "no-store",
        "Content-Disposition": "inline",
        "ETag": opened.etag,
    }
    try:
        asked = _asked(visit, opened.etag, opened.size)
    except RangeInvalid:
        tell(Heard(ended=True))
        headers["Content-Range"] = ranges.unsatisfied(opened.size)
        return Response(status_code=416, headers=headers)
    status = 200 if asked is None else 206
    pieces, described = _body(opened, asked)
    headers |= described
    if visit.request.method == "HEAD":
        tell(Heard(ended=True))
        return Response(status_code=status, headers=headers)
    heard = Heard()
    return Playing(_stream(opened, pieces, heard), status, headers, at_end=lambda: tell(heard))


Piece = bytes | tuple[int, int]
"""What a body is made of: text as it is, or a range of the recording."""


def _body(
    opened: Opened, asked: list[tuple[int, int]] | None
) -> tuple[list[Piece], dict[str, str]]:
    """The body's pieces, and the headers that describe them."""
    spans = [(0, opened.size)] if asked is None else asked
    pieces: list[Piece] = [spans[0]]
    headers = {"Content-Type": opened.content_type}
    if len(spans) > 1:
        pieces = _as_parts(opened, spans)
        headers["Content-Type"] = f"multipart/byteranges; boundary={BOUNDARY}"
    elif asked is not None:
        headers["Content-Range"] = ranges.content_range(*spans[0], opened.size)
    lengths = (len(piece) if isinstance(piece, bytes) else piece[1] - piece[0] for piece in pieces)
    return pieces, headers | {"Content-Length": str(sum(lengths))}


def _asked(visit: Visit, etag: str, size: int) -> list[tuple[int, int]] | None:
    """The ranges asked for, if they are asked of this very recording (If-Range, 13.1.5)."""
    condition = visit.request.headers.get("If-Range")
    if visit.request.method != "GET" or (condition is not None and condition != etag):
        return None
    return ranges.parse(visit.request.headers.get("Range"), size)


def _spans(visit: Visit, row: RecordingRow) -> list[tuple[int, int]]:
    """What would leave the house, for the line before it does."""
    try:
        asked = _asked(visit, f'"{row.sealed_sha256.hex()}"', row.plain_size)
    except RangeInvalid:
        return []
    if visit.request.method == "HEAD":
        return []
    return [(0, row.plain_size)] if asked is None else asked


def _as_parts(opened: Opened, spans: list[tuple[int, int]]) -> list[Piece]:
    """The body of a multipart/byteranges answer: text between, and the ranges themselves."""
    pieces: list[Piece] = []
    for start, stop in spans:
        head = (
            f"\r\n--{BOUNDARY}\r\nContent-Type: {opened.content_type}\r\n"
            f"Content-Range: {ranges.content_range(start, stop, opened.size)}\r\n\r\n"
        )
        pieces += [head.encode(), (start, stop)]
    return [*pieces, f"\r\n--{BOUNDARY}--\r\n".encode()]


def _stream(opened: Opened, pieces: list[Piece], heard: Heard) -> Iterator[bytes]:
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
            continue
        at = piece[0]
        heard.parts.append((at, at))
        for plain in opened.read(*piece):
            at += len(plain)
            heard.parts[-1] = (piece[0], at)
            yield plain
    heard.ended = True


class Playing(StreamingResponse):
    """A stream whose end is told, whether it was read to the end, left, or broke."""

    def __init__(
        self,
        content: Iterator[bytes],
        status_code: int,
        headers: dict[str, str],
        *,
        at_end: Callable[[], None],
    ) -> None:
        super().__init__(content, status_code, headers)
        self._at_end = at_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream; then tell, even while being cancelled."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await run_in_threadpool(self._at_end)
