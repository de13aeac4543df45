"""Keys: a pair a month, its public half for whoever seals, its private half for playback.

A key's name is its month in China, `2026-11`; a second pair of the same month, made because the
first was lost or may be known to others, is `2026-11b`, and seals from then on.  Here are the
names, keys as text, the public halves (`Recipients`: one line age1… in
`<public>/2026-11.age-recipient`, read by capture) and the shape of what keeps the private ones
(`Keyring`).  What always holds: secrets stand in no repr and no message; nothing here looks at a
private half, so that the capturing process can run as a user who may not; a public half that
stands is never replaced.  keyring.py keeps the others.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Protocol

from recordings import bech32, sealed
from recordings.disk import Disk, whole
from recordings.errors import KeyInvalid, KeyMissing

CHINA = timezone(timedelta(hours=8))
_PUBLIC_HRP = "age"
_SECRET_HRP = "age-secret-key-"  # noqa: S105  the prefix of a key, not a key
HOLD = "hold-"
"""A key so named opens what was held when its own month's key was destroyed (retention.py)."""
_KEY_ID = re.compile(r"(hold-)?[0-9]{4}-(0[1-9]|1[0-2])[b-z]?")
KEPT = timedelta(days=730)
"""How long a month's recordings are kept at least: two years (DOMAIN.md, 录音保存)."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """The public half of a month's pair."""

    key_id: str
    public: bytes

    @property
    def text(self) -> str:
        """As the age program takes it: age1…"""
        return encode_recipient(self.public)


@dataclass(frozen=True, slots=True)
class Identity:
    """The private half of a month's pair."""

    key_id: str
    secret: bytes = field(repr=False)


def key_id_at(at: int) -> str:
    """The name of the key for a moment: its month in China, where the hotline is."""
    return datetime.fromtimestamp(at / 1_000_000, tz=CHINA).strftime("%Y-%m")


def not_before_at(key_id: str) -> int:
    """When at the earliest (µs UTC) a month's key may be destroyed: KEPT after its month in China
    has ended; a hold key, which opens only what was kept so long, when its month is over.  Raises
    KeyInvalid."""
    month_of = checked(key_id).removeprefix(HOLD)
    year, month = int(month_of[:4]), int(month_of[5:7])
    over = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=CHINA)
    kept = timedelta() if key_id.startswith(HOLD) else KEPT
    return int((over + kept).timestamp()) * 1_000_000


def hold_key_at(at: int) -> str:
    """The name of the key that what is held at that moment is re-wrapped to: hold-2028-12."""
    return HOLD + key_id_at(at)


def checked(key_id: str) -> str:
    """The name, if it is one of a month; raises KeyInvalid for any other."""
    if not _KEY_ID.fullmatch(key_id):
        raise KeyInvalid(f"密钥名须为年-月：{key_id!r}。 A key's name is year-month: {key_id!r}.")
    return key_id


def listed(files: Iterable[Path]) -> list[str]:
    """The names of keys among the files', oldest first."""
    return sorted(path.stem for path in files if _KEY_ID.fullmatch(path.stem))


def encode_recipient(public: bytes) -> str:
    """A public key as text, age1…"""
    return bech32.encode(_PUBLIC_HRP, public)


def decode_recipient(text: str) -> bytes:
    """The 32 bytes of an age1… text; raises KeyInvalid."""
    hrp, public = bech32.decode(text.strip())
    if hrp != _PUBLIC_HRP or len(public) != sealed.X25519_KEY:
        raise KeyInvalid("这不是 age1… 公钥。 This is not an age1… public key.")
    return public


def encode_identity(secret: bytes) -> str:
    """A private key as text, AGE-SECRET-KEY-1…"""
    return bech32.encode(_SECRET_HRP, secret).upper()


def decode_identity(text: str) -> bytes:
    """The 32 bytes of an AGE-SECRET-KEY-1… text; raises KeyInvalid."""
    hrp, secret = bech32.decode(text.strip())
    if hrp != _SECRET_HRP or len(secret) != sealed.X25519_KEY:
        raise KeyInvalid("这不是 AGE-SECRET-KEY-1… 私钥。 This is not an AGE-SECRET-KEY-1… key.")
    return secret


def parse_identity_file(text: str) -> list[bytes]:
    """The secrets of a file as age-keygen writes it; `#` lines and empty lines are skipped."""
    lines = [line.strip() for line in text.splitlines()]
    secrets = [decode_identity(line) for line in lines if line and not line.startswith("#")]
    if not secrets:
        raise KeyInvalid("密钥文件里没有私钥。 The key file holds no private key.")
    return secrets


def render_identity_file(secret: bytes, created_at: int) -> str:
    """A private key as age-keygen writes it; `created_at` in microseconds UTC."""
    created = datetime.fromtimestamp(created_at // 1_000_000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    public = encode_recipient(sealed.public_of(secret))
    return f"# created: {created}\n# public key: {public}\n{encode_identity(secret)}\n"


class Recipients:
    """The public halves in one directory; all that sealing needs."""

    def __init__(self, public: Path) -> None:
        self._directory = public

    def key_ids(self) -> list[str]:
        """The names of all public keys there are, oldest first."""
        return listed(self._directory.glob("*.age-recipient"))

    def newest(self, month: str) -> Recipient:
        """The pair of that month that seals now: the last one made; raises KeyMissing or
        KeyInvalid."""
        made = [key_id for key_id in self.key_ids() if key_id.startswith(month)]
        return self.of(made[-1] if made else month)

    def of(self, key_id: str) -> Recipient:
        """The public key of that name; raises KeyMissing or KeyInvalid."""
        path = self._directory / f"{checked(key_id)}.age-recipient"
        try:
            return Recipient(key_id, decode_recipient(path.read_text("ascii")))
        except FileNotFoundError as error:
            raise KeyMissing(
                f"缺少 {key_id} 的公钥，请先生成：hotline keys new。 "
                f"No public key for {key_id}: make one with `hotline keys new`."
            ) from error
        except UnicodeDecodeError as error:
            raise KeyInvalid(f"{key_id} 的公钥文件无法读取。 {key_id}: unreadable key.") from error


def publish(public: Path, recipient: Recipient, *, disk: Disk | None = None) -> None:
    """Write a public half into the directory `public`, whole or not at all.

    Raises KeyInvalid where one of that name stands.
    """
    disk = disk or Disk()
    disk.make_directories(public, 0o755)
    path = public / f"{checked(recipient.key_id)}.age-recipient"
    try:
        with whole(path, 0o644, disk=disk) as file:
            disk.write(file, f"{recipient.text}\n".encode("ascii"))
    except FileExistsError as error:
        raise stands(path) from error


def withdraw(public: Path, key_id: str, *, disk: Disk | None = None) -> None:
    """Remove a public half: from now on nothing is sealed to it.  Idempotent."""
    disk = disk or Disk()
    try:
        disk.remove(public / f"{checked(key_id)}.age-recipient")
    except FileNotFoundError:
        return
    disk.sync_directory(public)


def stands(path: Path) -> KeyInvalid:
    """Told where a key would have to be replaced."""
    return KeyInvalid(
        f"密钥 {path.name} 已存在，未改动。 {path.name} exists already; nothing was changed."
    )


class Keyring(Protocol):
    """The private halves, however they are kept; playback and the custodians alone have one.
    `provider` names the way they are kept in the register."""

    provider: str

    def key_ids(self) -> list[str]:
        """The names of all private keys there are, oldest first."""

    def of(self, key_id: str) -> Identity:
        """The private key of that name; raises KeyMissing, KeyDestroyed or KeyInvalid, and, as
        everything here, KeyringLocked or PassphraseWrong where nothing can be opened."""

    def add(self, made: Sequence[Identity], now: int) -> None:
        """Keep new private keys, made at `now` (µs UTC), durably, each whole or not at all; raises
        KeyInvalid where one of that name stands, which is never replaced."""

    def not_before(self, key_id: str) -> int:
        """Before when (µs UTC) the key must not be destroyed, by the keyring's own word, which
        nothing in the database can change; raises KeyMissing, KeyDestroyed or KeyInvalid."""

    def destroy(self, key_id: str) -> None:
        """Destroy a private key: once this returns, nothing here opens what was sealed to it.

        Idempotent; raises KeyMissing for a key that never was.  Its name is never used again.
        Whether it is time, and who has agreed, is the caller's duty.
        """
