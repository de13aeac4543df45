"""The demonstration's stage: a temporary directory with a whole hotline in it, and a PBX."""

import random
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway import compose, settings
from gateway.parts import Parts
from gateway.people import accounts
from gateway.people.roles import Role
from gateway.tables import DepartmentRow
from telephony.simulator import Simulator

PASSWORD = "hotline-demo-12333"  # noqa: S105 - printed on the screen; the house lasts one run
ACCOUNTS = (
    ("8001", "您的坐席 Your agent", Role.AGENT, "PJSIP/8001"),
    ("8002", "陈静", Role.AGENT, "PJSIP/8002"),
    ("supervisor", "刘班长", Role.SUPERVISOR, ""),
    ("authoriser", "赵主任", Role.AUTHORISER, ""),
    ("yanglao", "孙科长", Role.OFFICER, "yanglao"),
    ("leader", "周局长", Role.LEADER, ""),
    ("auditor", "吴审计", Role.AUDITOR, ""),
    ("admin", "郑管理", Role.ADMINISTRATOR, ""),
)
"""Login, name, role, and where: an agent's interface, an officer's department."""
DEPARTMENTS = (("yanglao", "养老保险科", "desk"), ("gongshang", "工伤保险科", "queue"))


@dataclass(frozen=True, slots=True)
class Stage:
    """A gateway's parts and the PBX they listen to."""

    parts: Parts
    pbx: Simulator


@asynccontextmanager
async def stage(port: int) -> AsyncIterator[Stage]:
    """Set everything up under a temporary directory that goes with the block."""
    with tempfile.TemporaryDirectory(prefix="hotline-demo-") as root:
        state, secret = Path(root), secrets.token_urlsafe(16)
        rng = random.Random()  # noqa: S311 - noise in a recording is no secret
        pbx = Simulator(
            state / "spool",
            state / "cel" / "Master.csv",
            secret=secret,
            clock=compose.clock,
            rng=rng,
            agents=[login for login, _, role, _ in ACCOUNTS if role is Role.AGENT],
        )
        (state / "cel").mkdir()
        async with pbx:
            made = compose.parts(
                settings.read(
                    {
                        "HOTLINE_STATE": root,
                        "HOTLINE_PBX_URL": f"ami://hotline:{secret}@127.0.0.1:{pbx.port}",
                        "HOTLINE_LISTEN": f"127.0.0.1:{port}",
                        "HOTLINE_REGION": "示范市",
                    }
                )
            )
            try:
                compose.prepare(made)
                _people(made)
                yield Stage(made, pbx)
            finally:
                made.database.dispose()


def _people(parts: Parts) -> None:
    with parts.database.begin() as session:
        session.add_all(DepartmentRow(code=c, name=n, mode=m) for c, n, m in DEPARTMENTS)
        session.flush()
        for login, name, role, where in ACCOUNTS:
            accounts.add(
                session,
                login=login,
                name=name,
                role=role,
                password=PASSWORD,
                now=parts.clock(),
                department=where if role is Role.OFFICER else None,
                extension=where if role is Role.AGENT else None,
            )
