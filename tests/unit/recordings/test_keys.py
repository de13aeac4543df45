"""The keyring: months, files, rights, and what is said when a key is not there."""

from pathlib import Path

import pytest

from recordings import keys, sealed
from recordings.errors import KeyInvalid, KeyMissing
from recordings.keyring import Identities, new_pair

NOW = 1_795_400_000_000_000


def test_a_pair_is_made_and_found(tmp_path: Path) -> None:
    """What new_pair writes, both halves of the keyring read, and they belong together."""
    made = new_pair(tmp_path, "2026-11", now=NOW)
    assert keys.Recipients(tmp_path).of("2026-11") == made
    identity = Identities(tmp_path).of("2026-11")
    assert sealed.public_of(identity.secret) == made.public
    assert keys.Recipients(tmp_path).key_ids() == Identities(tmp_path).key_ids() == ["2026-11"]


def test_who_seals_cannot_open(tmp_path: Path) -> None:
    """Capture's keyring works where the private half does not even exist."""
    made = new_pair(tmp_path, "2026-11", now=NOW)
    for path in (tmp_path / "private").iterdir():
        path.unlink()
    (tmp_path / "private").rmdir()
    assert keys.Recipients(tmp_path).of("2026-11") == made
    with pytest.raises(KeyMissing):
        Identities(tmp_path).of("2026-11")


def test_a_private_key_is_its_owners_alone(tmp_path: Path) -> None:
    """The private half is written 0600, and refused once others may read it."""
    new_pair(tmp_path, "2026-11", now=NOW)
    path = tmp_path / "private" / "2026-11.agekey"
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o700
    path.chmod(0o640)
    with pytest.raises(KeyInvalid, match="0600"):
        Identities(tmp_path).of("2026-11")


def test_a_pair_is_never_overwritten(tmp_path: Path) -> None:
    """Overwriting a month's private key would destroy a month's recordings."""
    new_pair(tmp_path, "2026-11", now=NOW)
    before = (tmp_path / "private" / "2026-11.agekey").read_bytes()
    with pytest.raises(KeyInvalid):
        new_pair(tmp_path, "2026-11", now=NOW)
    assert (tmp_path / "private" / "2026-11.agekey").read_bytes() == before


@pytest.mark.parametrize("key_id", ["../x", "2026-13", "2026-1", "", "2026-11/x"])
def test_only_months_are_names(tmp_path: Path, key_id: str) -> None:
    """A name out of a database row must not lead to another file."""
    with pytest.raises(KeyInvalid):
        Identities(tmp_path).of(key_id)
    with pytest.raises(KeyInvalid):
        new_pair(tmp_path, key_id, now=NOW)


def test_the_month_is_chinas() -> None:
    """A call at half past midnight on the first in China belongs to that month, not to UTC's."""
    half_past_midnight = 1_793_464_200_000_000  # 2026-10-31 16:30 UTC
    assert keys.key_id_at(half_past_midnight) == "2026-11"
    assert keys.key_id_at(half_past_midnight - 3_600_000_000) == "2026-10"


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


def test_a_pair_whose_making_was_cut_off_is_finished(tmp_path: Path) -> None:
    """A crash between the two halves: the next try publishes the private half's own public one."""
    new_pair(tmp_path, "2026-11", now=NOW)
    public = tmp_path / "public" / "2026-11.age-recipient"
    written = public.read_text()
    public.unlink()
    assert new_pair(tmp_path, "2026-11", now=NOW).text == written.strip()
    with pytest.raises(KeyInvalid):
        new_pair(tmp_path, "2026-11", now=NOW)
