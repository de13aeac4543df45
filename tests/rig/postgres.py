"""A real PostgreSQL for tests: a private cluster, and a fresh database for whoever asks.

Always holds: nothing listens on the network (one socket in a private directory), the server runs
as an ordinary account, and stopping it leaves no process and no file.
What it is not, unless asked for: durable. `fsync`, `full_page_writes` and `synchronous_commit` are
off, because tests ask what the code does with transactions and locks, not what the disk keeps after
a power cut. A measurement of speed asks for `durable`.
"""

import itertools
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.rig.account import Account, account, private_directory
from tests.rig.needs import missing, need

REMEDY = "apt-get install postgresql"


def _binaries() -> Path:
    """The newest installed PostgreSQL's directory of programs (Debian's layout)."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    if not found:
        missing("PostgreSQL", REMEDY)
    return need(found[-1], REMEDY).parent


@dataclass(slots=True)
class Postgres:
    """A running private cluster."""

    binaries: Path
    directory: Path
    owner: Account
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's own programs as the cluster's account; raises when it fails."""
        command = [*self.owner.prefix, str(self.binaries / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd=self.directory)

    def fresh_database(self, template: str = "template0") -> str:
        """A new database's SQLAlchemy URL; `template` is the name of one to copy."""
        name = f"hotline_{next(self._numbers)}"
        self.run("createdb", "-h", str(self.directory), "-U", "postgres", "-T", template, name)
        return f"postgresql+psycopg://postgres@/{name}?host={self.directory}"


@contextmanager
def postgres(*, durable: bool = False) -> Iterator[Postgres]:
    """Bring a cluster up, and stop it at once at the end."""
    binaries = _binaries()
    owner = account("postgres")
    with private_directory("pg", owner) as directory:
        cluster = Postgres(binaries, directory, owner)
        data = str(directory / "data")
        how = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        cluster.run("initdb", "-D", data, *how)
        options = f"-c listen_addresses='' -c unix_socket_directories={directory}"
        options += " -c max_connections=200"
        if not durable:
            options += " -c fsync=off -c full_page_writes=off -c synchronous_commit=off"
        log = str(directory / "log")
        cluster.run("pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "start")
        try:
            yield cluster
        finally:
            cluster.run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
