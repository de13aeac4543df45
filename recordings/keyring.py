"""The private halves of the months' pairs, as files of the directory `<keyring>/private`.

    private/2026-11.agekey            as age-keygen writes it    0600, read by playback alone

What always holds: a private file is there whole or not at all, is never replaced, and one that
others than its owner may read is refused; secrets stand in no repr and no message.  Who may ask
for a key to be destroyed, and when, is not decided here.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from recordings import keys, sealed
from recordings.disk import Disk, whole
from recordings.errors import KeyInvalid, KeyMissing
from recordings.keys import Identity, Recipient, Recipients, checked


class Identities:
    """A `keys.Keyring` of plain files."""

    def __init__(self, keyring: Path, disk: Disk | None = None) -> None:
        self._directory = keyring / "private"
        self._disk = disk or Disk()

    def key_ids(self) -> list[str]:
        """The names of all private keys there are, oldest first."""
        return keys.listed(self._directory.glob("*.agekey"))

    def of(self, key_id: str) -> Identity:
        """The private key of that name; raises KeyMissing or KeyInvalid."""
        path = self._path(key_id)
        try:
            rights = path.stat().st_mode
            text = path.read_text("ascii")
        except FileNotFoundError as error:
            raise _missing(key_id) from error
        except UnicodeDecodeError as error:
            raise KeyInvalid(f"{key_id} 的私钥文件无法读取。 {key_id}: unreadable key.") from error
        if rights & 0o077:
            raise KeyInvalid(
                f"私钥 {path.name} 可被他人读取，请改为 0600。 "
                f"Others may read {path.name}: chmod it to 0600."
            )
        return Identity(key_id, keys.parse_identity_file(text)[0])

    def add(self, made: Sequence[Identity], now: int) -> None:
        """Write new private keys, each whole or not at all; raises KeyInvalid where one stands."""
        self._disk.make_directories(self._directory, 0o700)
        for identity in made:
            path = self._path(identity.key_id)
            text = keys.render_identity_file(identity.secret, now)
            try:
                with whole(path, disk=self._disk) as file:
                    self._disk.write(file, text.encode("ascii"))
            except FileExistsError as error:
                raise keys.stands(path) from error

    def not_before(self, key_id: str) -> int:
        """What the file's name says (keys.not_before_at); raises KeyMissing or KeyInvalid."""
        if not self._path(key_id).exists():
            raise _missing(key_id)
        return keys.not_before_at(key_id)

    def destroy(self, key_id: str) -> None:
        """Remove the file; durable when this returns.  Raises KeyInvalid for what is no name."""
        try:
            self._disk.remove(self._path(key_id))
        except FileNotFoundError:
            if not self._directory.exists():
                return
        self._disk.sync_directory(self._directory)

    def _path(self, key_id: str) -> Path:
        return self._directory / f"{checked(key_id)}.agekey"


def new_pair(
    keyring: Path,
    key_id: str,
    *,
    now: int,
    entropy: Callable[[int], bytes] = os.urandom,
    disk: Disk | None = None,
) -> Recipient:
    """Make the pair of a month and write both halves; raises KeyInvalid where one stands already.

    The private half is on disk before the public one: nothing can be sealed to a lost key.
    """
    identities = Identities(keyring, disk)
    if key_id in identities.key_ids() and key_id not in Recipients(keyring).key_ids():
        # A crash came between the two halves; nothing was sealed yet, and the private one is whole.
        identity = identities.of(key_id)
    else:
        identity = Identity(checked(key_id), entropy(sealed.X25519_KEY))
        identities.add([identity], now)
    recipient = Recipient(key_id, sealed.public_of(identity.secret))
    keys.publish(keyring / "public", recipient, disk=disk)
    return recipient


def _missing(key_id: str) -> KeyMissing:
    return KeyMissing(
        f"没有 {key_id} 的私钥，该月录音无法打开。 "
        f"No private key for {key_id}: recordings of that month cannot be opened."
    )
