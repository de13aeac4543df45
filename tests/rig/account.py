"""The account a real server runs under, and the private directory it lives in.

PostgreSQL refuses to run as root, and RabbitMQ should not; where the tests are run by root, both
get their Debian account. The directory stands directly under the system's temporary directory,
because pytest's own is closed to other accounts.
Always holds: the directory is readable by its account alone and is gone afterwards.
"""

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Account:
    """A login name and what it takes to run a program as it."""

    name: str
    prefix: tuple[str, ...]

    def own(self, path: Path) -> None:
        """Hand a file or directory to this account; nothing to do when it is already us."""
        if self.prefix:
            entry = pwd.getpwnam(self.name)
            os.chown(path, entry.pw_uid, entry.pw_gid)


def account(debian_name: str) -> Account:
    """The Debian account when we are root, otherwise whoever runs the tests."""
    if os.geteuid() != 0:
        return Account(pwd.getpwuid(os.geteuid()).pw_name, ())
    who = (f"--reuid={debian_name}", f"--regid={debian_name}", "--clear-groups")
    return Account(debian_name, ("setpriv", *who, "--"))


@contextmanager
def private_directory(name: str, owner: Account) -> Iterator[Path]:
    """A directory of 0700 for one server, removed at the end with all that is in it."""
    directory = Path(tempfile.mkdtemp(prefix=f"hotline-{name}-"))
    owner.own(directory)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
