"""A real PostgreSQL for tests: a private cluster, and a fresh database for whoever asks.

Always holds: nothing listens on the network (one socket in a private directory; on loopback where a
test asks for a port), the server runs as an ordinary account, and stopping it leaves no process and
no file.
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
    port: int = 5432
    options: str = ""
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's own programs as the cluster's account; raises when it fails."""
        command = [*self.owner.prefix, str(self.binaries / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd=self.directory)

    @property
    def where(self) -> tuple[str, ...]:
        """How PostgreSQL's own programs reach it, as its superuser."""
        return ("-h", str(self.directory), "-p", str(self.port), "-U", "postgres")

    def fresh_database(self, template: str = "template0") -> str:
        """A new database's SQLAlchemy URL; `template` is the name of one to copy."""
        name = f"hotline_{next(self._numbers)}"
        self.run("createdb", *self.where, "-T", template, name)
        return f"postgresql+psycopg://postgres@/{name}?host={self.directory}&port={self.port}"

    @contextmanager
    def down(self) -> Iterator[None]:
        """The server is gone at once, as when its machine fails, and is there again afterwards."""
        data = str(self.directory / "data")
        self.run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        try:
            yield
        finally:
            log = str(self.directory / "log")
            self.run("pg_ctl", "-D", data, "-l", log, "-o", self.options, "-w", "start")


@contextmanager
def postgres(port: int | None = None, *, durable: bool = False) -> Iterator[Postgres]:
    """Bring a cluster up, and stop it at once at the end; with `port`, on 127.0.0.1 as well."""
    binaries = _binaries()
    owner = account("postgres")
    with private_directory("pg", owner) as directory:
        data = str(directory / "data")
        where = f"-c listen_addresses='127.0.0.1' -c port={port}" if port else ""
        where = where or "-c listen_addresses=''"
        options = f"{where} -c unix_socket_directories={directory}"
        options += " -c max_connections=200"
        if not durable:
            options += " -c fsync=off -c full_page_writes=off -c synchronous_commit=off"
        cluster = Postgres(binaries, directory, owner, port or 5432, options)
        how = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        cluster.run("initdb", "-D", data, *how)
        log = str(directory / "log")
        cluster.run("pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "start")
        try:
            yield cluster
        finally:
            cluster.run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
