"""Commands about departments: which there are, and a test message to one."""

import argparse
import re

from gateway import compose, settings
from gateway.cli.command import Command, Result, arg
from gateway.cli.department_mode import MEANT, MODES
from gateway.errors import BadInput
from gateway.flow import log, pulling, trying
from gateway.tables import DepartmentRow
from gateway.tickets import assigned

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


COMMANDS = (
    Command(
        "department add",
        "添加承办部门 · add a department",
        department_add,
        (
            arg("code", help="代码，小写字母和数字 · code, lower-case letters and digits"),
            arg("name", help="名称 · name"),
            arg("--mode", choices=MODES, default="desk", help=MEANT),
        ),
    ),
    Command("department list", "列出部门 · list the departments", department_list),
    Command(
        "department test",
        "向部门系统发测试消息 · send a department's system a test message",
        department_test,
        (arg("code", help="部门代码 · department code"),),
    ),
)
