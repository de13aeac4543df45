"""The keys' commands: what there is, making pairs, and the keyring with its passphrase.

No private key and no passphrase is ever printed.
"""

import argparse
from contextlib import suppress
from pathlib import Path
from typing import Any

from gateway import compose, passphrase, settings
from gateway.cli.command import Command, Result, arg
from gateway.errors import BadInput
from recordings import keys, pairs
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
        now = parts.clock()
        key_id = asked.month or keys.key_id_at(now)
        public = parts.settings.archive.public_keys
        (made,) = pairs.make(compose.keyring(parts.settings), public, [key_id], now=now)
    data = {"key": made.key_id, "recipient": made.text}
    return Result(True, f"已生成 · made: {made.key_id} {made.text}", data)


def keys_enclose(asked: argparse.Namespace) -> Result:
    """Move plain key files of an older version into the keyring."""
    del asked
    with compose.opened(settings.read()) as parts:
        plain = parts.settings.keyring / compose.PLAIN_KEYS
        if plain.exists():
            passphrase.provide(parts.settings.archive)
        moved = pairs.enclose(plain, compose.keyring(parts.settings), now=parts.clock())
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
        ring.change_passphrase(new)
        if beside:  # it opens nothing any more
            parts.settings.archive.passphrase_file.unlink()
    told = "口令已更换；请更新口令文件或凭据，并重启服务。 Changed; put it where the service reads "
    return Result(True, told + "it, and restart.", {"changed": True})


COMMANDS = (
    Command("keys list", "列出各月密钥 · list the months' keys", keys_list),
    Command(
        "keys new",
        "生成一个月的密钥对 · make a month's pair of keys",
        keys_new,
        (arg("--month", metavar="2026-12", help="月份，默认本月 · by default this month"),),
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
