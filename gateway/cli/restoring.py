"""Recordings put back into the store: out of a backup, or out of the second copy.

Nothing that lies in the store is replaced, and nothing is opened for anybody.
"""

import argparse

from gateway import compose, settings, shelves
from gateway.cli.archive import failures, plain, progress
from gateway.cli.command import Command, Result, arg
from gateway.errors import BadInput
from gateway.flow import archiving
from recordings.tables_store import COPY

_OLDER = (
    "数据库比备份旧，其后的录音未放回：请先恢复较新的数据库再运行一次 · the database is older than "
    "the backup; later recordings were not put back: restore a newer database, then run this again"
)


def restore(asked: argparse.Namespace) -> Result:
    """Put back what the store lacks, out of a backup or the second copy; nothing is replaced."""
    with compose.opened(settings.read()) as parts:
        compose.check(parts)
        if asked.place is None and COPY not in parts.places:
            told = "请写明备份所在，或先设 HOTLINE_STORE_COPY_URL。 Say where the backup is."
            raise BadInput({"place": told})
        place = asked.place or COPY
        target = shelves.for_backup(place, parts.settings.storage) if asked.place else None
        with progress() as bar:
            found = archiving.put_back(parts, target, place, bar)
    done = found.restored
    head = (
        f"已放回 {done.put_back} 份（{done.put_back_bytes >> 20} MiB），原本完好 {done.whole} 份 · "
        f"{done.put_back} put back, {done.whole} were whole"
    )
    text = [head, *failures(done.failed, "不完好", "NOT WHOLE")]
    if done.destroyed:
        text.append(f"到期已销毁 {done.destroyed} 份，不放回 · {done.destroyed} destroyed: left so")
    if found.behind:
        text.append(_OLDER)
    data = {"put_back": done.put_back, "put_back_bytes": done.put_back_bytes, "whole": done.whole,
            "destroyed": done.destroyed, "database_behind": found.behind}  # fmt: skip
    well = not done.failed.count and not found.behind
    return Result(well, "\n".join(text), data | plain(done.failed))


COMMANDS = (
    Command(
        "recording restore",
        "放回存储中缺少的录音，只补不覆盖 · put back what the store lacks; nothing is replaced",
        restore,
        (
            arg("place", metavar="DIR|s3://…", nargs="?",
                help="备份所在，不写则用第二份 · where the backup is; else the second copy"),
        ),
    ),
)  # fmt: skip
