"""Bech32 keys: as BIP 173 and the age specification spell them, and no other way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings import bech32
from recordings.errors import KeyInvalid

PUBLIC = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
SECRET = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"


def test_the_specifications_own_keys() -> None:
    """The examples of the age specification decode and encode to the same text."""
    assert bech32.encode(*bech32.decode(PUBLIC)) == PUBLIC
    assert bech32.decode(SECRET) == ("age-secret-key-", b"\x42" * 32)
    assert bech32.encode("age-secret-key-", b"\x42" * 32).upper() == SECRET


@given(st.binary(max_size=64))
def test_round_trip(data: bytes) -> None:
    """Whatever is encoded decodes to itself."""
    assert bech32.decode(bech32.encode("age", data)) == ("age", data)


@given(st.integers(0, len(PUBLIC) - 1), st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7l"))
def test_a_wrong_character_is_noticed(at: int, letter: str) -> None:
    """A key copied with one wrong character is refused, not sealed to."""
    if PUBLIC[at] == letter:
        return
    with pytest.raises(KeyInvalid):
        bech32.decode(PUBLIC[:at] + letter + PUBLIC[at + 1 :])


@pytest.mark.parametrize(
    "text", ["", "age", "1", "age1", PUBLIC[:-1], "A" + PUBLIC[1:], "年1qqqqqq"]
)
def test_malformed_texts(text: str) -> None:
    """Cut-off, mixed-case and foreign texts are refused with a KeyInvalid and nothing else."""
    with pytest.raises(KeyInvalid):
        bech32.decode(text)
