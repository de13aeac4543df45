"""The gateway as it is installed: the command `hotline serve` as a process of its own.

Accounts of every role are there (one password), two departments, and a free port. Whatever was
started is stopped by its own process id; `kill` is -9.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway import compose, settings
from gateway.demo.client import Client
from gateway.people import accounts
from gateway.people.roles import Role
from gateway.tables import DepartmentRow
from tests.rig.asterisk import Pbx

HOTLINE = Path(sys.executable).with_name("hotline")
PASSWORD = "correct horse battery"
UP_S = 30.0
AGENTS = ("8001", "8002", "8003", "8004")
OTHERS = {
    "supervisor": Role.SUPERVISOR,
    "authoriser": Role.AUTHORISER,
    "sun": Role.OFFICER,
    "leader": Role.LEADER,
    "auditor": Role.AUDITOR,
    "admin": Role.ADMINISTRATOR,
}


@dataclass(slots=True)
class Gateway:
    """One `hotline serve`; `environ` is what it was given, `only` its duties ('': all)."""

    state: Path
    environ: dict[str, str]
    only: str = ""
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.state / "serve.log"

    @property
    def client(self) -> Client:
        """An HTTP client for it."""
        return Client(self.port)

    @property
    def url(self) -> str:
        """Where its pages are."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it; returns when it listens."""
        duties = ["--only", self.only] if self.only else []
        with self.log.open("ab") as log:
            begin = log.tell()
            self.process = subprocess.Popen(
                [HOTLINE, "serve", *duties], env=self._env(), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + UP_S
        listening = re.compile(rb"listening on http://127\.0\.0\.1:(\d+)")
        while not (found := listening.search(self.log.read_bytes()[begin:])):
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError(self.log.read_text(errors="replace")[-4000:])
            time.sleep(0.05)
        self.port = int(found[1])

    def kill(self) -> None:
        """-9, as a power cut looks."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """As systemd stops it."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(timeout=30)
        self.process = None

    def _env(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        return {**kept, "HOME": str(self.state), **self.environ}

    def hotline(self, *words: str, given: str = "") -> tuple[int, Any]:
        """Another command of the same house: exit status and what `--json` printed."""
        said = subprocess.run(
            [HOTLINE, *words, "--json"], env=self._env(), input=given.encode(),
            capture_output=True, timeout=120, check=False,
        )  # fmt: skip
        try:
            return said.returncode, json.loads(said.stdout)
        except ValueError:
            raise AssertionError(said.stderr.decode(errors="replace")[-4000:]) from None

    def wait_log(self, text: str, timeout_s: float = 30.0) -> None:
        """Wait until the process has said `text`."""
        deadline = time.monotonic() + timeout_s
        while text.encode() not in self.log.read_bytes():
            assert time.monotonic() < deadline, self.log.read_text(errors="replace")[-4000:]
            time.sleep(0.05)


@contextmanager
def gateway(state: Path, pbx: Pbx | None, more: Mapping[str, str]) -> Iterator[Gateway]:
    """A prepared house with its process running; `more` are further HOTLINE_* settings."""
    environ = {"HOTLINE_STATE": str(state), "HOTLINE_LISTEN": "127.0.0.1:0",
               "HOTLINE_REGION": "示范市", **more}  # fmt: skip
    if pbx is not None:
        environ |= {"HOTLINE_PBX_URL": pbx.url, "HOTLINE_SPOOL": str(pbx.spool),
                    "HOTLINE_PBX_CONTROL_URL": pbx.control_url,
                    "HOTLINE_CEL": str(pbx.cel)}  # fmt: skip
    furnish(environ)
    house = Gateway(state, environ)
    try:
        house.start()
        if pbx is not None:
            house.wait_log("connected")
        yield house
    finally:
        house.stop()


def second(house: Gateway, state: Path) -> Gateway:
    """Another gateway for the same house, not started: its own state, the same database, keys and
    recordings. It does all but capture, which has one process on the PBX's machine."""
    state.mkdir(parents=True)
    shared = {
        "HOTLINE_DATABASE_URL": f"sqlite:///{house.state / 'hotline.db'}",
        "HOTLINE_KEYRING": str(house.state / "keys"),
        "HOTLINE_STORE_URL": str(house.state / "store"),
    }
    return Gateway(
        state, {**shared, **house.environ, "HOTLINE_STATE": str(state)}, "web,pbx,relay,timers"
    )


def furnish(environ: Mapping[str, str]) -> None:
    """Directories, database, keys, departments, and people of every role."""
    with compose.opened(settings.read(environ)) as parts:
        compose.prepare(parts)
        with parts.database.begin() as session:
            session.add(DepartmentRow(code="yanglao", name="养老保险科", mode="desk"))
            session.add(DepartmentRow(code="gongshang", name="工伤保险科", mode="queue"))
            session.flush()
            now = parts.clock()
            for login in AGENTS:
                accounts.add(session, login=login, name=f"坐席{login}", role="agent",
                             password=PASSWORD, now=now, extension=f"PJSIP/{login}")  # fmt: skip
            for login, role in OTHERS.items():
                where = "yanglao" if role is Role.OFFICER else None
                accounts.add(session, login=login, name=login, role=role, password=PASSWORD,
                             now=now, department=where)  # fmt: skip
