"""The bytes of a recording over HTTP: GET and HEAD with ranges (RFC 9110).

    may this person hear it? → the log's line, committed → only then the first byte
    the stream ends, however it ends → the log's line of what was heard

A range is decrypted as it is sent and nothing is kept: not by us, and `no-store` tells the browser
the same. What counts as heard is counted before it is sent: the log may name a quarter of a
mebibyte that a broken line swallowed, and never misses a byte that arrived. Whether a recording may
be heard is decided in `flow.playing`, whether it is whole in `recordings.playback`, what a request
asks for in `console.ranged`.
"""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from gateway.console import ranged
from gateway.console.ranged import Asked, Piece
from gateway.console.visit import Visit, play_asked
from gateway.errors import Conflict, Forbidden, HotlineError
from gateway.flow import playing
from gateway.flow.linking import sealed_as
from gateway.flow.refusal import Refused
from recordings.errors import RecordingsError
from recordings.playback import Opened, Playback, etag
from recordings.tables import RecordingRow


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
            asked=lambda row: _asked(visit, row).spans,
        )  # fmt: skip
    # The line is committed: from here on, and not before, bytes may leave or a refusal be told.
    if isinstance(decided, Refused):
        raise decided.error
    tell = _teller(visit, decided.grant.grant_id, recording_id)
    try:
        opened = _opening(visit, lambda playback: playback.open(decided.row, decided.grant))
    except HotlineError:
        tell(Heard())
        raise
    return _answer(_asked(visit, decided.row), opened, tell)


def outline(visit: Visit) -> Response:
    """GET /recordings/{recording_id}/peaks?play=…: the waveform, for who may hear it now."""
    recording_id, play_id = visit.number("recording_id"), play_asked(visit)
    with visit.parts.database.begin() as session:
        decided = playing.open_for_peaks(
            session, visit.person, play_id, recording_id, origin=visit.origin, now=visit.now
        )
    if isinstance(decided, Refused):
        raise decided.error
    peaks = _opening(visit, lambda playback: playback.peaks(decided.row, decided.grant))
    channels = [peaks.channel(number) for number in range(peaks.channels)] if peaks else []
    return JSONResponse({"channels": channels}, headers={"Cache-Control": "no-store"})


T = TypeVar("T")


def _opening(visit: Visit, work: Callable[[Playback], T]) -> T:
    """`work` with the keyring and the log at hand.

    Raises:
        Forbidden: this process holds no private key.
        Unplayable: the recording is altered, missing, or its key is not here.
    """
    parts = visit.parts
    if parts.identities is None:
        raise Forbidden(
            "本进程不持有私钥，不能播放。 This process holds no private key and plays nothing."
        )
    try:
        with parts.database.reading() as session:
            return work(Playback(parts.store, parts.identities, partial(sealed_as, session)))
    except RecordingsError as error:
        raise Unplayable(str(error)) from error


def _asked(visit: Visit, row: RecordingRow) -> Asked:
    request = visit.request
    given = {name: ", ".join(request.headers.getlist(name)) for name in set(request.headers.keys())}
    return ranged.asked(request.method, given, etag(row), row.plain_size)


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


def _answer(wanted: Asked, opened: Opened, tell: Callable[[Heard], None]) -> Response:
    boundary = secrets.token_hex(16)  # new each time: a recording cannot have been made to hold it
    pieces, described = ranged.body(wanted, opened.size, opened.content_type, boundary)
    headers = described | {
        "Accept-Ranges": "bytes",
        "Cache-Control": "no-store",
        "Content-Disposition": "inline",
        "ETag": opened.etag,
    }
    if not wanted.spans:
        opened.close()
        tell(Heard(ended=True))
        return Response(status_code=wanted.status, headers=headers)
    heard = Heard()

    def end() -> None:
        opened.close()
        tell(heard)

    return Playing(_stream(opened, pieces, heard), wanted.status, headers, at_end=end)


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
