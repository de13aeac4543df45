"""Range headers as RFC 9110 section 14 has them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings import ranges
from recordings.errors import RangeInvalid

SIZE = 10_000


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-499", [(0, 500)]),
        ("bytes=500-999", [(500, 1000)]),
        ("bytes=-500", [(9500, 10_000)]),
        ("bytes=9500-", [(9500, 10_000)]),
        ("bytes=0-0,-1", [(0, 1), (9999, 10_000)]),
        ("bytes= 0-0 , 2-3 ,", [(0, 1), (2, 4)]),
        ("BYTES=0-", [(0, 10_000)]),
        ("bytes=-99999", [(0, 10_000)]),
        ("bytes=0-99999", [(0, 10_000)]),
        ("bytes=0-1,20000-", [(0, 2)]),
        ("bytes=0-99999999999999999999", [(0, 10_000)]),
        ("bytes=-99999999999999999999", [(0, 10_000)]),
        ("bytes=" + "0" * 5000 + "1-2", [(1, 3)]),
    ],
)
def test_understood(header: str, expected: list[tuple[int, int]]) -> None:
    """The RFC's own examples, clipping, and unsatisfiable ranges beside satisfiable ones."""
    assert ranges.parse(header, SIZE) == expected


@pytest.mark.parametrize(
    "header",
    [None, "", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-4", "items=0-1", "bytes=0-1;2-3",
     "bytes=--1", "bytes=0-1,x", "bytes=99999999999999999999-88888888888888888888",
     "bytes=\u0661-\u0662"],
)  # fmt: skip
def test_not_understood_is_ignored(header: str | None) -> None:
    """Section 14.2: an invalid Range is as if it were not there; the whole is served."""
    assert ranges.parse(header, SIZE) is None


@pytest.mark.parametrize(
    "header",
    [
        "bytes=10000-", "bytes=20000-30000", "bytes=-0", "bytes=99999999999999999999-",
        "bytes=99999999999999999998-99999999999999999999", "bytes=1" + "0" * 5000 + "-",
    ],
)  # fmt: skip
def test_outside_is_416(header: str) -> None:
    """Nothing of the asked exists, however large the number: sections 14.1.2 and 15.5.17."""
    with pytest.raises(RangeInvalid):
        ranges.parse(header, SIZE)


@pytest.mark.parametrize(
    "header", ["bytes=0-5,5-9", "bytes=0-,0-", "bytes=" + ",".join(f"{i}-{i}" for i in range(9))]
)
def test_ranges_that_only_make_work_are_refused(header: str) -> None:
    """Overlapping or many ranges multiply the answer: a denial of service (section 17.15)."""
    with pytest.raises(RangeInvalid):
        ranges.parse(header, SIZE)


def test_content_range() -> None:
    """The last byte's number is inclusive on the wire."""
    assert ranges.content_range(0, 500, SIZE) == "bytes 0-499/10000"
    assert ranges.unsatisfied(SIZE) == "bytes */10000"


@given(st.text(alphabet="bytes=0123456789-, x", max_size=40), st.integers(0, 1000))
def test_whatever_comes_is_within_the_recording(header: str, size: int) -> None:
    """No header makes us read outside the recording or raise anything but a 416."""
    try:
        found = ranges.parse(header, size)
    except RangeInvalid:
        return
    assert all(0 <= start < stop <= size for start, stop in found or [])
