"""The bytes of a recording over HTTP, to the console and to programs alike (RFC 9110).

    may this person hear it? → the log's line, committed → only then the first byte
    the stream ends, however it ends → the log's line of what was heard

A range is decrypted as it is sent and nothing is kept: not by us, and `no-store` tells whoever
receives it the same. What counts as heard is counted before it is sent: the log may name a quarter
of a mebibyte that a broken line swallowed, and never misses a byte that arrived. Who asks and how
they are known is `console.guard`'s and `api.endpoint`'s; whether a recording may be heard is
decided in `flow.playing`, whether it is whole in `recordings.playback`, what a request asks for in
`ranged`.
"""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from gateway import ranged
from gateway.errors import Conflict, Forbidden, Gone, HotlineError
from gateway.flow import exporting, playing
from gateway.flow.linking import sealed_as
from gateway.flow.refusal import Refused
from gateway.parts import Parts
from gateway.people.accounts import Person
from gateway.ranged import Asked, Piece
from recordings.errors import Destroyed, ObjectMissing, RecordingsError
from recordings.peaks import Peaks
from recordings.playback import Opened, Playback, etag
from recordings.tables import RecordingRow

PIECE = 1 << 18


class Unplayable(Conflict):
    """The recording cannot be opened: altered, missing, or its key is not here."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks for bytes, from where, when (µs since the epoch), and with what request."""

    request: Request
    parts: Parts
    who: Person
    origin: str
    now: int


@dataclass(slots=True)
class Heard:
    """The ranges of bytes that went out, and whether the stream came to its end."""

    parts: list[tuple[int, int]] = field(default_factory=list)
    ended: bool = False


def audio(asking: Asking, recording_id: int, play_id: int) -> Response:
    """GET and HEAD of a recording within a play.

    Raises:
        Forbidden, Gone: this person may not hear it, or nobody can any more; on record.
        Unplayable: it is altered, missing, or its key is not here.
    """
    with asking.parts.database.begin() as session:
        decided = playing.open_for_play(
            session, asking.who, play_id, recording_id, origin=asking.origin, now=asking.now,
            asked=lambda row: _asked(asking.request, row).spans,
        )  # fmt: skip
    # The line is committed: from here on, and not before, bytes may leave or a refusal be told.
    if isinstance(decided, Refused):
        raise decided.error
    tell = _teller(asking, decided.grant.grant_id, recording_id)
    try:
        opened = _opening(asking.parts, lambda playback: playback.open(decided.row, decided.grant))
    except HotlineError:
        tell(Heard())
        raise
    return _answer(_asked(asking.request, decided.row), opened, tell)


def outline(
    parts: Parts, who: Person, recording_id: int, play_id: int, *, origin: str, now: int
) -> list[list[tuple[int, int]]]:
    """The waveform for who may hear it now: of each channel the least and greatest of each stretch;
    no channel where none was made.

    Raises as `audio`.
    """
    with parts.database.begin() as session:
        decided = playing.open_for_peaks(
            session, who, play_id, recording_id, origin=origin, now=now
        )
    if isinstance(decided, Refused):
        raise decided.error
    found: Peaks | None = _opening(
        parts, lambda playback: playback.peaks(decided.row, decided.grant)
    )
    return [found.channel(number) for number in range(found.channels)] if found else []


def export_file(asking: Asking, export_id: int) -> Response:
    """The age file of one's own export; the line is committed before the first byte.

    Raises:
        NotFound, Forbidden, Conflict, Gone: it cannot be fetched; on record.
    """
    with asking.parts.database.begin() as session:
        row = exporting.fetch(session, asking.who, export_id, origin=asking.origin,
                              now=asking.now)  # fmt: skip
    if isinstance(row, Refused):
        raise row.error
    try:
        size = exporting.shelf(asking.parts).size(row.object_key)
    except ObjectMissing as error:
        raise Conflict(str(error)) from error
    name = f"recording-{row.recording_id}-export-{row.id}.wav.age"
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
        "Content-Length": str(size),
    }
    return StreamingResponse(_pieces(asking.parts, row.object_key), headers=headers)


def _pieces(parts: Parts, key: str) -> Iterator[bytes]:
    with exporting.shelf(parts).open(key) as opened:
        while piece := opened.read(PIECE):
            yield piece


T = TypeVar("T")


def _opening(parts: Parts, work: Callable[[Playback], T]) -> T:
    """`work` with the keyring and the log at hand.

    Raises:
        Forbidden: this process holds no private key.
        Gone: it was destroyed since it was asked whether it may be heard.
        Unplayable: the recording is altered, missing, or its key is not here.
    """
    if parts.identities is None:
        raise Forbidden(
            "本进程不持有私钥，不能播放。 This process holds no private key and plays nothing."
        )
    try:
        with parts.database.reading() as session:
            return work(Playback(parts.store, parts.identities, partial(sealed_as, session)))
    except Destroyed as error:
        raise Gone(str(error)) from error
    except RecordingsError as error:
        raise Unplayable(str(error)) from error


def _asked(request: Request, row: RecordingRow) -> Asked:
    given = {name: ", ".join(request.headers.getlist(name)) for name in set(request.headers.keys())}
    return ranged.asked(request.method, given, etag(row), row.plain_size)


def _teller(asking: Asking, grant_id: int, recording_id: int) -> Callable[[Heard], None]:
    def tell(heard: Heard) -> None:
        with asking.parts.database.begin() as session:
            playing.heard(
                session,
                asking.who,
                grant_id,
                recording_id,
                heard.parts,
                origin=asking.origin,
                now=asking.parts.clock(),
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
