"""The settings of what keeps recordings and their keys, read with all others by `settings`.

Pure: from what was given to one frozen object. Secrets are in no repr.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from gateway.errors import BadSetting

KNOWN = ("KEYRING", "KEYRING_PASSPHRASE", "PUBLIC_KEYS", "GROUP", "TRANSIT_URL", "TRANSIT_TOKEN")


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
    transit_url: str
    """A transit engine that keeps the keys, `https://vault:8200/v1/transit`; empty: a file does."""
    transit_token: str = field(repr=False)

    @property
    def provider(self) -> str:
        """Who keeps the private keys."""
        return "transit" if self.transit_url else "file"

    @property
    def keyring_file(self) -> Path:
        """The private keys: an age file under a passphrase."""
        return self.keyring / "keyring.age"

    @property
    def transit_directory(self) -> Path:
        """What the transit engine has wrapped."""
        return self.keyring / "transit"

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
        transit_url=_transit(given.get("TRANSIT_URL", "")),
        transit_token=given.get("TRANSIT_TOKEN", ""),
    )


def _transit(url: str) -> str:
    parts = urlsplit(url)
    loopback = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if url and (parts.scheme != "https" and not (parts.scheme == "http" and loopback)):
        raise BadSetting(
            "HOTLINE_TRANSIT_URL 应为 https://主机:8200/v1/transit（本机可用 http）。 "
            "HOTLINE_TRANSIT_URL must be https://HOST:8200/v1/transit (http on loopback alone)."
        )
    return url
