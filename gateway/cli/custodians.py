"""What two custodians do with a key, each with an account and password of their own.

The password comes from a prompt or from standard input. No private key is printed: an exported one
is a file that both have to open.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from gateway import compose, settings
from gateway.cli.command import Command, Result, arg
from gateway.cli.keeping import read_password
from gateway.errors import BadInput, HotlineError
from gateway.flow import custodians as flow
from gateway.flow import signing
from gateway.parts import Parts
from gateway.people import accounts
from gateway.people.accounts import Person
from recordings import custodians
from recordings.errors import ActUnknown
from recordings.tables_keys import KeyActRow, KeyCopyRow

CLI = "cli"
DIGEST = 8  # as many characters of a digest have to be named at the least


def _custodian(parts: Parts, login: str) -> Person:
    """Who gives the password of `login`; raises WrongPassword, AccountLocked or TooBusy."""
    judged, now = accounts.judge(parts.database, login, read_password()), parts.clock()
    with parts.database.begin() as session:
        found = accounts.authenticate(session, judged, now)
        if isinstance(found, HotlineError):
            signing.failed(session, login, at=CLI, origin=CLI, now=now)
    if isinstance(found, HotlineError):
        raise found
    return found


def keys_export(asked: argparse.Namespace) -> Result:
    """Ask for a key to be exported to two custodians."""
    return _asked(asked, "export", list(asked.to))


def keys_destroy(asked: argparse.Namespace) -> Result:
    """Ask for a key to be destroyed."""
    return _asked(asked, "destroy", [])


def _asked(asked: argparse.Namespace, act: str, recipients: list[str]) -> Result:
    with compose.opened(settings.read()) as parts:
        who = _custodian(parts, asked.custodian)
        row = flow.ask(parts, who, act, asked.key, reason=asked.reason, origin=CLI,
                       recipients=recipients)  # fmt: skip
    told = (
        f"已提出第 {row.id} 号：{act} {row.key_id}。24 小时内由另一位保管人确认 · asked; within a "
        f"day the other custodian: hotline keys confirm {row.id} --digest {row.digest[:16]}"
    )
    return Result(True, told, _plain(row))


def keys_confirm(asked: argparse.Namespace) -> Result:
    """Confirm what the other custodian asked for, and have it done."""
    with compose.opened(settings.read()) as parts:
        with parts.database.reading() as session:
            row = session.get(KeyActRow, asked.act)
        if row is None:
            raise ActUnknown(f"没有第 {asked.act} 号。 There is no act {asked.act}: keys acts.")
        if row.act == "export" and asked.out is None:
            raise BadInput({"out": "请用 --out 指定输出文件。 Say with --out where to write."})
        who = _custodian(parts, asked.custodian)
        ring = compose.keyring(parts.settings)
        if row.confirmed_by != who.login:  # else it was confirmed, and what came then was cut off
            flow.confirm(parts, who, row.id, _whole(row, asked.digest), CLI)
        if row.act == "export":
            out = flow.export(parts, ring, who, row.id, asked.out, CLI)
            return Result(True, f"已导出 · exported: {out}", {"out": str(out)})
        key_id = flow.destroy(parts, ring, who, row.id, CLI)
    return Result(True, f"已销毁 · destroyed: {key_id}", {"destroyed": key_id})


def _whole(row: KeyActRow, digest: str) -> str:
    """The digest that a beginning of it, long enough, names; what was typed otherwise."""
    if len(digest) >= DIGEST and row.digest.startswith(digest):
        return row.digest
    return digest


def keys_acts(asked: argparse.Namespace) -> Result:
    """List what was asked for and how it stands."""
    del asked
    with compose.opened(settings.read()) as parts, parts.database.reading() as session:
        rows = [_plain(row) for row in custodians.acts(session)]
    text = "\n".join(
        f"{row['act_id']:4} {row['act']:8} {row['key']:8} {row['asked_by']} → "
        f"{row['confirmed_by'] or '…'} {'✓' if row['done'] else ''} {row['digest'][:16]} "
        f"{row['reason']}"
        for row in rows
    )
    return Result(True, text or "没有。 None.", rows)


def keys_copies(asked: argparse.Namespace) -> Result:
    """List the copies that left the keyring."""
    del asked
    with compose.opened(settings.read()) as parts, parts.database.reading() as session:
        rows = [_copy(row) for row in custodians.copies(session)]
    text = "\n".join(
        f"{row['copy']:4} {row['key']:8} {'已销毁 gone' if row['gone'] else '在外 out'} "
        f"{row['gone_by'] or ''} {row['gone_with'] or ''}"
        for row in rows
    )
    return Result(True, text or "没有副本。 No copies.", rows)


def keys_gone(asked: argparse.Namespace) -> Result:
    """Attest, as one of two, that a copy is gone."""
    with compose.opened(settings.read()) as parts:
        who = _custodian(parts, asked.custodian)
        row = flow.attest_gone(parts, who, asked.copy, CLI)
    done = row.gone_at is not None
    told = "两人均已证明。 Both have attested." if done else "还须另一位证明。 One more is needed."
    return Result(True, told, _copy(row))


def _plain(row: KeyActRow) -> dict[str, Any]:
    return {
        "act_id": row.id, "act": row.act, "key": row.key_id, "reason": row.reason,
        "recipients": json.loads(row.recipients), "digest": row.digest, "asked_by": row.asked_by,
        "confirmed_by": row.confirmed_by, "expires_at": row.expires_at,
        "done": row.done_at is not None,
    }  # fmt: skip


def _copy(row: KeyCopyRow) -> dict[str, Any]:
    return {
        "copy": row.id, "key": row.key_id, "recipients": json.loads(row.recipients),
        "made_at": row.made_at, "gone": row.gone_at is not None, "gone_by": row.gone_by,
        "gone_with": row.gone_with,
    }  # fmt: skip


_AS = arg("--as", dest="custodian", required=True, metavar="LOGIN",
          help="保管人账号，密码从标准输入 · the custodian; the password on stdin")  # fmt: skip
_KEY = arg("key", metavar="2026-11", help="密钥 · the key")
_REASON = arg("--reason", required=True, help="理由，记入日志 · why; it goes on record")

COMMANDS = (
    Command(
        "keys export",
        "申请导出私钥，须两人才能打开 · ask to export a key; it takes two to open",
        keys_export,
        (_KEY, _AS, _REASON,
         arg("--to", action="append", required=True, metavar="age1…",
             help="两位保管人的公钥，写两次 · the custodians' keys, given twice")),
    ),
    Command(
        "keys destroy",
        "申请销毁私钥，须两人 · ask to destroy a key; it takes two",
        keys_destroy,
        (_KEY, _AS, _REASON),
    ),
    Command(
        "keys confirm",
        "第二位保管人确认并执行 · the second custodian confirms, and it is done",
        keys_confirm,
        (arg("act", type=int, help="编号 · its number"), _AS,
         arg("--digest", required=True, help="所见内容的摘要 · the digest of what you saw"),
         arg("--out", type=Path, metavar="FILE", help="导出到 · where to write an export")),
    ),
    Command("keys acts", "列出导出与销毁的申请 · what was asked for", keys_acts),
    Command("keys copies", "列出流出的私钥副本 · copies that left the keyring", keys_copies),
    Command(
        "keys gone",
        "证明一份副本已销毁，须两人 · attest that a copy is gone; it takes two",
        keys_gone,
        (arg("copy", type=int, help="副本编号 · its number"), _AS),
    ),
)  # fmt: skip
