"""How a file goes out: under its name, in a header that nothing breaks out of."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import saving


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("养老金 证明(1).PDF", "file.pdf"),
        ('a"b;c.txt', "file.txt"),
        ("无后缀", "file"),
        ("x.<script>", "file"),
        ("👨‍👩‍👧.jpeg", "file.jpeg"),
    ],
)
def test_a_name_in_two_ways(name: str, plain: str) -> None:
    """Protects: RFC 6266: the whole name in UTF-8, and beside it one that every program can read
    and that still says what kind of file it is."""
    first, second = saving.named(name).split("; ")
    assert first == f'filename="{plain}"'
    assert unquote(second.removeprefix("filename*=UTF-8''")) == name


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_no_name_breaks_out_of_its_header(name: str) -> None:
    """Protects: a name that came from outside can end neither its quotes nor its line."""
    answer = saving.saved(name, "application/pdf", b"x")
    told = answer.headers["Content-Disposition"]
    assert told.isascii()
    assert told.isprintable()
    assert (told.count('"'), told.count(";")) == (2, 2)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
