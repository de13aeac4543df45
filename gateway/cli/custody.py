"""The keys' commands: which months have a pair, and making one.

No private key is ever printed.
"""

import argparse

from gateway import compose, settings
from gateway.cli.command import Command, Result, arg
from gateway.flow import log
from recordings import keys
from recordings.keyring import Identities, new_pair


def keys_list(asked: argparse.Namespace) -> Result:
    """List the months' keys."""
    del asked
    keyring = settings.read().keyring
    public, private = keys.Recipients(keyring), set(Identities(keyring).key_ids())
    rows = [{"key": key_id, "recipient": public.of(key_id).text, "private": key_id in private}
            for key_id in public.key_ids()]  # fmt: skip
    lines = (f"{row['key']}  {'✓' if row['private'] else '–'}  {row['recipient']}" for row in rows)
    text = "\n".join(lines)
    return Result(True, text or "还没有密钥：hotline keys new。 No keys: hotline keys new.", rows)


def keys_new(asked: argparse.Namespace) -> Result:
    """Make a month's pair."""
    with compose.opened(settings.read()) as parts:
        now = parts.clock()
        with parts.database.begin() as session:  # no pair where its line could not be written
            made = new_pair(parts.settings.keyring, asked.month or keys.key_id_at(now), now=now)
            log.note(session, "keys:pair:make", actor="operator", origin="cli",
                     obj=f"key:{made.key_id}", outcome="ok", now=now)  # fmt: skip
    data = {"key": made.key_id, "recipient": made.text}
    return Result(True, f"已生成 · made: {made.key_id} {made.text}", data)


COMMANDS = (
    Command("keys list", "列出各月密钥 · list the months' keys", keys_list),
    Command(
        "keys new",
        "生成一个月的密钥对 · make a month's pair of keys",
        keys_new,
        (arg("--month", metavar="2026-12", help="月份，默认本月 · by default this month"),),
    ),
)
