"""The keys' commands: what there is, making pairs, and the keyring with its passphrase.

No private key and no passphrase is ever printed.
"""

import argparse
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from gateway import compose, passphrase, settings
from gateway.cli.command import Command, Result, arg
from gateway.cli.keeping import OPERATOR
from gateway.errors import BadInput
from gateway.flow import custody, log
from gateway.parts import Parts
from recordings import keys, pairs, register
from recordings.errors import KeysError
from recordings.keyring import SHORTEST, FileKeyring


def keys_list(asked: argparse.Namespace) -> Result:
    """List the months' keys; where the keyring is locked, the public halves alone."""
    del asked
    with compose.opened(settings.read()) as parts:
        private: set[str] | None = None
        with suppress(KeysError):
            private = set(compose.keyring(parts.settings).key_ids())
        rows: list[dict[str, Any]] = [
                {"key": key_id, "recipient": parts.recipients.of(key_id).text,
                 "private": None if private is None else key_id in private}
                for key_id in parts.recipients.key_ids()]  # fmt: skip
    marks = {True: "✓", False: "–", None: "?"}
    lines = [f"{row['key']}  {marks[row['private']]}  {row['recipient']}" for row in rows]
    if private is None:
        lines.append("? 钥匙环未打开：hotline doctor。 The keyring is locked: hotline doctor.")
    text = "\n".join(lines)
    return Result(True, text or "还没有密钥：hotline keys new。 No keys: hotline keys new.", rows)


def keys_new(asked: argparse.Namespace) -> Result:
    """Make a month's pair."""
    with compose.opened(settings.read()) as parts:
        key_id = asked.month or keys.key_id_at(parts.clock())
        ring = compose.keyring(parts.settings)
        (made,) = custody.make(parts, ring, [key_id], OPERATOR)
    data = {"key": made.key_id, "recipient": made.text}
    return Result(True, f"已生成 · made: {made.key_id} {made.text}", data)


def keys_rotate(asked: argparse.Namespace) -> Result:
    """Make one more pair for this month, which seals from now on."""
    del asked
    with compose.opened(settings.read()) as parts:
        made = custody.rotate(parts, compose.keyring(parts.settings), OPERATOR)
    data = {"key": made.key_id, "recipient": made.text}
    told = f"已启用 · from now on: {made.key_id} {made.text}"
    return Result(True, told + "\n此前的录音仍用原私钥打开。 Older recordings keep theirs.", data)


def keys_check(asked: argparse.Namespace) -> Result:
    """Compare the public halves with the register and the keyring, and the recordings with both."""
    del asked
    with compose.opened(settings.read()) as parts, parts.database.reading() as session:
        found = custody.troubles(parts, session)
        strangers = register.strangers(session)
    lines = [one.text for one in found]
    if strangers:
        listed = ", ".join(f"{recording} ({key_id})" for recording, key_id in strangers)
        lines.append(
            f"以下录音封给了别人的公钥，我们打不开，须报审计：{listed}。 "
            f"These recordings were sealed to a stranger's key; tell the auditor: {listed}."
        )
    data = {
        "troubles": [{"key": one.key_id, "what": one.what} for one in found],
        "strangers": [{"recording": one, "key": key_id} for one, key_id in strangers],
    }
    sound = "公钥、私钥与登记一致。 Public halves, private halves and the register agree."
    return Result(not lines, "\n".join(lines) or sound, data)


def keys_enclose(asked: argparse.Namespace) -> Result:
    """Move plain key files of an older version into the keyring."""
    del asked
    with compose.opened(settings.read()) as parts:
        plain = parts.settings.keyring / compose.PLAIN_KEYS
        if plain.exists():
            passphrase.provide(parts.settings.archive)
        moved = pairs.enclose(plain, compose.keyring(parts.settings), now=parts.clock())
        if moved:
            with parts.database.begin() as session:
                _line(session, parts, "keys:keyring:enclose", {"keys": moved})
            custody.keep_ahead(parts, OPERATOR)
    told = f"已收进钥匙环 · enclosed: {', '.join(moved)}"
    return Result(True, told if moved else "没有明文私钥。 No plain private keys.", {"keys": moved})


def keys_passphrase(asked: argparse.Namespace) -> Result:
    """Give the keyring another passphrase, from a file or typed in two halves."""
    if asked.new:
        new = asked.new.read_text(encoding="utf-8").rstrip("\r\n")
    else:
        new = passphrase.typed(new=True)
    if len(new) < SHORTEST:
        told = f"至少 {SHORTEST} 个字符，未改动。 At least {SHORTEST} characters; not changed."
        raise BadInput({"passphrase": told})
    with compose.opened(settings.read()) as parts:
        ring = compose.keyring(parts.settings)
        if not isinstance(ring, FileKeyring):
            raise BadInput({"keyring": "这个钥匙环没有口令。 This keyring has no passphrase."})
        beside = passphrase.lies_beside(parts.settings.archive)
        with parts.database.begin() as session:  # what cannot be put on record is not done
            _line(session, parts, "keys:keyring:passphrase", {})
            ring.change_passphrase(new)
        if beside:  # it opens nothing any more
            parts.settings.archive.passphrase_file.unlink()
    told = "口令已更换；请更新口令文件或凭据，并重启服务。 Changed; put it where the service reads "
    return Result(True, told + "it, and restart.", {"changed": True})


def _line(session: Session, parts: Parts, action: str, detail: dict[str, Any]) -> None:
    log.note(session, action, actor=OPERATOR, origin="cli", obj="keyring", outcome="ok",
             now=parts.clock(), detail=detail)  # fmt: skip


COMMANDS = (
    Command("keys list", "列出各月密钥 · list the months' keys", keys_list),
    Command(
        "keys new",
        "生成一个月的密钥对 · make a month's pair of keys",
        keys_new,
        (arg("--month", metavar="2026-12", help="月份，默认本月 · by default this month"),),
    ),
    Command(
        "keys check",
        "核对公钥、私钥与登记 · compare both halves with the register",
        keys_check,
    ),
    Command(
        "keys rotate",
        "当月换一对新密钥 · one more pair for this month, used from now on",
        keys_rotate,
    ),
    Command(
        "keys enclose",
        "把旧版明文私钥收进钥匙环 · move plain private keys into the keyring",
        keys_enclose,
    ),
    Command(
        "keys passphrase",
        "更换钥匙环口令 · give the keyring another passphrase",
        keys_passphrase,
        (
            arg("--new", type=Path, metavar="FILE",
                help="新口令所在文件，默认在终端输入 · a file that holds it; else typed"),
        ),
    ),
)  # fmt: skip
