"""Recordings kept: backing them up, and trying whether a backup can be restored.

Nothing here opens a recording for anybody, and no private key is copied or printed.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from gateway import compose, settings, shelves
from gateway.cli.command import Command, Result, arg
from gateway.cli.progress import Bar
from gateway.flow import archiving, scrubbing, witnessing
from gateway.parts import Parts
from recordings.drill import Drilled
from recordings.errors import CheckpointRolledBack, LogKeyMissing
from recordings.manifest import Failures

_SHOWN = 20
_UNIT = "录音 recordings"


def backup(asked: argparse.Namespace) -> Result:
    """Copy what the backup does not have yet, sealed as it is."""
    with compose.opened(settings.read()) as parts:
        compose.check(parts)
        target = shelves.for_backup(asked.place, parts.settings.storage)
        with progress() as bar:
            done = archiving.back_up(parts, target, asked.place, _checkpoint(parts), bar)
    made = done.manifest
    head = (
        f"备份 {made.run}：{made.recordings} 份录音，新复制 {done.copied} 份"
        f"（{done.copied_bytes >> 20} MiB） · {made.recordings} recordings, {done.copied} new"
    )
    text = [head, *failures(done.failed, "未备份", "NOT BACKED UP")]
    data = {"run": made.run, "recordings": made.recordings, "copied": done.copied,
            "copied_bytes": done.copied_bytes, "sealed_bytes": made.sealed_bytes,
            "catalogue_sha256": made.catalogue_sha256} | plain(done.failed)  # fmt: skip
    return Result(not done.failed.count, "\n".join(text), data)


def drill(asked: argparse.Namespace) -> Result:
    """Try whether the newest backup can be restored and opened; nothing is written."""
    with compose.opened(settings.read()) as parts:
        target = shelves.for_backup(asked.place, parts.settings.storage)
        with progress() as bar:
            found = archiving.try_backup(
                parts, target, asked.place, bar, every=asked.all, reachable=_there(parts.settings)
            )
    drilled, made = found.drilled, found.drilled.manifest
    text = [_verdict(drilled), *failures(drilled.failed, "不可还原", "CANNOT BE RESTORED")]
    if made.failed:
        text.append(
            f"备份时有 {made.failed} 份未能备份 · {made.failed} could not be backed up in that run"
        )
    text.append(_since(found.later))
    data = {"run": made.run, "recordings": made.recordings, "opened": drilled.opened,
            "chunks": drilled.chunks, "not_backed_up": made.failed, "later": found.later,
            "checkpoint": made.checkpoint or None} | plain(drilled.failed)  # fmt: skip
    return Result(drilled.opened and not drilled.failed.count, "\n".join(text), data)


def _checkpoint(parts: Parts) -> str:
    """The signed note of the log; a log in doubt keeps no evidence from being backed up."""
    try:
        return witnessing.sign(parts)
    except (CheckpointRolledBack, LogKeyMissing):  # told by its own alarm
        return ""


def _verdict(drilled: Drilled) -> str:
    made = drilled.manifest
    whole = made.recordings - drilled.failed.count
    if not drilled.opened:
        return (
            f"备份 {made.run}：{whole}/{made.recordings} 份完整；本机没有私钥，未试解 · {whole} of "
            f"{made.recordings} are whole; NOT OPENED: no private key is on this machine"
        )
    return (
        f"备份 {made.run}：{whole}/{made.recordings} 份可还原并打开，验过 {drilled.chunks} 块 · "
        f"{whole} of {made.recordings} can be restored and opened; {drilled.chunks} chunks tried"
    )


FOUND = {
    "ok": "完好 whole",
    "missing": "不在 MISSING",
    "altered": "与入库时不一致 ALTERED",
    "unreadable": "读不出 UNREADABLE",
    scrubbing.WAITING: "待复制 waiting to be copied",
}


def verify(asked: argparse.Namespace) -> Result:
    """Compare one recording with the catalogue, in every place that keeps it."""
    with compose.opened(settings.read()) as parts:
        compose.check(parts)
        found = scrubbing.verify(parts, asked.id, archiving.OPERATOR)
    whole = set(found.values()) <= {"ok", scrubbing.WAITING}
    lines = [f"{place:6} {FOUND[how]}" for place, how in found.items()]
    text = "\n".join(lines if whole else [*lines, scrubbing.WHAT_TO_DO])
    return Result(whole, text, {"id": asked.id, "places": found})


def scrub(asked: argparse.Namespace) -> Result:
    """Compare a day's share of everything, or all of it, the longest unchecked first."""
    with compose.opened(settings.read()) as parts:
        compose.check(parts)
        with progress() as bar:
            share = 1.0 if asked.all else 1 / scrubbing.DAYS
            found = scrubbing.now(parts, share, archiving.OPERATOR, bar)
    well = not found.wrong and not found.away
    head = (
        f"已核对 {found.checked} 份，不完好 {len(found.wrong)} 份 · "
        f"{found.checked} compared, {len(found.wrong)} not whole"
    )
    text = [head]
    text += [f"  {number}  {place}  {FOUND[how]}" for number, place, how in found.wrong[:_SHOWN]]
    text += [*found.away.values(), *([scrubbing.WHAT_TO_DO] if found.wrong else [])]
    wrong = [{"id": number, "place": place, "found": how} for number, place, how in found.wrong]
    data = {"checked": found.checked, "wrong": wrong, "away": found.away}
    return Result(well, "\n".join(text), data)


def _since(later: int | None) -> str:
    if later is None:
        return (
            "数据库不可用，未与之比较，亦未记日志 · no database: not compared with, not in the log"
        )
    return f"此后另有 {later} 份尚未备份 · {later} sealed since are not in it"


def _there(read: settings.Settings) -> bool:
    """Whether there is a database; opening the file of one that is not would make it."""
    file = make_url(read.database_url).database
    return not read.database_url.startswith("sqlite") or bool(file and Path(file).exists())


def failures(failed: Failures, said: str, told: str) -> list[str]:
    """The recordings that failed, for people."""
    if not failed.count:
        return []
    lines = [f"✗ {failed.count} 份{said} · {failed.count} {told}"]
    lines += [f"  {number}  {why}" for number, why in list(failed.named.items())[:_SHOWN]]
    return [*lines, "  …"] if failed.count > _SHOWN else lines


def plain(failed: Failures) -> dict[str, Any]:
    """The same for programs."""
    named = [{"id": number, "why": why} for number, why in failed.named.items()]
    return {"failed": failed.count, "failures": named}


@contextmanager
def progress() -> Iterator[Bar]:
    """The bar of a command that goes through recordings."""
    made = Bar(_UNIT)
    try:
        yield made
    finally:
        made.clear()


COMMANDS = (
    Command(
        "recording backup",
        "备份封存的录音（增量，不含私钥） · back up the sealed recordings, what is new of them",
        backup,
        (
            arg("place", metavar="DIR|s3://…",
                help="已有的目录或存储桶 · a directory that is there, or a bucket"),
        ),
    ),
    Command(
        "recording drill",
        "演练还原：逐份核对并试解，不写明文 · try a backup: whole, and each opens; writes nothing",
        drill,
        (
            arg("place", metavar="DIR|s3://…", help="备份所在目录 · where the backup is"),
            arg("--all", action="store_true",
                help="解开每一块 · open every chunk, not a few of each recording"),
        ),
    ),
    Command(
        "recording verify",
        "核对一份录音在各处是否完好 · compare one recording in every place that keeps it",
        verify,
        (arg("id", type=int, help="录音编号 · the recording's number"),),
    ),
    Command(
        "recording scrub",
        "核对一天的份额（最久未核对的先） · compare a day's share, the longest unchecked first",
        scrub,
        (arg("--all", action="store_true", help="全部核对 · compare everything"),),
    ),
)  # fmt: skip
