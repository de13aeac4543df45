"""AMI byte → SSE byte: how long a pop takes from the PBX's socket to its agent's page.

`python -m tests.bench.live [SECONDS] [CALLS A SECOND] [CONSOLES]`. A PBX in this process tells a
real trace as so many calls a second, over a real AMI socket, to a real `hotline serve` (lease,
journal, calls, tickets, one commit a batch, SQLite with `synchronous=FULL`); so many signed-in
pages listen at `/live`. In turn the same bytes go to a bare relay (`relay`: socket to SSE, nothing
else) that as many pages listen at. Both are other processes; sending and hearing is done here, on
one clock. The floor is a ratio: p99 at most 4 × the relay's, medians of the rounds.
"""

import asyncio
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from gateway.console.visit import TOKEN_COOKIE
from telephony.manager import render
from telephony.trace import Caller, Trace
from tests.bench.pages import KINDS, Heard, opened
from tests.bench.servers import manager, product, relay

ROUNDS = 3
FLOOR = 4.0
Said = tuple[float, bytes, tuple[str, str] | None]
"""When, what, and whose pop of which kind."""
AFTER_S = 1.5  # what is on its way arrives


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
            pages = await opened(ours, house.port, agents, cookies)
            pages += await opened(bare, relay_port, agents, plainly)
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
            for page in pages:
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
