"""AMI byte → SSE byte: how long a pop takes from the PBX's socket to its agent's page.

`python -m tests.bench.live [SECONDS] [CALLS A SECOND] [CONSOLES]`. A PBX in this process tells a
real trace as so many calls a second, over a real AMI socket, to a real `hotline serve` (lease,
journal, calls, tickets, one commit a batch, SQLite with `synchronous=FULL`); so many signed-in
pages listen at `/live`. In turn the same bytes go to a bare relay (`relay`: socket to SSE, nothing
else) that as many pages listen at. Both are other processes; sending and hearing is done here, on
one clock. The floor is a ratio: p99 at most 4 × the relay's, medians of the rounds.

A page is a socket that listens: it fetches nothing after a pop, as a browser would.
"""

import asyncio
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from pathlib import Path

from gateway import compose, settings
from gateway.console.visit import TOKEN_COOKIE
from gateway.people import accounts, sessions
from gateway.tables import AccountRow
from telephony.manager import Manager, render
from telephony.trace import Caller, Trace
from tests.rig.gateway import Gateway

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 3
FLOOR = 4.0
KINDS = {"AgentCalled": "ringing", "AgentConnect": "answered"}
Said = tuple[float, bytes, tuple[str, str] | None]
"""When, what, and whose pop of which kind."""
AFTER_S = 1.5  # what is on its way arrives


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


def script(calls: int, rate: float, agents: list[str], ids: Iterator[int]) -> list[Said]:
    """All that the PBX says in a round, in order: when (s), what, and whose pop it is."""
    trace = Trace.read((files("telephony") / "traces" / "answered.ami").read_bytes())
    said = []
    now = time.time()
    for call in range(calls):
        at, agent = call / rate, agents[call % len(agents)]
        fresh = {}
        for name in trace.names():
            number = next(ids)
            device = "trunk" if "trunk" in name else agent
            fresh[name] = (
                f"PJSIP/{device}-{number:08x}"
                if "/" in name
                else f"{int(now)}.{number}"
                if "." in name
                else f"{number:036x}"
            )
        for beat in trace.told(fresh, Caller(f"138{call:08d}", "", agent)):
            at += beat.pause_s
            values = dict(beat.headers) | {"Timestamp": f"{now + at:.6f}"}
            pop = KINDS.get(values["Event"])
            whose = (f"PJSIP/{agent}", pop) if pop else None
            said.append((at, render(list(values.items())), whose))
    return sorted(said, key=lambda what: what[0])


async def tell(write: Callable[[bytes], None], heard: Heard, said: list[Said]) -> None:
    """Say it at its time."""
    began = time.monotonic()
    for at, data, whose in said:
        if (left := began + at - time.monotonic()) > 0:
            await asyncio.sleep(left)
        if whose is not None:
            heard.due[whose].append(time.monotonic_ns())
        write(data)
    await asyncio.sleep(AFTER_S)


async def pages(heard: Heard, port: int, agents: list[str], requests: list[str]) -> list[Page]:
    """A page for each agent, open."""
    loop = asyncio.get_running_loop()
    opened = []
    for agent, request in zip(agents, requests, strict=True):
        text = f"GET {request}\r\nHost: 127.0.0.1\r\n\r\n"
        make = partial(Page, heard, f"PJSIP/{agent}", text.encode())
        _, page = await loop.create_connection(make, "127.0.0.1", port)
        await asyncio.wait_for(page.open, 10)
        opened.append(page)
    return opened


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


@dataclass(frozen=True, slots=True)
class Figures:
    """What came out: p99 in ms of each round, and whether every pop reached its page alone."""

    ours: list[float]
    bare: list[float]
    pops: int
    missing: int
    stray: int

    @property
    def ratio(self) -> float:
        """Medians of the rounds' p99, ours to the relay's."""
        return statistics.median(self.ours) / statistics.median(self.bare)


async def measured(seconds: float, rate: float, consoles: int, rounds: int, at: Path) -> Figures:
    """The two in turn, `rounds` times. Prints each round."""
    agents = [str(9000 + number) for number in range(consoles)]
    ids = itertools.count()
    plain = asyncio.Queue[asyncio.StreamWriter]()
    ours, bare, pops = Heard(), Heard(), 0
    pbx = manager()
    await pbx.start()
    server = await asyncio.start_server(lambda _, writer: plain.put_nowait(writer), "127.0.0.1")
    try:
        with (
            relay(server.sockets[0].getsockname()[1]) as relay_port,
            product(at, pbx.port, agents) as (house, tokens),
        ):
            out = await plain.get()
            cookies = [f"/live HTTP/1.1\r\nCookie: {TOKEN_COOKIE}={token}" for token in tokens]
            plainly = [f"/live/{agent} HTTP/1.1" for agent in agents]
            opened = await pages(ours, house.port, agents, cookies)
            opened += await pages(bare, relay_port, agents, plainly)
            while not pbx.listeners:  # noqa: ASYNC110 - a session tells nobody
                await asyncio.sleep(0.05)
            await asyncio.sleep(1)
            p99: dict[str, list[float]] = {"relay": [], "hotline": []}
            for _ in range(rounds):
                for name, heard, write in (
                    ("relay", bare, out.write),
                    ("hotline", ours, pbx.write),
                ):
                    await tell(write, heard, script(int(seconds * rate), rate, agents, ids))
                    times = heard.fresh()
                    pops += len(times)
                    p99[name].append(quantile(times, 0.99))
                    print_round(name, times)
            for page in opened:
                page.close()
            out.close()
    finally:
        await pbx.stop()
        server.close()
    return Figures(p99["hotline"], p99["relay"], pops, ours.missing + bare.missing,
                   ours.stray + bare.stray)  # fmt: skip


def quantile(times: list[float], part: float) -> float:
    """Of sorted times."""
    return times[min(len(times) - 1, int(len(times) * part))]


def print_round(name: str, times: list[float]) -> None:
    """One line of figures."""
    told = " ".join(f"{label} {quantile(times, part):7.2f}" for label, part in
                    (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)))  # fmt: skip
    sys.stdout.write(f"{name:8} {len(times):5} pops  ms {told}\n")
    sys.stdout.flush()


def main(seconds: float = 20.0, rate: float = 50.0, consoles: float = 200) -> int:
    """Measure and say; 0 when the floor holds."""
    with tempfile.TemporaryDirectory() as at:
        found = asyncio.run(measured(seconds, rate, int(consoles), ROUNDS, Path(at)))
    exact = found.missing == found.stray == 0
    holds = exact and found.ratio <= FLOOR
    sys.stdout.write(
        f"p99 {statistics.median(found.ours):.2f} ms, relay's {statistics.median(found.bare):.2f}: "
        f"{found.ratio:.2f} × (floor {FLOOR:g} ×) {'holds' if holds else 'DOES NOT HOLD'}; "
        f"{found.pops} pops, {found.missing} missing, {found.stray} at another's page\n"
    )
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main(*map(float, sys.argv[1:])))
