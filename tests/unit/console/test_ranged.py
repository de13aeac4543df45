"""What a request for a recording's bytes is answered with: a table of RFC 9110, read by hand."""

import pytest

from gateway.ranged import Asked, asked, body

TAG = '"5ea1ed"'
SIZE = 1000
ALL = ((0, SIZE),)
BIG = "9" * 20

TABLE: list[tuple[str, str, dict[str, str], int, tuple[tuple[int, int], ...]]] = [
    # section, method, headers → status, the ranges that go out
    ("9.3.1", "GET", {}, 200, ALL),
    ("9.3.2", "HEAD", {}, 200, ()),
    ("14.1.2 first to last", "GET", {"range": "bytes=0-499"}, 206, ((0, 500),)),
    ("14.1.2 to the end", "GET", {"range": "bytes=500-"}, 206, ((500, 1000),)),
    ("14.1.2 one byte", "GET", {"range": "bytes=0-0"}, 206, ((0, 1),)),
    ("14.1.2 the last byte", "GET", {"range": "bytes=999-999"}, 206, ((999, 1000),)),
    ("14.1.2 a suffix", "GET", {"range": "bytes=-500"}, 206, ((500, 1000),)),
    ("14.1.2 a suffix larger than all", "GET", {"range": "bytes=-5000"}, 206, ALL),
    ("14.1.2 a suffix of 20 digits", "GET", {"range": f"bytes=-{BIG}"}, 206, ALL),
    ("14.1.2 a suffix of nothing", "GET", {"range": "bytes=-0"}, 416, ()),
    ("14.1.2 beyond the end is cut", "GET", {"range": "bytes=990-5000"}, 206, ((990, 1000),)),
    ("14.1.2 20 digits are cut", "GET", {"range": f"bytes=990-{BIG}"}, 206, ((990, 1000),)),
    ("14.1.2 begins at the end", "GET", {"range": "bytes=1000-"}, 416, ()),
    ("14.1.2 begins at 20 digits", "GET", {"range": f"bytes={BIG}-"}, 416, ()),
    ("14.1.2 leading zeros", "GET", {"range": "bytes=000-0499"}, 206, ((0, 500),)),
    ("14.1.1 the unit's case", "GET", {"range": "BYTES=0-0"}, 206, ((0, 1),)),
    ("14.2 another unit is ignored", "GET", {"range": "frames=0-0"}, 200, ALL),
    ("14.2 no unit is ignored", "GET", {"range": "0-499"}, 200, ALL),
    ("14.2 nothing asked is ignored", "GET", {"range": "bytes="}, 200, ALL),
    ("14.2 backwards is ignored", "GET", {"range": "bytes=5-2"}, 200, ALL),
    ("14.2 letters are ignored", "GET", {"range": "bytes=a-b"}, 200, ALL),
    ("14.2 a lone dash is ignored", "GET", {"range": "bytes=-"}, 200, ALL),
    ("14.2 of HEAD it is ignored", "HEAD", {"range": "bytes=0-0"}, 200, ()),
    ("14.2 of HEAD, unsatisfiable too", "HEAD", {"range": "bytes=1000-"}, 200, ()),
    ("15.3.7 two", "GET", {"range": "bytes=0-0,-1"}, 206, ((0, 1), (999, 1000))),
    ("15.3.7 spaces", "GET", {"range": "bytes=0-0 , 5-6"}, 206, ((0, 1), (5, 7))),
    ("15.3.7 in the asked order", "GET", {"range": "bytes=9-9,0-0"}, 206, ((9, 10), (0, 1))),
    ("14.1.2 one of two is there", "GET", {"range": "bytes=0-0,1000-"}, 206, ((0, 1),)),
    ("14.1.2 none of two is there", "GET", {"range": "bytes=1000-,2000-"}, 416, ()),
    ("14.2 overlapping", "GET", {"range": "bytes=0-9,5-14"}, 416, ()),
    ("14.2 too many", "GET", {"range": "bytes=" + ",".join(f"{2 * n}-{2 * n}" for n in range(9))},
     416, ()),
    ("13.1.5 the same", "GET", {"range": "bytes=0-0", "if-range": TAG}, 206, ((0, 1),)),
    ("13.1.5 another", "GET", {"range": "bytes=0-0", "if-range": '"other"'}, 200, ALL),
    ("13.1.5 weak is not enough", "GET", {"range": "bytes=0-0", "if-range": f"W/{TAG}"}, 200, ALL),
    ("13.1.5 a date, of what has none", "GET",
     {"range": "bytes=0-0", "if-range": "Mon, 23 Nov 2026 00:00:00 GMT"}, 200, ALL),
    ("13.1.5 no range", "GET", {"if-range": '"other"'}, 200, ALL),
    ("13.1.5 unsatisfiable, of another", "GET", {"range": "bytes=1000-", "if-range": '"other"'},
     200, ALL),
    ("13.1.1 the same", "GET", {"if-match": TAG}, 200, ALL),
    ("13.1.1 among others", "GET", {"if-match": f'"a", {TAG} , "b"'}, 200, ALL),
    ("13.1.1 anything", "GET", {"if-match": "*"}, 200, ALL),
    ("13.1.1 another", "GET", {"if-match": '"other"'}, 412, ()),
    ("13.1.1 weak never matches", "GET", {"if-match": f"W/{TAG}"}, 412, ()),
    ("13.1.1 of HEAD", "HEAD", {"if-match": '"other"'}, 412, ()),
    ("13.1.1 malformed matches nothing", "GET", {"if-match": "5ea1ed"}, 412, ()),
    ("13.1.1 a comma within a tag", "GET", {"if-match": f'"a,b",{TAG}'}, 200, ALL),
    ("13.1.2 held already", "GET", {"if-none-match": TAG}, 304, ()),
    ("13.1.2 held already, weakly", "GET", {"if-none-match": f"W/{TAG}"}, 304, ()),
    ("13.1.2 of HEAD", "HEAD", {"if-none-match": TAG}, 304, ()),
    ("13.1.2 anything", "GET", {"if-none-match": "*"}, 304, ()),
    ("13.1.2 another", "GET", {"if-none-match": '"other"'}, 200, ALL),
    ("13.1.2 of POST", "POST", {"if-none-match": TAG}, 412, ()),
    ("13.2.2 If-Match comes first", "GET", {"if-match": '"other"', "if-none-match": TAG}, 412, ()),
    ("13.2.2 conditions before ranges", "GET", {"if-none-match": TAG, "range": "bytes=1000-"},
     304, ()),
    ("13.1.3 a date, of what has none", "GET",
     {"if-modified-since": "Mon, 23 Nov 2099 00:00:00 GMT"}, 200, ALL),
    ("13.1.4 a date, of what has none", "GET",
     {"if-unmodified-since": "Mon, 23 Nov 1998 00:00:00 GMT"}, 200, ALL),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "headers", "status", "spans"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_the_table(
    method: str, headers: dict[str, str], status: int, spans: tuple[tuple[int, int], ...]
) -> None:
    """Each rule by its section: a player that seeks, a proxy that resumes, and whoever tries."""
    assert asked(method, headers, TAG, SIZE) == Asked(status, spans)


@pytest.mark.parametrize(
    ("range_", "wanted"),
    [("bytes=0-", Asked(416)), ("bytes=-1", Asked(200, ((0, 0),))), ("bytes=-0", Asked(416))],
)
def test_of_an_empty_recording(range_: str, wanted: Asked) -> None:
    """Nothing has no first byte; its last byte is nothing, and no Content-Range can say so."""
    assert asked("GET", {"range": range_}, TAG, 0) == wanted


def test_the_length_that_is_told_is_the_length_that_comes() -> None:
    """A Content-Length that differs would cut the last part off, or leave the client waiting."""
    for wanted in (Asked(200, ALL), Asked(206, ((5, 9),)), Asked(206, ((0, 1), (999, 1000)))):
        pieces, headers = body(wanted, SIZE, "audio/wav", "b0")
        length = sum(len(p) if isinstance(p, bytes) else p[1] - p[0] for p in pieces)
        assert headers["Content-Length"] == str(length)
    _, headers = body(Asked(200), SIZE, "audio/wav", "b0")  # HEAD
    assert (headers["Content-Length"], headers["Content-Type"]) == (str(SIZE), "audio/wav")
    assert body(Asked(416), SIZE, "audio/wav", "b0")[1]["Content-Range"] == "bytes */1000"
    assert body(Asked(304), SIZE, "audio/wav", "b0") == ([], {})
