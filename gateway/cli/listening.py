"""The command that takes a department's work orders in, and prints each.

What it prints is the work order itself, caller included; its log, on standard error, is not. With
`--json` each is a line: the event as it came, or type and data of what is no work order.
"""

import argparse
import asyncio
import contextlib
import json
import shlex
import shutil
import signal

from gateway import compose, settings
from gateway.cli import department_account, wording
from gateway.cli.command import Command, Result, arg
from gateway.errors import BadInput
from queueing import messages
from queueing.broker import RabbitMQ
from queueing.department import Department, Order
from queueing.listening import Listener
from queueing.messages import ConnectionTested, ReplyRejected
from queueing.remembered import Remembered


def listen(asked: argparse.Namespace) -> Result:
    """Take a department's work orders in until told to stop."""
    set_up = settings.read()
    url = department_account.address(set_up, asked.code)
    command = _command(asked.exec)
    memory = department_account.memory(set_up, asked.memory, asked.code)
    with contextlib.closing(memory) as remembered:
        taken = asyncio.run(_listen(url, asked.code, remembered, command, as_json=asked.json))
    return Result(True, "" if asked.json else f"已停止 · stopped: {taken}", None)


async def _listen(
    url: str, code: str, remembered: Remembered, command: list[str], *, as_json: bool
) -> int:
    """How many were taken in until SIGINT or SIGTERM."""
    notice = _notice_line if as_json else _notice
    transport = RabbitMQ(url)
    department = Department(
        code, transport, compose.clock, remembered, on_rejected=notice, on_tested=notice
    )
    listener = Listener(department, remembered, _order_line if as_json else _order, command)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, listener.stop)
    try:
        await listener.run()
    finally:
        await transport.close()
    return listener.taken


def _order(order: Order) -> None:
    print(wording.order(order.message), flush=True)


def _order_line(order: Order) -> None:
    print(json.dumps(json.loads(order.body), ensure_ascii=False), flush=True)


def _notice(message: ConnectionTested | ReplyRejected) -> None:
    print(wording.notice(message), flush=True)


def _notice_line(message: ConnectionTested | ReplyRejected) -> None:
    said = {"type": messages.type_of(message), "data": message.model_dump(mode="json")}
    print(json.dumps(said, ensure_ascii=False), flush=True)


def _command(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError:
        words = [text]
    if words and shutil.which(words[0]) is None:
        told = f"找不到可执行程序 {words[0]}。 There is no program {words[0]} to run."
        raise BadInput({"exec": told})
    return words


COMMANDS = (
    Command(
        "department listen",
        "接收部门的派单，逐条打印 · take a department's work orders in, printing each",
        listen,
        (
            arg("code", help="部门代码 · department code"),
            arg("--exec", default="", metavar="CMD",
                help="每条交给此程序：标准输入为消息，退出码 0 即收下 · hand each to this program: "
                     "the message on standard input, exit 0 takes it in"),
            department_account.MEMORY,
        ),
    ),
)  # fmt: skip
