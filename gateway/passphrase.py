"""Where the keyring's passphrase comes from, in this order:

1. `HOTLINE_KEYRING_PASSPHRASE`, or the file that `HOTLINE_KEYRING_PASSPHRASE_FILE` names;
2. the systemd credential `hotline-keyring` (`LoadCredentialEncrypted=`, systemd.exec(5));
3. `keyring.passphrase` beside the keyring, which `hotline init` makes where nothing was given: so
   that a first try works at once. Doctor says that it does not belong there;
4. a terminal: two halves, each typed by its custodian, so that neither knows the whole.

It is read when the keyring has to be opened; only what was typed is remembered, as nobody would
come a second time. A passphrase stands in no message.
"""

import getpass
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

from gateway.archive import Archive
from recordings.disk import Disk, whole
from recordings.errors import KeyringLocked

CREDENTIAL = "hotline-keyring"
HALVES = (
    "第一位保管人的一半 · the first custodian's half: ",
    "第二位保管人的一半 · the second custodian's half: ",
)
AGAIN = "再输一次 · the same again: "


def source(archive: Archive) -> Callable[[], str]:
    """The passphrase when it is asked for; KeyringLocked where there is none to be had."""
    remembered: list[str] = []

    def passphrase() -> str:
        if (found := _given(archive)) is not None:
            return found
        if not remembered:
            remembered.append(typed(new=not archive.keyring_file.exists()))
        return remembered[0]

    return passphrase


def provide(archive: Archive) -> Path | None:
    """Make a passphrase of our own where there is none and no keyring yet; its file."""
    if archive.provider != "file" or archive.keyring_file.exists() or _given(archive) is not None:
        return None
    with whole(archive.passphrase_file) as file:
        Disk().write(file, f"{secrets.token_urlsafe(32)}\n".encode())
    return archive.passphrase_file


def lies_beside(archive: Archive) -> bool:
    """Whether the passphrase in use lies beside the keyring, where a thief takes both."""
    if archive.provider != "file" or _from_outside(archive) is not None:
        return False
    return archive.passphrase_file.exists()


def typed(*, new: bool) -> str:
    """Two halves from the terminal; a `new` passphrase is typed twice, for nobody could tell a
    slip of the finger later.

    Raises:
        KeyringLocked: there is no terminal, or the halves were not the same twice.
    """
    if not sys.stdin.isatty():
        raise KeyringLocked(
            "没有钥匙环口令：请设 HOTLINE_KEYRING_PASSPHRASE_FILE 或 systemd 凭据 "
            f"{CREDENTIAL}，或在终端上运行。 No passphrase for the keyring: set "
            f"HOTLINE_KEYRING_PASSPHRASE_FILE or the systemd credential {CREDENTIAL}, or run this "
            "on a terminal."
        )
    halves = [_half(prompt, again=new) for prompt in HALVES]
    return "".join(halves)


def _half(prompt: str, *, again: bool) -> str:
    half = getpass.getpass(prompt)
    if again and getpass.getpass(AGAIN) != half:
        raise KeyringLocked("两次输入不同，未作任何改动。 Not the same twice; nothing was changed.")
    return half


def _given(archive: Archive) -> str | None:
    outside = _from_outside(archive)
    if outside is None and archive.passphrase_file.exists():
        return _line(archive.passphrase_file)
    return outside


def _from_outside(archive: Archive) -> str | None:
    if archive.keyring_passphrase:
        return archive.keyring_passphrase
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    credential = Path(directory or "/nonexistent") / CREDENTIAL
    return _line(credential) if credential.exists() else None


def _line(file: Path) -> str:
    try:
        words = file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise KeyringLocked(
            f"口令文件 {file} 无法读取（{type(error).__name__}），请检查路径和权限。 "
            f"The passphrase file {file} cannot be read: check its path and rights."
        ) from error
    if not words:
        raise KeyringLocked(f"口令文件 {file} 是空的。 The passphrase file {file} is empty.")
    return words
