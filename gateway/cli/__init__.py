"""The command `hotline`: for the people who install and run the gateway.

One table (`COMMANDS`) says what there is: words, help in both languages, arguments, and the
function that does it. Every command prints for people and, with `--json`, one JSON document for
programs; the exit status is 0 only when it did what it says, 1 when it did not, 2 when it was
asked wrongly. Commands do their work through `compose` like every other entrance.
"""

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from sqlalchemy.exc import SQLAlchemyError

from gateway.cli import (
    answering,
    archive,
    auditing,
    checking,
    counting,
    custodians,
    custody,
    departments,
    keeping,
    listening,
    rehearsing,
    replaying,
    restoring,
    retention,
    running,
    sealing,
)
from gateway.cli.command import Command, Result
from gateway.errors import HotlineError
from gateway.migrations import CommandError
from queueing.errors import QueueingError
from recordings.errors import RecordingsError
from telephony.errors import TelephonyError

COMMANDS: tuple[Command, ...] = (
    *running.COMMANDS,
    *keeping.COMMANDS,
    *departments.COMMANDS,
    *listening.COMMANDS,
    *answering.COMMANDS,
    *rehearsing.COMMANDS,
    *custody.COMMANDS,
    *custodians.COMMANDS,
    *checking.COMMANDS,
    *auditing.COMMANDS,
    *counting.COMMANDS,
    *sealing.COMMANDS,
    *archive.COMMANDS,
    *restoring.COMMANDS,
    *replaying.COMMANDS,
    *retention.COMMANDS,
)
OURS = (HotlineError, TelephonyError, QueueingError, RecordingsError)


class Parser(argparse.ArgumentParser):
    """argparse, saying in both languages what is wrong."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and how it is asked rightly; exit status 2."""
        self.print_usage(sys.stderr)
        self.exit(2, f"命令有误，见 {self.prog} --help。 Asked wrongly: {message}.\n")


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = Parser(
        prog="hotline",
        description="12333 热线网关。设置取自 HOTLINE_* 环境变量。 "
        "The 12333 hotline gateway; settings come from HOTLINE_* variables.",
    )
    words: dict[str, Any] = {"": top.add_subparsers(metavar="命令 COMMAND", required=True)}
    for command in COMMANDS:
        first, _, second = command.words.partition(" ")
        if second and first not in words:
            group = words[""].add_parser(first, help=GROUPS[first], description=GROUPS[first])
            words[first] = group.add_subparsers(metavar="操作 ACTION", required=True)
        inside = words[first if second else ""]
        made = inside.add_parser(second or first, help=command.help, description=command.help)
        made.add_argument("--json", action="store_true", help="输出 JSON · print one JSON document")
        for argument in command.arguments:
            made.add_argument(*argument.names, **argument.options)
        made.set_defaults(command=command)
    return top


GROUPS = {
    "db": "数据库 · the database",
    "user": "账号 · accounts",
    "department": "承办部门 · departments",
    "parked": "搁置的消息 · parked messages",
    "keys": "封存密钥 · the keys that seal recordings",
    "recording": "录音：封存、备份、核验 · recordings: sealing, backup, checks",
    "audit": "审计日志 · the log",
    "retention": "保存与销毁 · keeping and destroying",
    "pbx": "交换机链路 · the link to the PBX",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    os.umask(0o077)  # what we write holds callers' names and numbers: nobody else's to read
    asked = parser().parse_args(argv)
    command: Command = asked.command
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for chatty in ("aio_pika", "aiormq"):  # each failed try to connect; `broker` says it once
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    try:
        result = command.run(asked)
    except OURS as error:
        result = Result(False, str(error), {"error": str(error)})
    except (SQLAlchemyError, CommandError) as error:
        text = (
            f"数据库连不上，或不是这个版本（{type(error).__name__}）：请运行 hotline doctor。 "
            f"The database cannot be reached, or is of another version: run hotline doctor."
        )
        result = Result(False, text, {"error": text})
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        text = f"系统错误：{error}。 The system refused: {error}."
        result = Result(False, text, {"error": text})
    return _print(result, asked.json)


def _print(result: Result, as_json: bool) -> int:
    try:
        if as_json:
            if result.data is not None:
                print(json.dumps(result.data, ensure_ascii=False, indent=2))
        elif result.text:
            print(result.text, file=sys.stdout if result.done else sys.stderr)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0 if result.done else 1
