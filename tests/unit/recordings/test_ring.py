"""The text inside the keyring: read back as written, and nothing else is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings import keys, ring
from recordings.errors import KeyInvalid
from recordings.keys import Identity
from recordings.ring import Ring

NOW = 1_795_400_000_123_456
NAMES = st.builds("{:04d}-{:02d}".format, st.integers(2020, 2099), st.integers(1, 12))


@given(st.dictionaries(NAMES, st.binary(min_size=32, max_size=32), max_size=5), st.sets(NAMES))
def test_what_is_rendered_is_read(held: dict[str, bytes], gone: set[str]) -> None:
    """Every ring comes back whole, with dates and with the names of what was destroyed."""
    made = Ring(destroyed=frozenset(gone - set(held)))
    made = made.adding([Identity(name, secret) for name, secret in held.items()], NOW)
    assert ring.parse(ring.render(made)) == made


def test_age_reads_it_as_an_identity_file() -> None:
    """In an emergency the text is what `age -d -i` takes: comments and keys alone."""
    made = Ring(destroyed=frozenset({"2024-10"}))
    made = made.adding([Identity("2026-11", b"\x07" * 32), Identity("2026-12", b"\x08" * 32)], NOW)
    text = ring.render(made)
    assert keys.parse_identity_file(text) == [b"\x07" * 32, b"\x08" * 32]
    assert "# not before: 2028-11-30\n" in text
    assert text.endswith("# destroyed: 2024-10\n")


@pytest.mark.parametrize(
    ("find", "put"),
    [
        ("# key: 2026-11", "# key: ../x"),
        ("# key: 2026-11\n", ""),
        ("# not before: 2028-11-30", "# not before: soon"),
        ("# not before: 2028-11-30\n", ""),
        ("# public key: age1", "# public key: age1x"),
        ("AGE-SECRET-KEY-1", "AGE-SECRET-KEY-1Q"),
        ("\n", "\n\n\n"),
    ],
)
def test_a_text_we_did_not_write_is_refused(find: str, put: str) -> None:
    """A ring edited by hand into something ambiguous opens nothing rather than the wrong thing."""
    text = ring.render(Ring().adding([Identity("2026-11", b"\x07" * 32)], NOW))
    assert find in text
    with pytest.raises(KeyInvalid):
        ring.parse(text.replace(find, put))


def test_no_secret_is_in_a_repr() -> None:
    """A ring in a traceback would be all recordings in a log."""
    made = Ring().adding([Identity("2026-11", bytes(range(32)))], NOW)
    assert repr(bytes(range(32))) not in repr(made)
