"""Whose the files are: the house of one user, or of a group of them.

Without `HOTLINE_GROUP` everything is its owner's alone. With it, the process that serves and the
one that captures are two OS users of that group: they share database, store, spool and notices,
and nothing else. What always holds: the keyring, its passphrase and the log's signing key are their
owner's alone in both houses; others than owner and group may never read anything.
"""

import grp
import os
from pathlib import Path

from gateway.archive import Archive
from gateway.errors import BadSetting

SHARED = 0o007  # umask(2)
READ_ONLY = 0o2750  # of a directory: the group looks and changes nothing
PASSAGE = 0o710  # of a directory: the group passes to what it knows by name
SECRETS = ("KEYRING_PASSPHRASE", "TRANSIT_TOKEN", "TRANSIT_URL")


def begin(group: str) -> None:
    """From here on what this process writes is the group's as well, where there is one; without,
    nothing changes: a command closes itself to all others before it does anything.

    Raises:
        BadSetting: there is no such group.
    """
    if group:
        _number(group)
        os.umask(SHARED)


def directory(path: Path, group: str, mode: int = 0o2770) -> None:
    """Make a directory if it is not there, the owner's alone; with a group, of that `mode`.

    By default the group works in it, and what is made in it belongs to the group, too.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if group and path.stat().st_uid == os.geteuid():
        os.chown(path, -1, _number(group))
        path.chmod(mode)


def share(file: Path, group: str) -> None:
    """Let the group write a file that was made for its owner, as SQLite makes its own."""
    if group and file.exists() and file.stat().st_uid == os.geteuid():
        file.chmod(0o660)


def without_keys(archive: Archive, environ: dict[str, str]) -> None:
    """Refuse to go on where a process that is to seal could also open (DESIGN §3, promise 4).

    Raises:
        BadSetting: the keyring can be read, or what opens it was handed to this process.
    """
    held = [
        name for name in SECRETS for kind in ("", "_FILE") if f"HOTLINE_{name}{kind}" in environ
    ]
    if held:
        raise BadSetting(
            f"只做封存的进程不得持有 HOTLINE_{', HOTLINE_'.join(held)}，请从其环境去掉。 "
            "A process that only seals must not be given these: take them out of its environment."
        )
    for file in (archive.keyring_file, archive.passphrase_file):
        if os.access(file, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
            raise BadSetting(
                f"只做封存的进程读得到 {file}：请以另一个系统用户运行（deploy/systemd），"
                "或把钥匙环移开。 "
                f"A process that only seals can read {file}: run it as an OS user of its own "
                "(deploy/systemd), or take the keyring off this machine."
            )


def _number(group: str) -> int:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise BadSetting(
            f"没有 HOTLINE_GROUP={group} 这个组，请先 groupadd --system {group}。 "
            f"There is no group {group}: groupadd --system {group}."
        ) from error
