"""Where a RabbitMQ comes from: Debian 12's own (3.10), or sid's (4.3) in a chroot.

What the rig needs of either: how a program is run as the server's account, a private directory
that account may read, and how a path of it is called by those programs. Nothing is started here.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.rig import sid
from tests.rig.account import account, private_directory
from tests.rig.needs import need

REMEDY = "apt-get install rabbitmq-server"
SERVER = Path("usr/lib/rabbitmq/bin/rabbitmq-server")
ERLANG = Path("usr/lib/erlang/lib")


@dataclass(frozen=True, slots=True)
class Release:
    """One installed RabbitMQ. `root` is what its programs call `/`."""

    name: str
    root: Path
    prefix: tuple[str, ...]
    uid: int
    gid: int

    def command(self, *words: str) -> list[str]:
        """What runs a program as the server's account."""
        return [*self.prefix, *words]

    def inside(self, path: Path) -> Path:
        """A path of this machine, as the programs call it."""
        return Path("/") / path.relative_to(self.root)

    def own(self, path: Path) -> None:
        """Hand a file to the server's account."""
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid)

    def code(self) -> list[Path]:
        """The directories, of this machine, that hold the modules of server and Erlang."""
        (plugins,) = (self.root / "usr/lib/rabbitmq/lib").glob("*/plugins")
        return [*plugins.iterdir(), *(self.root / ERLANG).iterdir()]

    @contextmanager
    def directory(self) -> Iterator[Path]:
        """A private directory of one node, removed at the end with all that is in it."""
        if self.root == Path("/"):
            with private_directory("mq", account("rabbitmq")) as made:
                yield made
            return
        made = self.root / "srv" / f"mq-{secrets.token_hex(4)}"
        made.mkdir(mode=0o700)
        self.own(made)
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)


def debian() -> Release:
    """This machine's own."""
    need(Path("/") / SERVER, REMEDY)
    owner = account("rabbitmq")
    return Release("3.10", Path("/"), owner.prefix, *_ids(Path("/"), owner.name))


def newest() -> Release:
    """Sid's, in a chroot that is made when it is not there."""
    root = sid.base("rabbitmq", "rabbitmq-server", str(SERVER))
    sid.name_this_machine(root)
    prefix = ("chroot", "--userspec=rabbitmq:rabbitmq", str(root))
    return Release("4.3", root, prefix, *_ids(root, "rabbitmq"))


def _ids(root: Path, name: str) -> tuple[int, int]:
    for line in (root / "etc/passwd").read_text(encoding="utf-8").splitlines():
        login, _, uid, gid, *_ = line.split(":")
        if login == name:
            return int(uid), int(gid)
    raise RuntimeError(f"no account {name} in {root}")
