"""The command that answers a work order from the department's side.

What it says has an id made of what it says and of which version of the work order: said again, it
is the same answer, and takes effect once.
"""

import argparse
import asyncio
import contextlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway import compose, settings
from gateway.cli import department_account
from gateway.cli.checking import moment
from gateway.cli.command import Command, Result, arg
from gateway.errors import BadInput
from gateway.settings import Settings
from gateway.tickets.clocks import china
from queueing.broker import RabbitMQ
from queueing.department import Department, answer_id
from queueing.messages import (
    DepartmentReply,
    ExtensionAsked,
    Progress,
    Remarked,
    Replied,
    Returned,
    Signed,
)

SEND_S = 20.0

Fields = dict[str, Any]
ACTS: dict[str, Callable[[Fields, argparse.Namespace], DepartmentReply]] = {
    "sign": lambda about, _: Signed(**about),
    "return": lambda about, asked: Returned(**about, reason=asked.text),
    "reply": lambda about, asked: Replied(**about, result=asked.text, measures=asked.measures),
    "extension": lambda about, asked: ExtensionAsked(
        **about, until=china(moment(asked.until)), reason=asked.text
    ),
    "progress": lambda about, asked: Progress(**about, text=asked.text),
    "remark": lambda about, asked: Remarked(**about, text=asked.text),
}
"""What can be said of a work order, by the word it is asked with."""


def reply(asked: argparse.Namespace) -> Result:
    """Answer a work order, once however often it is said."""
    set_up = settings.read()
    code = asked.department or department_account.speaker(set_up)
    url = department_account.address(set_up, code)
    if asked.text == "-":  # nobody else on the machine sees it then
        asked.text = sys.stdin.read().strip()
    if asked.act != "sign" and not asked.text:
        raise BadInput({"text": f"{asked.act} 须用 --text 说明。 {asked.act} needs --text."})
    if asked.act == "extension" and not asked.until:
        raise BadInput({"until": "申请延期须用 --until 写明期限。 An extension needs --until."})
    version = asked.version or _known(set_up, asked.memory, code, asked.number)
    about = {"work_order": asked.number, "version": version, "department": code, "by": asked.by}
    try:
        answer = ACTS[asked.act](about, asked)
    except ValueError as problem:  # its text names the field and quotes nothing
        fields = re.findall(r"^(\w+)$", str(problem), re.MULTILINE)
        told = "为空、过长或含不可用字符。 Empty, too long, or with a character that cannot be."
        raise BadInput(dict.fromkeys(fields, told)) from None
    if not asyncio.run(_send(url, code, answer)):
        text = (
            "消息服务未确认，请稍后再运行同一命令，不会重复生效。 Not confirmed by the broker: run "
            "the same command again later; it takes effect once."
        )
        return Result(False, text, {"error": text})
    text = (
        f"已送达热线 · sent: {asked.number} v{version} {answer.event}。"
        "若不被采纳，listen 会显示原因。 If it is not taken, listen tells why."
    )
    data = {"id": answer_id(answer), "work_order": asked.number, "version": version}
    return Result(True, text, data | {"event": answer.event})


async def _send(url: str, code: str, answer: DepartmentReply) -> bool:
    """Whether the broker confirmed within so long."""
    transport = RabbitMQ(url)
    try:
        if not await transport.ready():
            return False
        async with asyncio.timeout(SEND_S):
            await Department(code, transport, compose.clock).send(answer)
    except TimeoutError:
        return False
    finally:
        await transport.close()
    return True


def _known(set_up: Settings, named: Path | None, code: str, number: str) -> int:
    """The version of the work order that was taken in here."""
    with contextlib.closing(department_account.memory(set_up, named, code)) as remembered:
        version = remembered.get(number, 0)
    if not version:
        told = (
            f"本机没有收到过 {number}，请核对编号，或用 --version 写明派单版本。 "
            "It was not taken in here: check the number, or say its version with --version."
        )
        raise BadInput({"number": told})
    return version


COMMANDS = (
    Command(
        "department reply",
        "答复派单，重复运行只生效一次 · answer a work order; run again, it takes effect once",
        reply,
        (
            arg("number", help="派单编号 · the work order's number"),
            arg("act", choices=list(ACTS),
                help="签收、退单、反馈、申请延期、进展、会办意见 · what is said of it"),
            arg("--by", required=True, metavar="NAME", help="经办人 · the officer"),
            arg("--text", default="",
                help="原因、结果、进展或意见，- 读标准输入 · why, the result, how it goes; "
                     "- reads it from standard input"),
            arg("--measures", default="", help="反馈：采取的措施 · of a reply: what was done"),
            arg("--until", default="", metavar="TIME",
                help="申请延至，如 2026-12-03T17:30 · of an extension: until when"),
            arg("--version", type=int, default=0, metavar="N",
                help="派单版本，默认为收到的最高版本 · its version, by default the newest"),
            arg("--department", default="", metavar="CODE",
                help="部门代码，默认取自账号 · department code, by default the account's"),
            department_account.MEMORY,
        ),
    ),
)  # fmt: skip
