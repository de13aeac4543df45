"""The environment, read once into one frozen object.

Each setting is a variable `HOTLINE_NAME`, or `HOTLINE_NAME_FILE` naming a file that holds it (a
mounted secret). What is not set lies under the directory `HOTLINE_STATE`. Secrets never print:
`repr` shows where a URL points and hides who logs in there. This module reads the environment and
nothing else; it opens no connection and makes no directory.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from gateway.errors import BadSetting
from queueing.topology import Kind
from telephony.address import Address
from telephony.errors import AddressError

KNOWN = (
    "STATE",
    "DATABASE_URL",
    "PBX_URL",
    "PBX_CONTROL_URL",
    "PBX_NAME",
    "INBOUND",
    "SPOOL",
    "CEL",
    "CEL_UTC_OFFSET",
    "BROKER_URL",
    "BROKER_QUEUES",
    "STORE_URL",
    "KEYRING",
    "LISTEN",
    "REGION",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the environment decides. Paths are absolute."""

    state: Path
    database_url: str = field(repr=False)
    pbx: Address | None
    pbx_control: Address | None
    pbx_name: str
    inbound: frozenset[str]
    spool: Path
    cel: Path
    cel_utc_offset_min: int
    broker_url: str = field(repr=False)
    queues: Kind
    store: Path
    keyring: Path
    host: str
    port: int
    region: str

    @property
    def database_place(self) -> str:
        """The database URL without its password, for people."""
        return without_secret(self.database_url)

    @property
    def broker_place(self) -> str:
        """The broker URL without its password, or `embedded`."""
        return without_secret(self.broker_url) if self.broker_url else "embedded"


def without_secret(url: str) -> str:
    """`url` with user and password left out."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


def read(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from `environ` (the process's own by default).

    Raises:
        BadSetting: an unknown `HOTLINE_*` name (a typing mistake would otherwise pass unseen), a
            file that cannot be read, or a value that cannot be used.
    """
    given = _given(os.environ if environ is None else environ)
    state = Path(given.get("STATE") or "state").absolute()
    host, port = _listen(given.get("LISTEN") or "127.0.0.1:12333")
    return Settings(
        state=state,
        database_url=_database(given.get("DATABASE_URL") or f"sqlite:///{state / 'hotline.db'}"),
        pbx=_pbx(given.get("PBX_URL", ""), "PBX_URL"),
        pbx_control=_pbx(given.get("PBX_CONTROL_URL", ""), "PBX_CONTROL_URL"),
        pbx_name=given.get("PBX_NAME") or "pbx1",
        inbound=frozenset((given.get("INBOUND") or "from-pstn").replace(",", " ").split()),
        spool=Path(given.get("SPOOL") or state / "spool").absolute(),
        cel=Path(given.get("CEL") or state / "cel" / "Master.csv").absolute(),
        cel_utc_offset_min=_minutes(given.get("CEL_UTC_OFFSET") or "0"),
        broker_url=_broker(given.get("BROKER_URL", "")),
        queues=_queues(given.get("BROKER_QUEUES") or "quorum"),
        store=_store(given.get("STORE_URL") or str(state / "store")),
        keyring=Path(given.get("KEYRING") or state / "keys").absolute(),
        host=host,
        port=port,
        region=given.get("REGION") or "本市",
    )


def _given(environ: Mapping[str, str]) -> dict[str, str]:
    """The `HOTLINE_*` values by short name, files read."""
    given: dict[str, str] = {}
    for variable, value in environ.items():
        name = variable.removeprefix("HOTLINE_")
        if name == variable or name.startswith(("TEST_", "RIG_")):
            continue
        plain = name.removesuffix("_FILE")
        if name not in KNOWN and plain not in KNOWN:
            raise BadSetting(
                f"不认识的设置 {variable}，请检查拼写。 Unknown setting {variable}; check its "
                f"spelling. Known: {', '.join('HOTLINE_' + known for known in KNOWN)}."
            )
        if plain in given:
            raise BadSetting(
                f"HOTLINE_{plain} 与 HOTLINE_{plain}_FILE 只能设一个。 "
                f"Set HOTLINE_{plain} or HOTLINE_{plain}_FILE, not both."
            )
        given[plain] = value if name in KNOWN else _file(variable, value)
    return given


def _file(variable: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(
            f"{variable} 指向的文件无法读取（{type(error).__name__}），请检查路径和权限。 "
            f"The file that {variable} names cannot be read; check its path and rights."
        ) from error


def _listen(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise BadSetting(
            "HOTLINE_LISTEN 应为 地址:端口，如 127.0.0.1:12333。 "
            "HOTLINE_LISTEN must be ADDRESS:PORT, such as 127.0.0.1:12333."
        )
    return host.strip("[]"), int(port)


def _minutes(text: str) -> int:
    try:
        minutes = int(text)
    except ValueError:
        minutes = 10_000
    if abs(minutes) > 14 * 60:
        raise BadSetting(
            "HOTLINE_CEL_UTC_OFFSET 应为分钟数，如北京时间 480。 HOTLINE_CEL_UTC_OFFSET must be "
            "the PBX clock's distance from UTC in minutes, such as 480."
        )
    return minutes


def _database(url: str) -> str:
    if url.startswith(("postgresql://", "postgres://")):
        return "postgresql+psycopg://" + url.split("://", 1)[1]
    if not url.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise BadSetting(
            "HOTLINE_DATABASE_URL 应为 sqlite:///文件 或 postgresql://…。 "
            "HOTLINE_DATABASE_URL must be sqlite:///FILE or postgresql://…."
        )
    return url


def _broker(url: str) -> str:
    if url and not url.startswith(("amqp://", "amqps://")):
        raise BadSetting(
            "HOTLINE_BROKER_URL 应为 amqp:// 或 amqps:// 开头；不设则用内置传输。 "
            "HOTLINE_BROKER_URL must start with amqp:// or amqps://; leave it unset for none."
        )
    return url


def _queues(kind: str) -> Kind:
    if kind not in ("quorum", "classic"):
        raise BadSetting(
            "HOTLINE_BROKER_QUEUES 应为 quorum（集群）或 classic（单节点）。 "
            "HOTLINE_BROKER_QUEUES must be quorum (a cluster) or classic (a single node)."
        )
    return "quorum" if kind == "quorum" else "classic"


def _store(place: str) -> Path:
    path = place.removeprefix("file://")
    if "://" in path:
        raise BadSetting(
            "HOTLINE_STORE_URL 目前只支持目录（路径或 file://）。 "
            "HOTLINE_STORE_URL can only be a directory (a path, or file://…) for now."
        )
    return Path(path).absolute()


def _pbx(url: str, name: str) -> Address | None:
    try:
        return Address.parse(url) if url else None
    except AddressError as error:
        raise BadSetting(f"HOTLINE_{name}：{error}") from error
