"""Whether what proves things is itself in order: the log's key, its checkpoints, their places, and
the store that is read.

Looked at by the state page and `hotline doctor`; nothing is mended here, and nothing alarms: who
must act at once is told by whoever finds it (`witnessing`, `custody`, `scrubbing`). A read from the
second copy in place of the store is remembered in a file of this machine, because it happens in the
middle of somebody's listening, where no transaction may be opened; it is told of for a day.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from gateway.flow.witnessing import LATE_US
from gateway.parts import Parts
from gateway.settings import Settings
from gateway.tickets.clocks import china
from recordings import audit, checkpoints, deliveries, disk, logkeys
from recordings.errors import LogKeyMissing
from recordings.tables import AuditLineRow

logger = logging.getLogger(__name__)

_FALLBACK = "store.fallback"
TOLD_US = 24 * 3600 * 1_000_000
_AGAIN_US = 60 * 1_000_000  # one write a minute, however much is played


@dataclass(frozen=True, slots=True)
class Unsound:
    """One thing that is wrong, in both languages, and what to do."""

    text: str


def found(parts: Parts, session: Session, now: int) -> list[Unsound]:
    """Everything that is wrong, at a process that holds keys; elsewhere the store alone."""
    told = [of_store(parts.settings.state, now)]
    if parts.identities is not None:
        told = [of_key(parts.settings), *of_checkpoints(parts.settings, session, now), *told]
    return [Unsound(text) for text in told if text]


def of_key(settings: Settings) -> str:
    """What is wrong with the key that signs the log; empty where nothing is."""
    file = settings.keyring / logkeys.SECRET
    try:
        signer = logkeys.load(settings.keyring)
    except LogKeyMissing as error:
        return str(error)
    if file.stat().st_mode & 0o077:
        return (
            f"日志签名密钥可被他人读取：chmod 600 {file}。 Others may read the log's key: chmod it."
        )
    if signer.verifier_key not in logkeys.known(settings.keyring)[-1:]:
        return (
            f"{file} 不是 log.pubs 中现用的那一把，签出的检查点验不过：请从备份恢复两者，并报审计。"
            " The log's key is not the one in use by log.pubs: restore both, and tell the auditor."
        )
    return ""


def of_checkpoints(settings: Settings, session: Session, now: int) -> list[str]:
    """What is wrong with signing and with the places; nothing where the key itself is."""
    keys = logkeys.known(settings.keyring)
    if not keys:
        return []
    origin, before = keys[-1].split("+", 1)[0], now - LATE_US
    told = []
    last = checkpoints.newest(session, origin)
    signed = last.size if last else 0
    waits = session.get(AuditLineRow, signed) if audit.head(session)[0] > signed else None
    if waits is not None and waits.at < before:
        told.append(
            "日志已一天没有签署检查点：请检查 hotline serve 是否在运行 timers。 The log was not "
            "signed for over a day: see that a gateway runs the timers."
        )
    told += [
        f"检查点一天未能送达 {one.place.name}：请看 hotline audit places。 "
        f"No checkpoint was brought to {one.place.name} for a day: hotline audit places."
        for one in deliveries.due(session, settings.checkpoints, origin)
        if deliveries.late(session, one.place, before)
    ]
    return told


def of_store(state: Path, now: int) -> str:
    """Whether the second copy was read in place of the store within a day."""
    try:
        at, key = (state / _FALLBACK).read_text(encoding="utf-8").split()
        read_at = int(at)
    except (OSError, ValueError):
        return ""
    if not now - TOLD_US < read_at <= now:
        return ""
    return (
        f"{china(read_at):%m-%d %H:%M} 主存储读不到 {key}，播放取自第二份：请检查主存储，再运行 "
        "hotline recording scrub。 The store did not give this object and the second copy was "
        "played: look at the store, then run hotline recording scrub."
    )


def remembering(state: Path, clock: Callable[[], int]) -> Callable[[str], None]:
    """What the store of two places tells when it reads the second in place of the first."""
    last = 0

    def told(key: str) -> None:
        nonlocal last
        now = clock()
        if now - last < _AGAIN_US:
            return
        last = now
        try:
            disk.rewrite(state / _FALLBACK, f"{now} {key}\n".encode(), 0o640)
        except OSError as error:  # who listens goes on listening
            logger.warning("%s: %s", _FALLBACK, type(error).__name__)

    return told
