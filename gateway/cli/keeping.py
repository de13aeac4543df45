"""Commands that keep the house: its place, database, accounts, departments."""

import argparse
import getpass
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

from sqlalchemy.orm import Session

from gateway import compose, doctor, migrations, settings
from gateway.cli.command import Command, Result, arg
from gateway.errors import BadInput
from gateway.flow import broker_accounts, log
from gateway.parts import Parts
from gateway.people import accounts
from gateway.people.accounts import Person
from gateway.people.roles import ROLE_NAMES, Role
from recordings import logkeys

OPERATOR = "operator"  # whoever may run the command on the machine


def init(asked: argparse.Namespace) -> Result:
    """Make a place to keep everything: directories, this month's keys, database, first account."""
    root = asked.directory.absolute()
    set_up = settings.read({"HOTLINE_STATE": str(root)} | compose.environment())
    password = secrets.token_urlsafe(12)
    with compose.opened(set_up) as parts:
        made = compose.prepare(parts)
        now = parts.clock()
        with parts.database.begin() as session:
            compose.keys_made(session, parts, made)
            if not accounts.any_of(session, Role.ADMINISTRATOR):
                accounts.add(session, login="admin", name="系统管理员", role=Role.ADMINISTRATOR,
                             password=password, now=now)  # fmt: skip
                log.note(session, "people:account:add", actor=OPERATOR, origin="cli",
                         obj="account:admin", outcome="ok", now=now)  # fmt: skip
            else:
                password = ""
            definitions = broker_accounts.write(session, set_up)
        key = logkeys.known(set_up.keyring)[-1]
    lines = [
        f"已就绪 · ready: {root}",
        f"日志验证密钥，请交审计员保存 · the log's verifier key, for the auditor to keep: {key}",
    ]
    lines.append(
        f"RabbitMQ（如使用）· where it is used: rabbitmqctl import_definitions {definitions}"
    )
    if password:
        lines.append(f"管理员 · administrator: admin / {password}（只显示一次 · shown once）")
    lines.append(f"启动 · start: HOTLINE_STATE={root} hotline serve")
    data = {"state": str(root), "administrator": "admin" if password else None,
            "password": password or None, "log_key": key,
            "definitions": str(definitions)}  # fmt: skip
    return Result(True, "\n".join(lines), data)


def examine(asked: argparse.Namespace) -> Result:
    """Look at every part: works, or what to do."""
    findings = doctor.examine(settings.read(), asked.definitions)
    width = max(len(finding.part) for finding in findings)
    text = "\n".join(
        f"{'✓' if finding.works else '✗'} {finding.part:{width}}  {finding.says}"
        for finding in findings
    )
    works = all(finding.works for finding in findings)
    data = {"works": works, "parts": [finding.plain() for finding in findings]}
    return Result(works, text, data)


def upgrade(asked: argparse.Namespace) -> Result:
    """Bring the database to the newest version."""
    del asked
    with compose.opened(settings.read()) as parts:
        before, _ = migrations.version(parts.database)
        migrations.upgrade(parts.database)
        compose.establish_log(parts)
        after, _ = migrations.version(parts.database)
        if after != before:
            with parts.database.begin() as session:
                log.note(session, "gateway:database:upgrade", actor=OPERATOR, origin="cli",
                         obj=f"version:{after}", outcome="ok", now=parts.clock())  # fmt: skip
    return Result(True, f"数据库 · database: {before} → {after}", {"from": before, "to": after})


def user_add(asked: argparse.Namespace) -> Result:
    """Make an account; the password comes from a prompt or from standard input."""
    password = read_password()
    with compose.opened(settings.read()) as parts, parts.database.begin() as session:
        now = parts.clock()
        person = accounts.add(
            session, login=asked.login, name=asked.name, role=asked.role, password=password,
            now=now, department=asked.department, extension=asked.extension,
            pbx=_pbx(parts, asked.pbx, asked.extension),
        )  # fmt: skip
        log.note(session, "people:account:add", actor=OPERATOR, origin="cli",
                 obj=f"account:{person.login}", outcome="ok", now=now)  # fmt: skip
    return Result(True, f"已添加 · added: {person.login}", {"login": person.login})


def user_phone(asked: argparse.Namespace) -> Result:
    """Give an agent another phone."""
    with compose.opened(settings.read()) as parts:
        pbx = _pbx(parts, asked.pbx, asked.extension)
    return _changed(
        asked.login,
        "phone",
        lambda session: accounts.set_phone(session, asked.login, pbx, asked.extension),
    )


def _pbx(parts: Parts, asked: str | None, extension: str | None) -> str:
    """The PBX an extension is of: the one that was said, or the only one there is."""
    names = [exchange.name for exchange in parts.settings.pbxs]
    if asked in names or (asked is None and (len(names) == 1 or not extension)):
        return asked or names[0]
    raise BadInput(
        {
            "pbx": f"请用 --pbx 指定交换机：{', '.join(names)}。 "
            f"Say with --pbx which PBX the extension is of: {', '.join(names)}."
        }
    )


def read_password() -> str:
    """A password, from a prompt or from standard input."""
    if sys.stdin.isatty():
        return getpass.getpass("密码 · password: ")
    return sys.stdin.readline().rstrip("\r\n")


def user_close(asked: argparse.Namespace) -> Result:
    """Close an account."""
    return _changed(asked.login, "close", lambda session: accounts.close(session, asked.login))


def user_password(asked: argparse.Namespace) -> Result:
    """Give an account a new password, and end a lock."""
    password = read_password()
    return _changed(
        asked.login,
        "password",
        lambda session: accounts.set_password(session, asked.login, password, compose.clock()),
    )


def _changed(login: str, act: str, change: Callable[[Session], Person]) -> Result:
    with compose.opened(settings.read()) as parts, parts.database.begin() as session:
        person = change(session)
        log.note(session, f"people:account:{act}", actor=OPERATOR, origin="cli",
                 obj=f"account:{person.login}", outcome="ok", now=parts.clock())  # fmt: skip
    return Result(True, f"已完成 · done: {login}", {"login": login})


_ROLES = ", ".join(f"{role} {ROLE_NAMES[role][0]}" for role in Role)
_PBX = "分机所在交换机，多台时必填 · the extension's PBX, where there are several"

COMMANDS = (
    Command(
        "init",
        "准备目录、密钥、数据库和管理员 · prepare a place to keep everything",
        init,
        (arg("directory", type=Path, help="目录 · the directory (HOTLINE_STATE)"),),
    ),
    Command(
        "doctor",
        "逐项检查：正常，或该怎么办 · each part: works, or what to do",
        examine,
        (
            arg(
                "--definitions",
                type=Path,
                metavar="FILE",
                help="rabbitmqctl export_definitions 的结果，一并核对 · compare as well",
            ),
        ),
    ),
    Command("db upgrade", "升级数据库 · bring the database up to date", upgrade),
    Command(
        "user add",
        "添加账号，密码从标准输入读取 · add an account; the password on stdin",
        user_add,
        (
            arg("login", help="账号 · login"),
            arg("--role", required=True, choices=[str(role) for role in Role], help=_ROLES),
            arg("--name", default="", help="姓名 · name"),
            arg("--department", help="部门代码 · department code"),
            arg("--extension", metavar="PJSIP/8003", help="坐席分机 · the agent's interface"),
            arg("--pbx", metavar="NAME", help=_PBX),
        ),
    ),
    Command(
        "user phone",
        "更换坐席分机 · give an agent another phone",
        user_phone,
        (
            arg("login", help="账号 · login"),
            arg(
                "extension", metavar="PJSIP/8003", help="分机，'' 为无 · its interface, '' for none"
            ),
            arg("--pbx", metavar="NAME", help=_PBX),
        ),
    ),
    Command(
        "user close",
        "关闭账号，立即失效 · close an account, at once",
        user_close,
        (arg("login", help="账号 · login"),),
    ),
    Command(
        "user password",
        "重设密码，解除锁定与关闭 · set a password (stdin); ends a lock or a closing",
        user_password,
        (arg("login", help="账号 · login"),),
    ),
)
