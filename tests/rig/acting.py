"""A manager interface that does what it is asked, or says why not: for tests without a PBX.

It proves nothing of what Asterisk makes of an act; that is tests/integration/telephony's business.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from gateway.settings import Settings
from telephony.address import Address
from telephony.manager import Manager
from telephony.message import Message

USER, SECRET = "hotline-control", "let-me-act"


@dataclass
class Acting:
    """What was asked of it, and what it answers: `why` is '' or the PBX's words."""

    port: int = 0
    why: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    look: Callable[[], None] = lambda: None
    """What is done while the answer is awaited."""

    @property
    def url(self) -> str:
        """As HOTLINE_PBX_CONTROL_URL is written."""
        return f"ami://{USER}:{SECRET}@127.0.0.1:{self.port}"

    def act(self, request: Message) -> str:
        """One act."""
        self.asked.append({key: value for key, value in request.headers if key != "ActionID"})
        self.look()
        return self.why


def asked_at(settings: Settings, url: str) -> Settings:
    """The settings with control of their one PBX at `url`; '' takes it away."""
    control = Address.parse(url) if url else None
    return replace(settings, pbxs=(replace(settings.pbxs[0], control=control),))


@contextmanager
def acting() -> Iterator[Acting]:
    """One that is up for as long as the block lasts."""
    made, up, over = Acting(), threading.Event(), threading.Event()

    async def serve() -> None:
        manager = Manager(user=USER, secret=SECRET, channels=list, challenge=lambda: "c",
                          acts=made.act)  # fmt: skip
        await manager.start()
        made.port = manager.port
        up.set()
        while not over.is_set():  # noqa: ASYNC110 - set by another thread
            await asyncio.sleep(0.02)
        await manager.stop()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    up.wait(10)
    try:
        yield made
    finally:
        over.set()
        thread.join(10)
