"""The command that tries a department's own program against the contract.

It plays the hotline in a virtual host that is made for this: never in a live house by accident, and
never at the address the gateway is set to, unless that is typed out. The program is the
department's, started by its people, under its own account.
"""

import argparse
import asyncio
import math
import re
import secrets

from gateway import compose, settings
from gateway.cli import department_account
from gateway.cli.command import Command, Result, arg
from gateway.errors import BadInput
from queueing import rehearsing
from queueing.rehearsing import Rehearsal
from queueing.verdicts import Verdict

SIGNS = {True: "✓", False: "✗", None: "–"}
WAIT_S = 20.0


def check(asked: argparse.Namespace) -> Result:
    """Send what a hotline may send, and judge what is answered, a line for each rule."""
    code = department_account.checked(asked.code)
    if not re.fullmatch(r"amqps?://\S+", asked.url):
        told = "应为一个 amqp:// 或 amqps:// 地址。 It must be one address, amqp:// or amqps://."
        raise BadInput({"url": told})
    lines = asyncio.run(_check(asked, code))
    held = all(line.held for line in lines)
    data = {
        "passed": held,
        "lines": [
            {"name": one.name, "held": one.held, "rule": one.rule,
             "remedy": "" if one.held else one.remedy}
            for one in lines
        ],
    }  # fmt: skip
    return Result(held, "\n".join(_told(one) for one in lines), data)


async def _check(asked: argparse.Namespace, code: str) -> list[Verdict]:
    await rehearsing.guard(asked.url, code, anywhere=asked.anywhere)
    rehearsal = Rehearsal(
        asked.url,
        code,
        settings.read().queues,
        secrets.token_hex(4),
        now=compose.clock(),
        wait_s=asked.wait,
    )
    return await rehearsal.run()


def _told(line: Verdict) -> str:
    told = f"{SIGNS[line.held]} {line.rule}"
    if line.held is False:
        told += f"\n    {line.remedy}"
    return told if line.held is not None else f"{told}（未能检测 not tried）"


def _seconds(text: str) -> float:
    seconds = float(text)
    if not (math.isfinite(seconds) and 0 < seconds <= 3600):
        raise ValueError(text)
    return seconds


COMMANDS = (
    Command(
        "department check",
        "检测部门自己的程序是否合乎约定，须用专门的虚拟主机，不可用正式的 · try a department's own "
        "program against the contract, in a virtual host made for this and not the live one: "
        "rabbitmqctl add_vhost hotline-check",
        check,
        (
            arg("code", help="部门代码 · department code"),
            arg("--url", required=True, metavar="AMQP",
                help="检测用的虚拟主机，账号须可声明队列，程序也连此处 · the virtual host to "
                     "check in, by an account that may declare; your program connects there too"),
            arg("--wait", type=_seconds, default=WAIT_S, metavar="S",
                help="每步最多等几秒，默认 20 · how long each step is waited for, 20 by default"),
            arg("--anywhere", action="store_true",
                help="名称不含 check 的虚拟主机也用 · also where the name does not say check"),
        ),
    ),
)  # fmt: skip
