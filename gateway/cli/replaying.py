"""The command that plays a PBX: recorded streams told again to whoever signs in.

It listens on loopback, waits for a gateway, tells the calls, and ends. What a PBX would write
beside AMI (recordings, CEL) goes to a directory that goes with the command, unless one is named.
What is printed on the way is for a person and goes to standard error; the result is counted.
"""

import argparse
import asyncio
import itertools
import math
import random
import secrets
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway import compose
from gateway.cli.command import Command, Result, arg
from telephony import faults
from telephony.errors import TraceUnreadable
from telephony.simulator import USER, Simulator
from telephony.trace import Trace

TRACE_MOST = 256 << 20  # bytes; hours of a busy PBX
LOOK_S = 0.2
BAR = 30


def replay(asked: argparse.Namespace) -> Result:
    """Tell recorded streams to a gateway."""
    traces = [_trace(path) for path in asked.file]
    calls = list(itertools.islice(itertools.cycle(traces), asked.calls or len(traces)))
    rng = random.Random(asked.seed)  # noqa: S311 - the same run again is what it is for
    messages = sum(len(trace.beats) for trace in calls)
    plan = faults.read(asked.fault, messages, rng)
    told = {"calls": len(calls), "messages": messages, "seed": asked.seed,
            "faults": [str(fault) for fault in plan]}  # fmt: skip
    with _place(asked.into) as place:
        pbx = Simulator(
            place / "spool",
            place / "cel" / "Master.csv",
            secret=asked.secret or secrets.token_urlsafe(16),
            clock=compose.clock,
            rng=rng,
            speed=asked.speed,
            plan=plan,
            port=asked.port,
        )
        try:
            seconds = asyncio.run(_play(pbx, calls, 1 / asked.rate, place, messages))
        except asyncio.CancelledError:
            text = "已中止，未留下任何东西。 Stopped; nothing is left behind."
            return Result(False, text, {"done": False, **told})
    text = (
        f"已放完 {len(calls)} 段，{messages} 条消息，{seconds:.1f} 秒。 "
        f"Told {len(calls)} times a trace, {messages} messages, in {seconds:.1f} s."
    )
    return Result(True, text, {"done": True, **told, "seconds": round(seconds, 3)})


async def _play(
    pbx: Simulator, calls: Sequence[Trace], every_s: float, place: Path, messages: int
) -> float:
    """Waits for a gateway and tells everything; answers the seconds that took.

    Raises `CancelledError` when a signal ends it, `OSError` where the port is taken.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel if task else lambda: None)
    async with pbx:
        _say(
            "等待网关连接 · waiting for a gateway with these settings:\n"
            f"  HOTLINE_PBX_URL=ami://{USER}:{pbx.secret}@127.0.0.1:{pbx.port}\n"
            f"  HOTLINE_SPOOL={place / 'spool'}\n  HOTLINE_CEL={place / 'cel' / 'Master.csv'}"
        )
        while not pbx.listeners:  # noqa: ASYNC110 - a session tells nobody
            await asyncio.sleep(LOOK_S)
        began = loop.time()
        bar = asyncio.create_task(_bar(pbx, messages))
        try:
            for trace in calls:
                pbx.begin_replay(trace)
                await asyncio.sleep(every_s)
            await pbx.finish()
        finally:
            bar.cancel()
            await asyncio.gather(bar, return_exceptions=True)
        return loop.time() - began


async def _bar(pbx: Simulator, messages: int) -> None:
    """How far it is, on a terminal, until cancelled."""
    if not sys.stderr.isatty():
        return
    try:
        while True:
            done = pbx.said / messages
            filled = int(done * BAR)
            _say(f"\r{'█' * filled}{'░' * (BAR - filled)} {done:4.0%} {pbx.said}/{messages}", "")
            await asyncio.sleep(LOOK_S)
    finally:
        _say("\r\x1b[K", "")


def _say(text: str, end: str = "\n") -> None:
    print(text, end=end, file=sys.stderr, flush=True)


def _trace(path: Path) -> Trace:
    with path.open("rb") as file:
        data = file.read(TRACE_MOST + 1)
    if len(data) > TRACE_MOST:
        raise TraceUnreadable(
            f"{path.name} 超过 {TRACE_MOST >> 20} MiB，请截取一段。 "
            f"{path.name} has more than {TRACE_MOST >> 20} MiB; cut a piece out of it."
        )
    try:
        return Trace.read(data)
    except TraceUnreadable as error:
        raise TraceUnreadable(f"{path.name}：{error}") from error


@contextmanager
def _place(into: Path | None) -> Iterator[Path]:
    """Where recordings and CEL go."""
    if into is not None:
        (into / "cel").mkdir(parents=True, exist_ok=True)
        yield into.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="hotline-replay-") as made:
        (Path(made) / "cel").mkdir()
        yield Path(made)


def _number(kind: Callable[[str], Any], least: float, most: float) -> Callable[[str], Any]:
    """argparse's check of a number between two."""

    def number(text: str) -> Any:  # noqa: ANN401 - whatever `kind` makes
        value = kind(text)
        if not (math.isfinite(value) and least <= value <= most):
            raise argparse.ArgumentTypeError(f"{text}: {least:g} … {most:g}")
        return value

    return number


COMMANDS = (
    Command(
        "pbx replay",
        "把录制的 AMI 流当作模拟交换机播放 · tell recorded AMI streams as a simulated PBX",
        replay,
        (
            arg("file", type=Path, nargs="+", metavar="FILE",
                help="录制文件，可多个 · recorded streams, as an AMI session received them"),
            arg("--calls", type=_number(int, 1, 1_000_000), default=0, metavar="N",
                help="共播放几段，轮流取各文件 · how many in all, the files in turn"),
            arg("--rate", type=_number(float, 0.01, 1_000), default=5.0, metavar="N",
                help="每秒开始几段，默认 5 · how many begin a second, 5 by default"),
            arg("--speed", type=_number(float, 0.01, 10_000), default=1.0, metavar="N",
                help="快几倍 · so many times as fast as it was"),
            arg("--fault", action="append", default=[], metavar="FAULT",
                help="故障，可多次 · what goes wrong, may be given again: cut@N tear@N stall@N:S "
                     "flood@N:RATE:S twice@N:K mix@N:K drip@N:K any:K"),
            arg("--seed", type=_number(int, 0, 2**63), default=1, metavar="N",
                help="随机种子，同种子同过程 · the same seed makes the same run"),
            arg("--port", type=_number(int, 0, 65_535), default=0, metavar="N",
                help="本机端口，默认任取 · a port of the loopback, any by default"),
            arg("--secret", default="", metavar="S",
                help="账号 hotline 的口令，默认随机 · the secret of the account hotline"),
            arg("--into", type=Path, metavar="DIR",
                help="录音与话单写入此目录并保留 · keep recordings and CEL in this directory"),
        ),
    ),
)  # fmt: skip
