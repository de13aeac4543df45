"""The consoles of `live`: sockets that are sent events, and what they heard against what was due.

A page is a socket that listens: it fetches nothing after a pop, as a browser would.
"""

import asyncio
import json
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from functools import partial

KINDS = {"AgentCalled": "ringing", "AgentConnect": "answered"}


@dataclass(slots=True)
class Heard:
    """What the pages of one server were told, against what the PBX sent."""

    due: dict[tuple[str, str], deque[int]] = field(default_factory=lambda: defaultdict(deque))
    """When a pop was sent (ns), for each page and kind, oldest first."""
    ms: list[float] = field(default_factory=list)
    stray: int = 0
    """Pops at a page that no call was for."""

    def told(self, page: str, kind: str, at: int) -> None:
        """A page was told of something."""
        if kind not in KINDS.values():
            return
        waiting = self.due[page, kind]
        if waiting:
            self.ms.append((at - waiting.popleft()) / 1e6)
        else:
            self.stray += 1

    @property
    def missing(self) -> int:
        """Pops that no page was told of."""
        return sum(map(len, self.due.values()))

    def fresh(self) -> list[float]:
        """The times since it was asked last, sorted."""
        times, self.ms = sorted(self.ms), []
        return times


class Page(asyncio.Protocol):
    """One open page: a socket that is sent events."""

    def __init__(self, heard: Heard, page: str, request: bytes) -> None:
        self._heard, self._page, self._request = heard, page, request
        self._rest = b""
        self.open = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def close(self) -> None:
        """Nobody looks any more."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take the moment first, then what it says."""
        at = time.monotonic_ns()
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"retry: ") and not self.open.done():
                self.open.set_result(None)
            elif line.startswith(b"data: "):
                self._heard.told(self._page, json.loads(line[6:]).get("kind", ""), at)


async def opened(heard: Heard, port: int, agents: list[str], requests: list[str]) -> list[Page]:
    """A page for each agent, open."""
    loop = asyncio.get_running_loop()
    found = []
    for agent, request in zip(agents, requests, strict=True):
        text = f"GET {request}\r\nHost: 127.0.0.1\r\n\r\n"
        make = partial(Page, heard, f"PJSIP/{agent}", text.encode())
        _, page = await loop.create_connection(make, "127.0.0.1", port)
        await asyncio.wait_for(page.open, 10)
        found.append(page)
    return found
