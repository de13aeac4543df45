"""The player's bytes: the log's line first, ranges as RFC 9110 has them, nothing ungranted."""

import re
from pathlib import Path

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from gateway.flow import playing
from recordings.playback import Playback
from recordings.tables import AuditLineRow, GrantRow, RecordingRow
from tests.acceptance import look_morning as scene
from tests.unit.console.conftest import Browser, browser

SIZE = 44 + 6 * 8000 * 2
PLAY, HEARD = "recordings:recording:play", "recordings:recording:heard"
OUTLINE = "recordings:recording:outline"


def url(morning: scene.Morning) -> str:
    """The one recording that the supervisor may hear."""
    return f"/recordings/{morning.recordings[0]}/audio?grant={morning.grant}"


def last(morning: scene.Morning, count: int) -> list[tuple[str, str, str]]:
    """The log's last lines, oldest first: action, outcome, detail."""
    newest = select(AuditLineRow).order_by(AuditLineRow.id.desc()).limit(count)
    with morning.parts.database.reading() as session:
        rows = list(session.scalars(newest))[::-1]
    return [(row.action, row.outcome, row.detail) for row in rows]


@pytest.fixture
def chen(signed_in: Browser) -> TestClient:
    """The supervisor who holds the grant."""
    return signed_in("chen")


@pytest.fixture
def whole(chen: TestClient, morning: scene.Morning) -> bytes:
    """The recording, heard from end to end."""
    return chen.get(url(morning)).content


def test_the_whole(chen: TestClient, morning: scene.Morning) -> None:
    """A WAV comes whole, is kept nowhere; that it was asked for and heard is on record."""
    answer = chen.get(url(morning))
    assert (answer.status_code, len(answer.content)) == (200, SIZE)
    assert answer.content[:4] == b"RIFF"
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.headers["content-length"] == str(SIZE)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["accept-ranges"] == "bytes"
    assert last(morning, 2) == [
        (PLAY, "ok", f'{{"asked":[[0,{SIZE}]]}}'),
        (HEARD, "ok", f'{{"bytes":[[0,{SIZE}]]}}'),
    ]


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-", 0, SIZE),
        ("bytes=0-0", 0, 1),
        ("bytes=65530-65545", 65530, 65546),  # across two sealed chunks
        ("bytes=-100", SIZE - 100, SIZE),
        (f"bytes={SIZE - 1}-{SIZE + 5000}", SIZE - 1, SIZE),
    ],
)
def test_one_range(
    chen: TestClient, morning: scene.Morning, whole: bytes, asked: str, start: int, stop: int
) -> None:
    """Seeking in the player is a range: it must be exactly those bytes, and logged as those."""
    answer = chen.get(url(morning), headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == whole[start:stop]
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{SIZE}"
    assert last(morning, 2) == [
        (PLAY, "ok", f'{{"asked":[[{start},{stop}]]}}'),
        (HEARD, "ok", f'{{"bytes":[[{start},{stop}]]}}'),
    ]


def test_several_ranges(chen: TestClient, morning: scene.Morning, whole: bytes) -> None:
    """Several ranges come as parts, each saying where it belongs (RFC 9110, 14.6)."""
    answer = chen.get(url(morning), headers={"Range": "bytes=0-3,100-199"})
    assert answer.status_code == 206
    assert int(answer.headers["content-length"]) == len(answer.content)
    boundary = answer.headers["content-type"].split("boundary=")[1].encode()
    first, second, end = answer.content.split(b"--" + boundary)[1:]
    assert first.rstrip(b"\r\n").endswith(f"bytes 0-3/{SIZE}\r\n\r\n".encode() + whole[:4])
    assert second.partition(b"\r\n\r\n")[2] == whole[100:200] + b"\r\n"
    assert end == b"--\r\n"
    assert last(morning, 1) == [(HEARD, "ok", '{"bytes":[[0,4],[100,200]]}')]


def test_a_range_that_is_not_there(chen: TestClient, morning: scene.Morning) -> None:
    """416 says how long it is; nothing is served, and the attempt is on record all the same."""
    answer = chen.get(url(morning), headers={"Range": f"bytes={SIZE}-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{SIZE}"
    assert answer.content == b""
    assert last(morning, 2) == [(PLAY, "ok", '{"asked":[]}'), (HEARD, "ok", '{"bytes":[]}')]


@pytest.mark.parametrize("asked", ["bytes", "frames=0-3", "bytes=5-2", "bytes=a-b"])
def test_a_range_that_is_no_range_is_ignored(
    chen: TestClient, morning: scene.Morning, asked: str
) -> None:
    """What is not understood is as if it were not there (RFC 9110, 14.2)."""
    assert chen.get(url(morning), headers={"Range": asked}).status_code == 200


def test_if_range(chen: TestClient, morning: scene.Morning) -> None:
    """A range of another representation would be put together wrongly: then the whole comes."""
    etag = chen.get(url(morning)).headers["etag"]
    for condition, status in ((etag, 206), ('"other"', 200), (f"W/{etag}", 200)):
        headers = {"Range": "bytes=0-3", "If-Range": condition}
        assert chen.get(url(morning), headers=headers).status_code == status


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [("If-None-Match", "{}", 304), ("If-None-Match", '"other"', 200), ("If-Match", "{}", 200),
     ("If-Match", '"other"', 412), ("If-None-Match", '"other", W/{}', 304)],
)  # fmt: skip
def test_conditions(
    chen: TestClient, morning: scene.Morning, name: str, value: str, status: int
) -> None:
    """What the client holds already, or holds no more: told without a byte, and on record."""
    etag = chen.head(url(morning)).headers["etag"]
    answer = chen.get(url(morning), headers={name: value.format(etag)})
    assert (answer.status_code, answer.headers["etag"]) == (status, etag)
    assert answer.headers["cache-control"] == "no-store"
    if status != 200:
        assert answer.content == b""
        assert last(morning, 2) == [(PLAY, "ok", '{"asked":[]}'), (HEARD, "ok", '{"bytes":[]}')]


def test_the_waveform(chen: TestClient, morning: scene.Morning) -> None:
    """For who may hear it, on record as itself; for anybody else it is refused, on record too."""
    of = f"/recordings/{morning.recordings[0]}/peaks"
    answer = chen.get(f"{of}?grant={morning.grant}")
    (channel,) = answer.json()["channels"]
    assert len(channel) == 1000
    assert max(high for _, high in channel) == 5999 >> 8
    assert answer.headers["cache-control"] == "no-store"
    assert last(morning, 1) == [(OUTLINE, "ok", "{}")]
    assert chen.get(f"{of}?grant=999").status_code == 403
    assert last(morning, 1) == [(OUTLINE, "denied", '{"why":"NotGranted"}')]


def test_rows_exchanged_wholly_do_not_play(bare: scene.Morning) -> None:
    """Whoever may write to the catalogue cannot have one call heard as another: 409, no byte, and
    the attempt is on record."""
    scene.full(bare)
    with bare.parts.database.begin() as session:
        rows = [session.get_one(RecordingRow, number) for number in bare.recordings[:2]]
        columns = [column.key for column in RecordingRow.__table__.columns if column.key != "id"]
        held = [{name: getattr(row, name) for name in columns} for row in rows]
        for row in rows:
            row.name, row.object_key = f"x{row.id}", f"x{row.id}"
        session.flush()
        for row, values in zip(rows, reversed(held), strict=True):
            for name, value in values.items():
                setattr(row, name, value)
    for path in (url(bare), url(bare).replace("/audio", "/peaks")):
        answer = browser(bare, "chen").get(path)
        assert answer.status_code == 409
        assert "日志" in answer.text
    assert (HEARD, "failed", '{"bytes":[]}') in last(bare, 3)


def test_head(chen: TestClient, morning: scene.Morning) -> None:
    """HEAD tells the length and gives no byte; asking is on record, hearing nothing as well."""
    answer = chen.head(url(morning))
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(SIZE)
    assert last(morning, 2) == [(PLAY, "ok", '{"asked":[]}'), (HEARD, "ok", '{"bytes":[]}')]


def test_the_line_is_committed_before_the_first_byte(
    morning: scene.Morning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise 5, seen from the place where the first byte is decrypted."""
    before: list[tuple[str, str, str]] = []
    really = Playback.open

    def look_first(*given: object) -> object:
        before.extend(last(morning, 1))
        return really(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(Playback, "open", look_first)
    browser(morning, "chen").get(url(morning))
    assert before == [(PLAY, "ok", f'{{"asked":[[0,{SIZE}]]}}')]


def test_no_line_no_byte(morning: scene.Morning, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the log cannot be written, nothing is served."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(playing, "_note", full)
    chen = browser(morning, "chen")
    deaf = TestClient(chen.app, "http://hotline.test", raise_server_exceptions=False)
    deaf.cookies = chen.cookies
    answer = deaf.get(url(morning))
    assert answer.status_code == 500
    assert b"RIFF" not in answer.content


def test_without_a_grant(morning: scene.Morning, chen: TestClient) -> None:
    """No grant, another recording's grant, a grant that never was: 403, and a line for each."""
    first, second = morning.recordings[:2]
    named = (f"{second}/audio?grant={morning.grant}", f"{first}/audio?grant=999")
    for path in (*named, f"{first}/audio", f"{first}/audio?grant=x"):
        assert chen.get(f"/recordings/{path}").status_code == 403
        assert last(morning, 1) == [(PLAY, "denied", '{"why":"NotGranted"}')]


def test_a_grant_that_is_over(bare: scene.Morning) -> None:
    """What was allowed for an hour is not allowed in the next."""
    scene.full(bare)
    with bare.parts.database.begin() as session:
        grant = session.get_one(GrantRow, bare.grant)
        grant.expires_at = bare.parts.clock()
    assert browser(bare, "chen").get(url(bare)).status_code == 403
    assert last(bare, 1) == [(PLAY, "denied", '{"why":"GrantExpired"}')]


def test_an_altered_recording_is_not_played(bare: scene.Morning) -> None:
    """A sealed file that is not what was catalogued: 409, no byte, and `failed` in the log."""
    scene.full(bare)
    with bare.parts.database.reading() as session:
        row = session.get_one(RecordingRow, bare.recordings[0])
    file = Path(bare.parts.settings.store) / f"{row.object_key}.payload"
    sealed = bytearray(file.read_bytes())
    sealed[-20] ^= 1
    file.chmod(0o600)
    file.write_bytes(sealed)
    answer = browser(bare, "chen").get(url(bare))
    assert answer.status_code == 409
    assert "不一致" in answer.text
    assert last(bare, 2)[1] == (HEARD, "failed", '{"bytes":[]}')


def test_the_watermark_names_the_listener(chen: TestClient, morning: scene.Morning) -> None:
    """A picture of the player says who made it and when."""
    page = chen.get(f"/recordings/{morning.recordings[0]}?grant={morning.grant}").text
    mark = re.search(r'<pattern id="mark".*?</pattern>', page, re.DOTALL)
    assert mark is not None
    assert "陈班长" in mark[0]
    assert "chen" in mark[0]
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", mark[0])
