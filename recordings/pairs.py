"""Making the months' pairs ahead of time, and whether a public half is still the one we made.

What always holds: every private half is kept before the first public one is published, so nothing
can be sealed to a key that was lost; a pair that stands is never made again.  Who may write the
public directory could put his own key there and have every later recording sealed to it: `check`
compares what lies there with the register, which is kept elsewhere (the gateway's database).
"""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from recordings import keys, sealed
from recordings.disk import Disk
from recordings.errors import KeyInvalid, KeyMissing
from recordings.keys import Identity, Keyring, Recipient, Recipients

MONTHS_AHEAD = 3
"""The pairs of this month and of so many after it stand ready."""


def wanted(now: int) -> list[str]:
    """The months whose pairs have to be there at `now` (µs UTC)."""
    first = keys.key_id_at(now)
    year, month = int(first[:4]), int(first[5:7])
    counted = range(month - 1, month + MONTHS_AHEAD)
    return [f"{year + n // 12:04d}-{n % 12 + 1:02d}" for n in counted]


def next_of(month: str, taken: Collection[str]) -> str:
    """The name of one more pair of that month; raises KeyInvalid after the 26th."""
    for suffix in ("", *"bcdefghijklmnopqrstuvwxyz"):
        if month + suffix not in taken:
            return keys.checked(month + suffix)
    raise KeyInvalid(f"{month} 的密钥已换过 25 次。 {month} was rotated 25 times already.")


def make(
    keyring: Keyring,
    public: Path,
    key_ids: Sequence[str],
    *,
    now: int,
    entropy: Callable[[int], bytes] = os.urandom,
    disk: Disk | None = None,
) -> list[Recipient]:
    """Make these pairs and keep both halves; raises KeyInvalid where one stands already."""
    held, published = keyring.key_ids(), Recipients(public).key_ids()
    # A crash came between two halves; nothing was sealed yet, and the private one is whole.
    halves = [keyring.of(one) for one in key_ids if one in held and one not in published]
    known = {half.key_id for half in halves}
    fresh = [
        Identity(keys.checked(one), entropy(sealed.X25519_KEY))
        for one in key_ids
        if one not in known
    ]
    if fresh:
        keyring.add(fresh, now)
    made = [Recipient(one.key_id, sealed.public_of(one.secret)) for one in (*halves, *fresh)]
    for recipient in made:
        keys.publish(public, recipient, disk=disk)
    return made


def enclose(private: Path, into: Keyring, *, now: int, disk: Disk | None = None) -> list[str]:
    """Move the plain key files of older installations into the keyring; the names of those moved.

    Each file goes only once the keyring holds its key.  Raises KeyInvalid where the keyring has
    another key of that name, and then nothing was moved.
    """
    disk, held = disk or Disk(), into.key_ids()
    files = {path.stem: path for path in sorted(private.glob("*.agekey"))}
    found = [
        Identity(keys.checked(name), keys.parse_identity_file(path.read_text("utf-8"))[0])
        for name, path in files.items()
    ]
    for one in found:
        if one.key_id in held and into.of(one.key_id) != one:
            raise KeyInvalid(
                f"钥匙环里已有另一把 {one.key_id}，未移动任何文件；请先查明哪一把是真的。 "
                f"The keyring has another {one.key_id}; nothing was moved: find out which is right."
            )
    if fresh := [one for one in found if one.key_id not in held]:
        into.add(fresh, now)
    for path in files.values():
        disk.remove(path)
    if files:
        disk.sync_directory(private)
    return sorted(files)


def belong(half: Recipient, ring: Keyring) -> bool:
    """Whether this public half is that of the private one; raises KeyMissing and its like."""
    return sealed.public_of(ring.of(half.key_id).secret) == half.public


def check(public: Path, register: Mapping[str, str]) -> list[str]:
    """The names of keys whose public half is missing, unreadable, or not the one in `register`
    (name → age1…); a half that the register does not know counts too."""
    there = Recipients(public)
    names = sorted(set(there.key_ids()) | set(register))
    return [name for name in names if _text(there, name) != register.get(name)]


def _text(there: Recipients, name: str) -> str:
    try:
        return there.of(name).text
    except KeyInvalid:
        return "?"
    except KeyMissing:
        return ""
