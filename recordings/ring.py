"""The text inside the keyring file: age-keygen's own form, a few comment lines before each key.

    # key: 2026-11
    # created: 2026-11-01T00:00:00Z
    # not before: 2028-11-30
    # public key: age1…
    AGE-SECRET-KEY-1…

    # destroyed: 2024-10

`age -d keyring.age > keys.txt` gives a file that `age -d -i keys.txt` takes as it is.  Pure.  What
always holds: `parse(render(ring)) == ring`; a name stands once, with a key or as destroyed; the
moment before which a key may not be destroyed is read from here and from nowhere else, so no change
of a database moves it.  No secret stands in a repr or a message.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from recordings import keys, sealed
from recordings.errors import KeyDestroyed, KeyInvalid, KeyMissing
from recordings.keys import CHINA, Identity

_STAMP = "%Y-%m-%dT%H:%M:%SZ"
_DAY = "%Y-%m-%d"


@dataclass(frozen=True, slots=True)
class Kept:
    """One key of the ring; times in microseconds UTC, `not_before` at a midnight of China."""

    identity: Identity
    created: int
    not_before: int


@dataclass(frozen=True, slots=True)
class Ring:
    """All keys there are, by name, and the names of those that were destroyed."""

    kept: dict[str, Kept] = field(default_factory=dict)
    destroyed: frozenset[str] = frozenset()

    def of(self, key_id: str) -> Kept:
        """That key; raises KeyInvalid, KeyDestroyed or KeyMissing."""
        keys.checked(key_id)
        if key_id in self.destroyed:
            raise KeyDestroyed(
                f"{key_id} 的私钥已按期销毁，该月录音不可恢复。 "
                f"The key of {key_id} was destroyed; its recordings cannot be opened any more."
            )
        if key_id not in self.kept:
            raise KeyMissing(
                f"没有 {key_id} 的私钥，该月录音无法打开。 "
                f"No private key for {key_id}: recordings of that month cannot be opened."
            )
        return self.kept[key_id]

    def adding(self, made: Iterable[Identity], now: int) -> "Ring":
        """With these keys, new today; raises KeyInvalid where a name stands or stood already."""
        kept = dict(self.kept)
        for identity in made:
            key_id = keys.checked(identity.key_id)
            if key_id in kept or key_id in self.destroyed:
                raise KeyInvalid(
                    f"密钥 {key_id} 已存在，未改动。 {key_id} exists already; nothing was changed."
                )
            whole_second = now // 1_000_000 * 1_000_000  # as much as the text keeps
            kept[key_id] = Kept(identity, whole_second, keys.not_before_at(key_id))
        return replace(self, kept=kept)

    def without(self, key_id: str) -> "Ring":
        """With that key destroyed; raises KeyMissing where it never was."""
        if key_id in self.destroyed:
            return self
        self.of(key_id)
        kept = {name: one for name, one in self.kept.items() if name != key_id}
        return Ring(kept, self.destroyed | {key_id})


def render(ring: Ring) -> str:
    """The text of a ring, keys in order of their names."""
    blocks = [_block(name, one) for name, one in sorted(ring.kept.items())]
    blocks += [f"# destroyed: {key_id}\n" for key_id in sorted(ring.destroyed)]
    return "\n".join(blocks)


def parse(text: str) -> Ring:
    """Read what `render` wrote; raises KeyInvalid for anything it would not have written."""
    kept: dict[str, Kept] = {}
    destroyed: set[str] = set()
    for block in text.split("\n\n"):
        said = {}
        secret = ""
        for line in block.splitlines():
            name, colon, value = line.removeprefix("# ").partition(": ")
            if not line.startswith("#"):
                secret = line
            elif colon:
                said[name] = value
        if "destroyed" in said:
            destroyed.add(said["destroyed"])
        elif secret:
            one = _kept(said, secret)
            kept[one.identity.key_id] = one
    ring = Ring(kept, frozenset(destroyed))
    if render(ring) != text:
        raise KeyInvalid("钥匙环的内容不合格式。 The text of the keyring is malformed.")
    return ring


def _block(key_id: str, one: Kept) -> str:
    created = datetime.fromtimestamp(one.created / 1_000_000, tz=UTC).strftime(_STAMP)
    not_before = datetime.fromtimestamp(one.not_before / 1_000_000, tz=CHINA).strftime(_DAY)
    public = keys.encode_recipient(sealed.public_of(one.identity.secret))
    return (
        f"# key: {key_id}\n# created: {created}\n# not before: {not_before}\n"
        f"# public key: {public}\n{keys.encode_identity(one.identity.secret)}\n"
    )


def _kept(said: dict[str, str], secret: str) -> Kept:
    try:
        key_id = keys.checked(said["key"])
        created = datetime.strptime(said["created"], _STAMP).replace(tzinfo=UTC)
        not_before = datetime.strptime(said["not before"], _DAY).replace(tzinfo=CHINA)
    except (KeyError, ValueError) as error:
        raise KeyInvalid(
            "钥匙环里有一把钥匙缺名称或日期。 A key of the keyring lacks its name or dates."
        ) from error
    return Kept(
        Identity(key_id, keys.decode_identity(secret)),
        int(created.timestamp()) * 1_000_000,
        int(not_before.timestamp()) * 1_000_000,
    )
