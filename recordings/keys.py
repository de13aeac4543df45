"""Keys: a pair a month, its public half for whoever seals, its private half for playback.

A key's name is its month in China, `2026-11`.  A keyring is a directory:

    public/2026-11.age-recipient      one line, age1…            read by capture
    private/2026-11.agekey            as age-keygen writes it    0600, read by playback alone

`Recipients` never looks into `private/`; the capturing process can run as a user who may not.
What always holds: secrets stand in no repr and no message, and a private file that others than
its owner may read is refused.  Destroying keys is not here.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from recordings import bech32, sealed
from recordings.errors import KeyInvalid, KeyMissing

CHINA = timezone(timedelta(hours=8))
_PUBLIC_HRP = "age"
_SECRET_HRP = "age-secret-key-"  # noqa: S105  the prefix of a key, not a key
_KEY_ID = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


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
    """The public halves of a keyring directory; all that sealing needs."""

    def __init__(self, keyring: Path) -> None:
        self._directory = keyring / "public"

    def key_ids(self) -> list[str]:
        """The names of all public keys there are, oldest first."""
        names = (path.stem for path in self._directory.glob("*.age-recipient"))
        return sorted(name for name in names if _KEY_ID.fullmatch(name))

    def of(self, key_id: str) -> Recipient:
        """The public key of that name; raises KeyMissing or KeyInvalid."""
        path = self._directory / f"{_checked(key_id)}.age-recipient"
        try:
            return Recipient(key_id, decode_recipient(path.read_text("ascii")))
        except FileNotFoundError as error:
            raise KeyMissing(
                f"缺少 {key_id} 的公钥，请先生成：hotline keys new。 "
                f"No public key for {key_id}: make one with `hotline keys new`."
            ) from error
        except UnicodeDecodeError as error:
            raise KeyInvalid(f"{key_id} 的公钥文件无法读取。 {key_id}: unreadable key.") from error


class Identities:
    """The private halves of a keyring directory; playback alone has one of these."""

    def __init__(self, keyring: Path) -> None:
        self._directory = keyring / "private"

    def key_ids(self) -> list[str]:
        """The names of all private keys there are, oldest first."""
        names = (path.stem for path in self._directory.glob("*.agekey"))
        return sorted(name for name in names if _KEY_ID.fullmatch(name))

    def of(self, key_id: str) -> Identity:
        """The private key of that name; raises KeyMissing or KeyInvalid."""
        path = self._directory / f"{_checked(key_id)}.agekey"
        try:
            rights = path.stat().st_mode
            text = path.read_text("ascii")
        except FileNotFoundError as error:
            raise KeyMissing(
                f"没有 {key_id} 的私钥，该月录音无法打开。 "
                f"No private key for {key_id}: recordings of that month cannot be opened."
            ) from error
        except UnicodeDecodeError as error:
            raise KeyInvalid(f"{key_id} 的私钥文件无法读取。 {key_id}: unreadable key.") from error
        if rights & 0o077:
            raise KeyInvalid(
                f"私钥 {path.name} 可被他人读取，请改为 0600。 "
                f"Others may read {path.name}: chmod it to 0600."
            )
        return Identity(key_id, parse_identity_file(text)[0])


def new_pair(
    keyring: Path, key_id: str, *, now: int, entropy: Callable[[int], bytes] = os.urandom
) -> Recipient:
    """Make the pair of a month and write both halves; raises KeyInvalid where one stands already.

    The private half is on disk before the public one: nothing can be sealed to a lost key.
    """
    _checked(key_id)
    private, public = keyring / "private", keyring / "public"
    private.mkdir(mode=0o700, parents=True, exist_ok=True)
    public.mkdir(mode=0o755, parents=True, exist_ok=True)
    if (private / f"{key_id}.agekey").exists() and not (
        public / f"{key_id}.age-recipient"
    ).exists():
        # A crash came between the two halves; nothing was sealed yet, and the private one is whole.
        secret = Identities(keyring).of(key_id).secret
    else:
        secret = entropy(sealed.X25519_KEY)
        _write_new(private / f"{key_id}.agekey", render_identity_file(secret, now), 0o600)
    recipient = Recipient(key_id, sealed.public_of(secret))
    _write_new(public / f"{key_id}.age-recipient", recipient.text + "\n", 0o644)
    return recipient


def _checked(key_id: str) -> str:
    if not _KEY_ID.fullmatch(key_id):
        raise KeyInvalid(f"密钥名须为年-月：{key_id!r}。 A key's name is year-month: {key_id!r}.")
    return key_id


def _write_new(path: Path, text: str, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        raise KeyInvalid(
            f"密钥 {path.name} 已存在，未改动。 {path.name} exists already; nothing was changed."
        ) from error
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
