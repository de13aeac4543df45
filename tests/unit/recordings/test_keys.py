"""Keys: months, their public halves as files, keys as text, and pairs made ahead."""

from datetime import datetime
from pathlib import Path

import pytest

from recordings import keys, pairs, sealed
from recordings.errors import KeyInvalid, KeyMissing
from recordings.keyring import FileKeyring
from recordings.keys import CHINA, Keyring

NOW = 1_795_400_000_000_000


@pytest.fixture
def ring(tmp_path: Path) -> Keyring:
    """A keyring with nothing in it."""
    return FileKeyring(tmp_path / "keyring.age", lambda: "correct horse battery", log_n=2)


def test_a_pair_is_made_and_found(ring: Keyring, tmp_path: Path) -> None:
    """Both halves are kept, each where it belongs, and they belong together."""
    (made,) = pairs.make(ring, tmp_path / "public", ["2026-11"], now=NOW)
    there = keys.Recipients(tmp_path / "public")
    assert there.of("2026-11") == made
    assert sealed.public_of(ring.of("2026-11").secret) == made.public
    assert there.key_ids() == ring.key_ids() == ["2026-11"]


def test_a_pair_is_never_made_again(ring: Keyring, tmp_path: Path) -> None:
    """Overwriting a month's private key would destroy a month's recordings."""
    pairs.make(ring, tmp_path / "public", ["2026-11"], now=NOW)
    before = ring.of("2026-11")
    with pytest.raises(KeyInvalid):
        pairs.make(ring, tmp_path / "public", ["2026-11"], now=NOW)
    assert ring.of("2026-11") == before


def test_a_pair_whose_making_was_cut_off_is_finished(ring: Keyring, tmp_path: Path) -> None:
    """A crash between the two halves: the next try publishes the private half's own public one."""
    (made,) = pairs.make(ring, tmp_path / "public", ["2026-11"], now=NOW)
    (tmp_path / "public" / "2026-11.age-recipient").unlink()
    again = pairs.make(ring, tmp_path / "public", ["2026-11", "2026-12"], now=NOW)
    assert again[0] == made
    assert ring.key_ids() == ["2026-11", "2026-12"]


@pytest.mark.parametrize("key_id", ["../x", "2026-13", "2026-1", "", "2026-11/x", "２０２６-11"])
def test_only_months_are_names(ring: Keyring, tmp_path: Path, key_id: str) -> None:
    """A name out of a database row must not lead to another file."""
    with pytest.raises(KeyInvalid):
        keys.Recipients(tmp_path).of(key_id)
    with pytest.raises(KeyInvalid):
        pairs.make(ring, tmp_path / "public", [key_id], now=NOW)
    assert list(tmp_path.iterdir()) in ([], [tmp_path / "keyring.age.lock"])


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=CHINA).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("now", "months"),
    [
        ("2026-11-23", ["2026-11", "2026-12", "2027-01", "2027-02"]),
        ("2026-09-01", ["2026-09", "2026-10", "2026-11", "2026-12"]),
        ("2026-12-31T23:59:59", ["2026-12", "2027-01", "2027-02", "2027-03"]),
    ],
)
def test_four_months_stand_ready(now: str, months: list[str]) -> None:
    """This month and the three next ones, over the year's end too."""
    assert pairs.wanted(at(now)) == months


def test_a_swapped_public_half_is_found(ring: Keyring, tmp_path: Path) -> None:
    """Swapped for a stranger's, spoilt, removed, or added: the register says otherwise."""
    public = tmp_path / "public"
    made = pairs.make(ring, public, ["2026-11", "2026-12", "2027-01"], now=NOW)
    register = {one.key_id: one.text for one in made}
    assert pairs.check(public, register) == []
    stranger = keys.encode_recipient(sealed.public_of(b"\x09" * 32))
    (public / "2026-11.age-recipient").write_text(stranger + "\n")
    (public / "2026-12.age-recipient").write_text("age1nonsense\n")
    (public / "2027-01.age-recipient").unlink()
    (public / "2027-02.age-recipient").write_text(stranger + "\n")
    assert pairs.check(public, register) == ["2026-11", "2026-12", "2027-01", "2027-02"]


def test_the_month_is_chinas() -> None:
    """A call at half past midnight on the first in China belongs to that month, not to UTC's."""
    half_past_midnight = 1_793_464_200_000_000  # 2026-10-31 16:30 UTC
    assert keys.key_id_at(half_past_midnight) == "2026-11"
    assert keys.key_id_at(half_past_midnight - 3_600_000_000) == "2026-10"


@pytest.mark.parametrize(
    ("key_id", "day"),
    [("2026-11", "2028-11-30"), ("2025-12", "2028-01-01"), ("2024-01", "2026-01-31")],
)
def test_a_key_is_kept_two_years_after_its_month(key_id: str, day: str) -> None:
    """730 days from the month's end in China, whether a leap year lies between or not."""
    assert keys.not_before_at(key_id) == at(day)


def test_a_secret_is_in_no_repr() -> None:
    """A private key in a traceback would be in a log."""
    secret = bytes(range(32))
    shown = repr(keys.Identity("2026-11", secret))
    assert "2026-11" in shown
    assert repr(secret) not in shown


def test_an_identity_file_as_age_keygen_writes_it() -> None:
    """Comments and empty lines are skipped, several keys are all read, none is an error."""
    text = keys.render_identity_file(b"\x42" * 32, NOW)
    lines = text.splitlines()
    assert lines[0] == "# created: 2026-11-23T02:13:20Z"
    assert lines[1].startswith("# public key: age1")
    assert keys.parse_identity_file(text) == [b"\x42" * 32]
    assert keys.parse_identity_file(f"\n{text}\n# more\n{text}") == [b"\x42" * 32] * 2
    with pytest.raises(KeyInvalid):
        keys.parse_identity_file("# nothing\n")


def test_a_public_key_is_no_private_one() -> None:
    """A mistaken kind of key is named as such."""
    with pytest.raises(KeyInvalid, match="AGE-SECRET-KEY"):
        keys.decode_identity(keys.encode_recipient(bytes(range(32))))
    with pytest.raises(KeyInvalid, match="age1"):
        keys.decode_recipient(keys.encode_identity(bytes(range(32))))


def test_a_missing_month_says_what_to_do(tmp_path: Path) -> None:
    """The operator is told the command, in both languages."""
    with pytest.raises(KeyMissing, match=r"公钥.*hotline keys new"):
        keys.Recipients(tmp_path).of("2027-01")
