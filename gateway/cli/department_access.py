"""Commands about what a department's program shows: a key over HTTPS, an account at the broker."""

import argparse
import sys

from sqlalchemy.orm import Session

from gateway import compose, settings
from gateway.cli.command import Command, Result, arg
from gateway.flow import broker_accounts, log
from gateway.people import machines
from gateway.tickets.clocks import china
from queueing import topology

OPERATOR = "operator"  # whoever may run the command on the machine


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
