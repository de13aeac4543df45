"""The demonstration: a whole hotline in one process, that leaves nothing behind.

A simulated PBX tells real Asterisk traces over a real AMI socket and writes real WAVs; the gateway
is the one that `serve` runs, on SQLite, the embedded transport, a directory store and throw-away
keys, all in a temporary directory. Robots do what people do, over the same HTTP that people use
(`robots`); a call to extension 8001 is left to whoever tries the pages. What is printed was asked
of the gateway; nothing is printed because it was meant to happen.
"""

import asyncio
import itertools
import random
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

from gateway import serve
from gateway.demo import robots
from gateway.demo.client import Client
from gateway.demo.robots import Step
from gateway.demo.stage import ACCOUNTS, PASSWORD, Stage, stage
from gateway.people.roles import ROLE_NAMES

EVERY_S = 20.0
CALLERS = (
    ("13800138013", "王秀英"),
    ("13912345678", "李强"),
    ("02885551234", ""),
    ("13700001111", "张敏"),
)
Play = Callable[[Stage, int], Awaitable[None]]


async def once(*, quiet: bool) -> list[Step]:
    """One call through all of it; the steps as they happened, failed ones included."""
    steps: list[Step] = []

    async def play(house: Stage, port: int) -> None:
        def tell(step: Step) -> None:
            steps.append(step)
            if not quiet:
                say(step)

        rng = random.Random()  # noqa: S311 - which caller rings is no secret
        calling = house.pbx.begin_call("13800138013", "王秀英", agent="8002", talk_s=3.0)
        try:
            await robots.chain(house, Client(port), "PJSIP/8002", tell, rng)
            await calling
        except robots.DidNotHappen as missed:
            tell(Step(missed.name, False, {"why": str(missed)}))

    await _with_house(0, play)
    return steps


async def run(port: int) -> None:
    """A call every 20 seconds, until Ctrl+C."""

    async def play(house: Stage, at: int) -> None:
        _welcome(at)
        rng = random.Random()  # noqa: S311 - which caller rings is no secret
        async with asyncio.TaskGroup() as chains:  # ended with us, not left to ask a closed house
            for number in itertools.count():
                phone, name = CALLERS[number % len(CALLERS)]
                yours = number % 2 == 1
                agent = "8001" if yours else "8002"
                answered = number % 5 != 4
                print(
                    f"\n☎ 来电 · a call rings at {agent}{'（您的分机 · yours）' if yours else ''}"
                )
                house.pbx.begin_call(phone, name, agent=agent, talk_s=14.0, answered=answered)
                if not yours and answered:
                    chains.create_task(_told(house, at, rng))
                await asyncio.sleep(EVERY_S)

    await _with_house(port, play)


async def _told(house: Stage, port: int, rng: random.Random) -> None:
    try:
        await robots.chain(house, Client(port), "PJSIP/8002", say, rng)
    except robots.DidNotHappen as missed:
        say(Step(missed.name, False, {"why": str(missed)}))


async def _with_house(port: int, play: Play) -> None:
    """Set the stage, run the gateway and `play` on it, and take everything down again."""
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def started(at: int) -> None:
        if not listening.done():
            listening.set_result(at)

    async def playing(house: Stage) -> None:
        at = await listening
        await robots.linked(house)  # a call before the link stands would be found, but not ring
        await play(house, at)

    async with stage(port) as house:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with suppress(NotImplementedError, ValueError):
                loop.add_signal_handler(number, stop.set)
        works = [
            *serve.duties(house.parts, serve.DUTIES, started),
            ("department", robots.department(house)),
            ("play", playing(house)),
        ]
        await serve.side_by_side(stop, works)


def say(step: Step) -> None:
    """Print one step of the chain."""
    told = "  ".join(f"{name} {value}" for name, value in step.detail.items())
    print(f"  {'✓' if step.happened else '✗'} {step.name:<10} {told}")
    sys.stdout.flush()


def _welcome(port: int) -> None:
    print(f"\n12333 热线网关演示 · the hotline gateway's demo: http://127.0.0.1:{port}")
    print(f"密码都是 · every password is: {PASSWORD}\n")
    for login, name, role, where in ACCOUNTS:
        zh, en = ROLE_NAMES[role]
        print(f"  {login:<12} {zh} {en}  {name} {where}")
    print("\nCtrl+C 结束，不留任何文件 · ends it and leaves nothing behind")
    sys.stdout.flush()
