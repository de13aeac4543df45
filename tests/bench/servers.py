"""What `live` measures, each a process of its own: `hotline serve` in a prepared house, and the
bare relay beside it; and the PBX both of them hear.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway import compose, settings
from gateway.people import accounts, sessions
from gateway.tables import AccountRow
from telephony.manager import Manager
from tests.rig.gateway import Gateway

ROOT = Path(__file__).resolve().parents[2]


def people(environ: dict[str, str], agents: list[str]) -> list[str]:
    """A prepared house, an account for each agent, and the tokens they are signed in with."""
    with compose.opened(settings.read(environ)) as parts:
        compose.prepare(parts)
        tokens = []
        with parts.database.begin() as session:
            for agent in agents:
                row = AccountRow(login=agent, name=agent, role="agent", password_hash="-",
                                 extension=f"PJSIP/{agent}", created_at=parts.clock())  # fmt: skip
                session.add(row)
                session.flush()
                who = accounts.person(row)
                tokens.append(sessions.open_session(session, who, parts.clock()).token)
        return tokens


@contextmanager
def relay(port: int) -> Iterator[int]:
    """The bare relay's process, and the port of its pages."""
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.relay", str(port)], cwd=ROOT,
                               stdout=subprocess.PIPE, text=True)  # fmt: skip
    with process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


@contextmanager
def product(state: Path, port: int, agents: list[str]) -> Iterator[tuple[Gateway, list[str]]]:
    """A prepared house with `hotline serve` running, and the tokens its agents are signed in by."""
    environ = {"HOTLINE_STATE": str(state), "HOTLINE_LISTEN": "127.0.0.1:0",
               "HOTLINE_PBX_URL": f"ami://hotline:s@127.0.0.1:{port}"}  # fmt: skip
    tokens = people(environ, agents)
    house = Gateway(state, environ)
    try:
        house.start()
        yield house, tokens
    finally:
        house.stop()


def manager() -> Manager:
    """A PBX's manager interface with nothing up."""
    return Manager(user="hotline", secret="s", channels=list, challenge=lambda: "1")
