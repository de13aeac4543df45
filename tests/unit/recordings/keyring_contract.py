"""What every keyring has to do, whoever keeps the keys: one class of tests for all providers."""

from collections.abc import Callable

import pytest

from recordings import keys
from recordings.errors import KeyDestroyed, KeyInvalid, KeyMissing
from recordings.keys import Identity, Keyring

NOW = 1_795_400_000_000_000


def identity(key_id: str, seed: int = 7) -> Identity:
    return Identity(key_id, bytes([seed]) * 32)


class KeyringContract:
    """Subclassed with a fixture `opened`: each call gives a keyring as a fresh process has it."""

    def test_what_is_added_is_there(self, opened: Callable[[], Keyring]) -> None:
        """Another process finds each key under its name, and no other."""
        opened().add([identity("2026-12", 8), identity("2026-11", 7)], NOW)
        ring = opened()
        assert ring.key_ids() == ["2026-11", "2026-12"]
        assert ring.of("2026-11").secret == b"\x07" * 32
        assert ring.of("2026-12") == identity("2026-12", 8)

    def test_who_has_it_open_sees_what_others_add(self, opened: Callable[[], Keyring]) -> None:
        """The web plays with a key that the timers of another process made meanwhile."""
        ring = opened()
        assert ring.key_ids() == []
        opened().add([identity("2026-11")], NOW)
        assert ring.of("2026-11").secret == b"\x07" * 32

    def test_a_name_is_taken_once(self, opened: Callable[[], Keyring]) -> None:
        """A month's key is never replaced, and a refused batch leaves none of its keys."""
        opened().add([identity("2026-11")], NOW)
        with pytest.raises(KeyInvalid, match="2026-11"):
            opened().add([identity("2026-10", 1), identity("2026-11", 9)], NOW)
        assert opened().key_ids() == ["2026-11"]
        assert opened().of("2026-11").secret == b"\x07" * 32

    def test_an_unknown_key_is_told(self, opened: Callable[[], Keyring]) -> None:
        """A month we never had is missing, a name that is none is invalid."""
        opened().add([identity("2026-11")], NOW)
        with pytest.raises(KeyMissing, match="2020-01"):
            opened().of("2020-01")
        with pytest.raises(KeyMissing):
            opened().not_before("2020-01")
        with pytest.raises(KeyInvalid):
            opened().of("../2026-11")

    def test_the_key_says_itself_until_when_it_stays(self, opened: Callable[[], Keyring]) -> None:
        """The second source of destruction's time lies with the keys, not in the database."""
        opened().add([identity("2026-11")], NOW)
        assert opened().not_before("2026-11") == keys.not_before_at("2026-11")

    def test_what_is_destroyed_is_gone(self, opened: Callable[[], Keyring]) -> None:
        """For who had it open too; its name is not used again, and the others stay."""
        opened().add([identity("2026-10", 1), identity("2026-11", 2)], NOW)
        before = opened()
        assert before.of("2026-10").secret
        opened().destroy("2026-10")
        opened().destroy("2026-10")
        for ring in (before, opened()):
            with pytest.raises(KeyDestroyed, match="2026-10"):
                ring.of("2026-10")
            assert ring.key_ids() == ["2026-11"]
            assert ring.of("2026-11").secret == b"\x02" * 32
        with pytest.raises(KeyInvalid):
            opened().add([identity("2026-10", 3)], NOW)

    def test_destroying_what_never_was_is_no_success(self, opened: Callable[[], Keyring]) -> None:
        """A mistyped month is told, not certified."""
        with pytest.raises(KeyMissing):
            opened().destroy("2020-01")
