"""The settings of what keeps recordings and their keys, read with all others by `settings`.

Pure: from what was given to one frozen object. Secrets are in no repr.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

KNOWN = ("KEYRING", "KEYRING_PASSPHRASE", "PUBLIC_KEYS", "GROUP")


@dataclass(frozen=True, slots=True)
class Archive:
    """Where keys lie and how they are opened. Paths are absolute."""

    keyring: Path
    """The directory of the keyring file and of the log's signing key."""
    keyring_passphrase: str = field(repr=False)
    """Empty: a systemd credential, the file that `init` made, or a terminal gives it."""
    public_keys: Path
    """The directory of the public halves, all that capture needs."""
    group: str
    """The group whose members share the house; empty: its owner alone."""

    @property
    def provider(self) -> str:
        """Who keeps the private keys."""
        return "file"

    @property
    def keyring_file(self) -> Path:
        """The private keys: an age file under a passphrase."""
        return self.keyring / "keyring.age"

    @property
    def passphrase_file(self) -> Path:
        """What `init` makes where no passphrase was given: for trying out, not for keeping."""
        return self.keyring / "keyring.passphrase"


def read(given: Mapping[str, str], state: Path) -> Archive:
    """From the given values by short name; what is not set lies under `state`."""
    keyring = Path(given.get("KEYRING") or state / "keys").absolute()
    return Archive(
        keyring=keyring,
        keyring_passphrase=given.get("KEYRING_PASSPHRASE", ""),
        public_keys=Path(given.get("PUBLIC_KEYS") or keyring / "public").absolute(),
        group=given.get("GROUP", ""),
    )
