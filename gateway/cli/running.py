"""Commands that run the gateway: `serve` for one's own PBX, `demo` to see it without one."""

import argparse
import asyncio
import logging
import os

from gateway import compose, demo, rights, serve, settings
from gateway.cli.command import Command, Result, arg


def run_serve(asked: argparse.Namespace) -> Result:
    """Serve until told to stop."""
    named = serve.chosen(asked.only)
    set_up = settings.read()
    # Whoever only captures gets no way to a private key (DESIGN §3, promise 4).
    may_open = bool({"web", "timers"} & named)
    if "capture" in named and not may_open:
        rights.without_keys(set_up.archive, dict(os.environ))
    parts = compose.parts(set_up, may_open=may_open)
    try:
        compose.check(parts)
        asyncio.run(serve.run(parts, named))
    finally:
        parts.database.dispose()
    return Result(True, "已停止。 Stopped.", {"stopped": True})


def run_demo(asked: argparse.Namespace) -> Result:
    """Run the demonstration; with --once, one call through all of it."""
    logging.getLogger().setLevel(logging.WARNING)  # what is printed is the story
    if asked.once:
        steps = asyncio.run(demo.once(quiet=asked.json))
        done = all(step.happened for step in steps)
        data = {"done": done, "steps": [step.plain() for step in steps]}
        return Result(done, "" if not done else "全部完成。 All of it happened.", data)
    asyncio.run(demo.run(asked.port))
    return Result(
        True, "演示已结束，未留下任何文件。 Ended; nothing is left behind.", {"ended": True}
    )


COMMANDS = (
    Command(
        "serve",
        "接入自己的交换机运行 · run against your own PBX",
        run_serve,
        (arg("--only", default="", metavar="web,pbx,capture,relay,timers",
             help="只做这些职责 · only these duties"),),
    ),
    Command(
        "demo",
        "演示：模拟交换机，一个进程 · demonstration: a simulated PBX, one process",
        run_demo,
        (arg("--once", action="store_true", help="走完一通电话后退出 · one call, then exit"),
         arg("--port", type=int, default=12333, help="网页端口 · port of the pages")),
    ),
)  # fmt: skip
