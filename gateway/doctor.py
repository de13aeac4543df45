"""Look at every part there has to be, one by one: it works, or what to do about it.

Each check is by itself: one that fails stops no other. A check tries the real thing (logs in to the
PBX, writes and removes a file) and changes nothing that stays.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from sqlalchemy import make_url, text
from sqlalchemy.exc import SQLAlchemyError

from gateway import compose, migrations, passphrase, shelves
from gateway.errors import BadSetting
from gateway.exchange import Exchange
from gateway.flow import broker_look, custody, scrubbing, soundness, unrecorded
from gateway.flow.unrecorded import Missing
from gateway.people import accounts, machines
from gateway.settings import Settings
from gateway.storage import Where
from queueing.errors import QueueingError
from recordings import catalogue, keys, logkeys, scrub
from recordings.errors import RecordingsError
from recordings.tables_store import STORE
from telephony import cel_source, session
from telephony.errors import TelephonyError

SQLITE_SOUND = (3, 51, 3)  # before it, resetting the WAL could lose a committed transaction


@dataclass(frozen=True, slots=True)
class Finding:
    """One part: whether it works, and what it says."""

    part: str
    works: bool
    says: str

    def plain(self) -> dict[str, object]:
        """As JSON shows it."""
        return asdict(self)


def examine(settings: Settings, exported: Path | None = None) -> list[Finding]:
    """Every part, in the order in which one would set them up; `exported` is what
    `rabbitmqctl export_definitions` wrote."""
    return [
        _tried("database 数据库", lambda: _database(settings)),
        _tried("keys 密钥", lambda: _keys(settings)),
        _tried("log 日志密钥", lambda: _log(settings)),
        _tried("store 存储", lambda: _store(settings, settings.storage.store)),
        *_copy(settings),
        *(finding for one in settings.pbxs for finding in _exchange(settings, one)),
        _tried("agents 坐席分机", lambda: _agents(settings)),
        _tried("recordings 录音", lambda: _recordings(settings)),
        _tried("kept 存证核验", lambda: _kept(settings)),
        _tried("checkpoints 检查点", lambda: _checkpoints(settings)),
        _tried("broker 消息服务", lambda: _broker(settings, exported)),
        _tried("machines 部门密钥", lambda: _machines(settings)),
        _tried("files 附件", lambda: _files(settings)),
    ]


def _tried(part: str, check: Callable[[], tuple[bool, str]]) -> Finding:
    try:
        works, says = check()
    except (BadSetting, TelephonyError, QueueingError, RecordingsError) as error:
        works, says = False, str(error)
    except SQLAlchemyError as error:
        works, says = False, f"连不上：{type(error).__name__}。 Cannot be reached: check the URL."
    except OSError as error:
        place = Path(error.filename).parent if error.filename else ""
        works, says = (
            False,
            (
                f"无法使用 {place}（{error.strerror}）：请建立目录或更改属主。 "
                f"Cannot use {place}: make it, or chown it."
            ),
        )
    return Finding(part, works, says)


def _database(settings: Settings) -> tuple[bool, str]:
    file = make_url(settings.database_url).database
    if settings.database_url.startswith("sqlite") and file and not Path(file).exists():
        return False, "还没有数据库：hotline init 目录。 No database yet: hotline init DIRECTORY."
    with compose.opened(settings) as parts:
        with parts.database.reading() as session:
            session.execute(text("SELECT 1"))
        found, newest = migrations.version(parts.database)
        old = parts.database.sqlite and sqlite3.sqlite_version_info < SQLITE_SOUND
    if found != newest:
        return False, f"版本 {found}，应为 {newest}：hotline db upgrade。 Run hotline db upgrade."
    warning = (
        f"；SQLite {sqlite3.sqlite_version} 早于 3.51.3，断电时 WAL 有已知缺陷，请升级"
        "（known WAL-reset defect: upgrade SQLite, or use PostgreSQL）"
        if old
        else ""
    )
    return True, f"{settings.database_place}{warning}"


def _keys(settings: Settings) -> tuple[bool, str]:
    key_id = keys.key_id_at(compose.clock())
    recipient = keys.Recipients(settings.archive.public_keys).newest(key_id)
    private = recipient.key_id in compose.keyring(settings).key_ids()
    with suppress(SQLAlchemyError):  # then the database itself is told of above
        if _database(settings)[0]:
            with compose.opened(settings) as parts, parts.database.reading() as session:
                looked = parts if private else replace(parts, identities=None)
                if found := custody.troubles(looked, session):
                    return False, " ".join(one.text for one in found[:3])
    if any((settings.keyring / compose.PLAIN_KEYS).glob("*.agekey")):
        return False, "还有明文私钥：hotline keys enclose。 Private keys in plain files: the same."
    beside = (
        "；口令与钥匙环放在一处，请移到 systemd 凭据或秘密文件（见 deploy/RUNBOOK.md）"
        "（the passphrase lies beside the keyring: move it away）"
        if passphrase.lies_beside(settings.archive)
        else ""
    )
    here = "" if private else "（本机无私钥 public only）"
    return True, f"{recipient.key_id} {recipient.text[:16]}…{here}{beside}"


def _log(settings: Settings) -> tuple[bool, str]:
    """Whether the key that signs the log is there, ours, and nobody else's to read."""
    wrong = soundness.of_key(settings)
    return not wrong, wrong or logkeys.known(settings.keyring)[-1].split("+", 1)[0]


def _checkpoints(settings: Settings) -> tuple[bool, str]:
    """Whether the log is signed in time, and its checkpoints arrive outside."""
    wrong: list[str] = []
    with suppress(SQLAlchemyError):  # then the database itself is told of above
        if _database(settings)[0]:
            with compose.opened(settings) as parts, parts.database.reading() as session:
                wrong = soundness.of_checkpoints(settings, session, parts.clock())
    if wrong:
        return False, " ".join(wrong)
    if not settings.checkpoints:
        return True, (
            "只留在本机，建议设 HOTLINE_CHECKPOINTS kept on this machine alone: set "
            "HOTLINE_CHECKPOINTS, or whoever has the machine can rewrite both"
        )
    return True, ", ".join(place.name for place in settings.checkpoints)


def _writable(directory: Path) -> tuple[bool, str]:
    trial = directory / f".doctor-{os.getpid()}"
    trial.write_bytes(b"")
    trial.unlink()
    return True, str(directory)


def _store(settings: Settings, place: Where) -> tuple[bool, str]:
    if isinstance(place, Path):
        return _writable(place)
    store, trial = shelves.of(place, settings.storage), f"doctor-{os.urandom(4).hex()}"
    store.put(trial, b"")
    store.remove(trial)
    return True, place


def _copy(settings: Settings) -> list[Finding]:
    place = settings.storage.copy
    return [] if place is None else [_tried("copy 第二份", lambda: _store(settings, place))]


def _spool(spool: Path) -> tuple[bool, str]:
    ready = spool / "ready"
    if not ready.exists():
        _writable(spool)
        return True, f"{spool}（尚无录音 no recording handed over yet）"
    return _writable(ready)


def _exchange(settings: Settings, one: Exchange) -> list[Finding]:
    """One PBX's parts; with its name where there are several."""
    name = f" {one.name}" if len(settings.pbxs) > 1 else ""
    return [
        _tried(f"spool{name} 录音暂存", lambda: _spool(one.spool)),
        _tried(f"pbx{name} 交换机", lambda: _pbx(one)),
        _tried(f"cel{name} 话单", lambda: _cel(one)),
    ]


def _pbx(one: Exchange) -> tuple[bool, str]:
    if one.address is None:
        return False, "未设置 HOTLINE_PBX_URL。 Set HOTLINE_PBX_URL=ami://user:secret@host:5038."
    place = f"{one.address.host}:{one.address.port}"
    try:
        found = asyncio.run(session.check(one.address))
    except OSError as error:
        return False, (
            f"连不上 {place}（{error.strerror or error}）：请检查地址和 manager.conf。 "
            f"Cannot connect to {place}: check the address and manager.conf."
        )
    if found.stamped is False:
        return False, (
            f"{place} 的 manager.conf 未设 timestampevents = yes：新来电会被事件过滤挡住。"
            "请设在 [general] 后 manager reload。 Its events bear no time, and the shipped "
            "filter lets no new channel through: set timestampevents = yes there, `manager reload`."
        )
    return True, f"{place} {found.version}"


def _cel(one: Exchange) -> tuple[bool, str]:
    if not cel_source.begun(one.cel):
        return False, (
            f"没有话单文件 {one.cel}：请检查 HOTLINE_CEL 和 cel_custom.conf。 "
            "No CEL file: check HOTLINE_CEL and the PBX's cel_custom.conf."
        )
    reading = cel_source.read_on(
        one.cel, None, one.inbound, settled_at=0, utc_offset_min=one.cel_utc_offset_min
    )
    torn = f"，{reading.unreadable} 条不可读 unreadable" if reading.unreadable else ""
    return True, f"{cel_source.place(one.cel)}（{len(reading.calls)} 通 calls{torn}）"


def _agents(settings: Settings) -> tuple[bool, str]:
    """Whether every agent's phone is of a PBX we have: a call pops up for nobody else."""
    names = [one.name for one in settings.pbxs]
    strangers: list[str] = []
    with suppress(SQLAlchemyError):  # then the database itself is told of above
        if _database(settings)[0]:
            with compose.opened(settings) as parts, parts.database.reading() as session:
                strangers = accounts.elsewhere(session, names)
    if strangers:
        return False, (
            f"{', '.join(strangers[:5])} 的分机不属于 {', '.join(names)}：hotline user phone。 "
            f"These agents' phones are of no PBX that is set: hotline user phone."
        )
    return True, ", ".join(names)


def _recordings(settings: Settings) -> tuple[bool, str]:
    """Whether every call that was answered and recorded has its recording."""
    missing: list[Missing] | None = None
    spools = {one.name: one.spool for one in settings.pbxs}
    with suppress(SQLAlchemyError):  # then the database itself is told of above
        if _database(settings)[0]:
            with compose.opened(settings) as parts, parts.database.reading() as session:
                missing = unrecorded.listed(session, spools, parts.clock())
    if missing is None:
        return True, "数据库可用后再看 looked at once the database works"
    if not missing:
        return True, "已接来电均有录音 every answered call has its recording"
    named = "，".join(f"{one.pbx}/{one.linkedid}" for one in missing[:5])
    more = "…" if len(missing) > 5 else ""
    return False, f"{len(missing)} 通已接来电没有录音（{named}{more}）：{unrecorded.WHAT_TO_DO}"


def _kept(settings: Settings) -> tuple[bool, str]:
    """Whether what is stored was compared lately, and found as it was sealed."""
    found: scrubbing.Standing | None = None
    with suppress(SQLAlchemyError):  # then the database itself is told of above
        if _database(settings)[0]:
            with compose.opened(settings) as parts, parts.database.reading() as session:
                found = scrubbing.standing(session, parts, parts.clock())
                if catalogue.counts_by_key(session):  # what there is must lie somewhere
                    scrub.there(parts.places[STORE], STORE)
    if found is None:
        return True, "数据库可用后再看 looked at once the database works"
    if fallen := soundness.of_store(settings.state, compose.clock()):
        return False, fallen
    if found.well:
        return True, "存储中的录音与目录一致 what is stored is what was sealed"
    if found.wrong:
        named = "，".join(
            f"{one.recording_id} {one.place} {one.outcome}" for one in found.latest[:5]
        )
        more = "…" if found.wrong > 5 else ""
        return False, f"{found.wrong} 份录音不完好（{named}{more}）：{scrubbing.WHAT_TO_DO}"
    if found.stalled:
        return False, f"{'、'.join(found.stalled)}：{scrubbing.STALLED}"
    return False, f"{found.waiting}：{scrubbing.BEHIND}"


def _machines(settings: Settings) -> tuple[bool, str]:
    """Whether every department that fetches its messages has a key to do it with."""
    wanting: Sequence[str] = ()
    with suppress(SQLAlchemyError):  # then the database itself is told of above
        if _database(settings)[0]:
            with compose.opened(settings) as parts, parts.database.reading() as session:
                wanting = machines.wanting(session, parts.clock())
    if wanting:
        return False, (
            f"{', '.join(wanting)} 没有密钥，或两周内到期：hotline department key {wanting[0]}。 "
            "These departments fetch their messages and have no key that holds for two weeks."
        )
    return True, "领取派单的部门均有密钥 every department that fetches has a key"


def _files(settings: Settings) -> tuple[bool, str]:
    """Whether departments can fetch what belongs to their work orders."""
    if settings.public_url:
        return True, f"附件由此取用 files are fetched at {settings.public_url}"
    return True, (
        "未设 HOTLINE_PUBLIC_URL，附件不随派单送出。 HOTLINE_PUBLIC_URL is not set: no files are "
        "offered with work orders."
    )


def _broker(settings: Settings, exported: Path | None) -> tuple[bool, str]:
    if not settings.broker_url:
        return True, "内置传输，无需消息服务 embedded: no broker needed"
    with compose.opened(settings) as parts, parts.database.reading() as session:
        wrong = broker_look.troubles(settings, session, exported)
        sharing = broker_look.sharing(session)
    if wrong:
        return False, " ".join(wrong)
    told = settings.broker_place
    if exported is None:
        told += "（绑定与权限请用 --definitions 核对 bindings and rights: with --definitions）"
    if sharing:
        told += (
            f"；{', '.join(sharing)} 尚无自己的账号：hotline department credentials "
            "(no account of their own yet)"
        )
    return True, told
