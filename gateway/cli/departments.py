"""Commands about departments: which there are, their account at the broker, a test message."""

import argparse
import re
import sys

from sqlalchemy.orm import Session

from gateway import compose, settings
from gateway.cli.command import Command, Result, arg
from gateway.cli.department_mode import MEANT, MODES
from gateway.errors import BadInput
from gateway.flow import broker_accounts, log, pulling, trying
from gateway.people import machines
from gateway.tables import DepartmentRow
from gateway.tickets import assigned
from gateway.tickets.clocks import china
from queueing import topology

OPERATOR = "operator"  # whoever may run the command on the machine
TEST_WAIT_S = 10.0


def department_add(asked: argparse.Namespace) -> Result:
    """Add a department that work orders can go to."""
    code = asked.code
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", code):
        told = (
            "部门代码为小写字母、数字、-、_，最多 32 个。 "
            "A code is lower-case letters, digits, - and _, at most 32."
        )
        raise BadInput({"code": told})
    if not 0 < len(asked.name) <= 128 or not asked.name.isprintable():
        raise BadInput({"name": "名称为 1–128 个可见字符。 1 to 128 visible characters."})
    with compose.opened(settings.read()) as parts, parts.database.begin() as session:
        if session.get(DepartmentRow, code):
            raise BadInput({"code": f"部门 {code} 已存在。 {code} exists already."})
        session.add(DepartmentRow(code=code, name=asked.name, mode=asked.mode))
        if asked.mode == "pull":
            pulling.open_queue(session, code)
        log.note(session, "people:department:add", actor=OPERATOR, origin="cli",
                 obj=f"department:{code}", outcome="ok", now=parts.clock())  # fmt: skip
    return Result(True, f"已添加 · added: {code} {asked.name}", {"code": code})


def department_list(asked: argparse.Namespace) -> Result:
    """List the departments."""
    del asked
    with compose.opened(settings.read()) as parts, parts.database.reading() as session:
        rows = [{"code": row.code, "name": row.name, "mode": row.mode}
                for row in assigned.departments(session)]  # fmt: skip
    text = "\n".join(f"{row['code']:12} {row['mode']:6} {row['name']}" for row in rows)
    return Result(True, text or "还没有部门。 No departments yet.", rows)


def department_test(asked: argparse.Namespace) -> Result:
    """Send a department's system a test message, and wait for the broker to have it."""
    with compose.opened(settings.read()) as parts:
        with parts.database.begin() as session:
            sent = trying.send(session, asked.code, by=OPERATOR, origin="cli", now=parts.clock())
        arrived = trying.arrived(parts.database, sent, TEST_WAIT_S)
    told = (
        "测试消息已到达部门队列。 The test message is in the department's queue."
        if arrived
        else "已提交，尚未确认：网关（--only relay）在运行吗？消息服务可达吗？ "
        "Committed and not confirmed: is the gateway running, and the broker there?"
    )
    return Result(arrived, told, {"code": asked.code, "arrived": arrived})


def department_key(asked: argparse.Namespace) -> Result:
    """Give a department's program a key, list those it has, or revoke one."""
    code = asked.code
    with compose.opened(settings.read()) as parts, parts.database.begin() as session:
        now = parts.clock()
        if asked.list:
            return _keys(session, code, now)
        if asked.revoke is not None:
            machines.revoke(session, code, asked.revoke, now)
            _key_noted(session, "people:key:revoke", code, asked.revoke, now)
            return Result(True, f"已吊销 · revoked: {code} {asked.revoke}", {"id": asked.revoke})
        made = machines.make(session, code, asked.days, OPERATOR, now)
        _key_noted(session, "people:key:make", code, made.id, now)
    until = china(made.expires_at)
    print(
        f"密钥 {made.id}，只显示这一次，{until:%Y-%m-%d} 到期 · "
        f"key {made.id}, shown this once, until {until:%Y-%m-%d}:",
        file=sys.stderr,
    )
    data = {"id": made.id, "code": code, "key": made.key, "expires_at": until.isoformat()}
    return Result(True, made.key, data)


def _key_noted(session: Session, action: str, code: str, key_id: int, now: int) -> None:
    log.note(session, action, actor=OPERATOR, origin="cli", obj=f"department:{code}",
             outcome="ok", now=now, detail={"key": key_id})  # fmt: skip


def _keys(session: Session, code: str, now: int) -> Result:
    rows = [
        {
            "id": row.id,
            "made_at": china(row.made_at).isoformat(),
            "expires_at": china(row.expires_at).isoformat(),
            "holds": row.revoked_at is None and row.expires_at > now,
        }
        for row in machines.keys(session, code)
    ]
    lines = [
        f"{row['id']:>4} {'有效 holds' if row['holds'] else '失效 ended'} {row['expires_at']}"
        for row in rows
    ]
    return Result(True, "\n".join(lines) or "没有密钥。 No keys.", rows)


def department_credentials(asked: argparse.Namespace) -> Result:
    """Give a department an account of its own at the broker, and require it of its replies."""
    with compose.opened(settings.read()) as parts, parts.database.begin() as session:
        fragment = broker_accounts.require(
            session, parts.settings, asked.code, anew=asked.new, now=parts.clock()
        )
        file = broker_accounts.address_file(parts.settings, asked.code)
    user = topology.user_of(asked.code)
    print(
        f"地址（含口令，请当面交接）· address with its password: {file}\n"
        f"账号 · account: {user}；回复须带 user-id · replies must bear it as user-id\n"
        "导入以下定义 · import this: rabbitmqctl import_definitions FILE",
        file=sys.stderr,
    )
    data = {"code": asked.code, "user": user, "file": str(file), "definitions": fragment}
    return Result(True, fragment, data)


COMMANDS = (
    Command(
        "department add",
        "添加承办部门 · add a department",
        department_add,
        (
            arg("code", help="代码，小写字母和数字 · code, lower-case letters and digits"),
            arg("name", help="名称 · name"),
            arg(
                "--mode",
                choices=MODES,
                default="desk",
                help=MEANT,
            ),
        ),
    ),
    Command(
        "department key",
        "部门程序的密钥，用于 HTTPS 接口 · a key for a department's program, for HTTPS",
        department_key,
        (
            arg("code", help="部门代码 · department code"),
            arg("--days", type=int, default=machines.DAYS, help="有效天数 · for how many days"),
            arg("--list", action="store_true", help="列出密钥 · list its keys instead"),
            arg("--revoke", type=int, metavar="ID", help="吊销一把 · revoke one instead"),
        ),
    ),
    Command("department list", "列出部门 · list the departments", department_list),
    Command(
        "department test",
        "向部门系统发测试消息 · send a department's system a test message",
        department_test,
        (arg("code", help="部门代码 · department code"),),
    ),
    Command(
        "department credentials",
        "部门自己的 RabbitMQ 账号，其回复须出自该账号 · an account its replies must use",
        department_credentials,
        (
            arg("code", help="部门代码 · department code"),
            arg("--new", action="store_true", help="换新口令 · make a new password"),
        ),
    ),
)
