"""The environment, read once into one frozen object.

Each setting is a variable `HOTLINE_NAME`, or `HOTLINE_NAME_FILE` naming a file that holds it (a
mounted secret). What is not set lies under the directory `HOTLINE_STATE`. Secrets never print:
`repr` shows where a URL points and hides who logs in there. This module reads the environment and
nothing else; it opens no connection and makes no directory.
"""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from gateway import archive, exchange, storage
from gateway.archive import Archive
from gateway.errors import BadSetting
from gateway.exchange import Exchange
from gateway.storage import Storage
from queueing.topology import Kind
from recordings import deliveries
from recordings.deliveries import Place

KNOWN = (
    "STATE",
    "DATABASE_URL",
    *exchange.KNOWN,
    "BROKER_URL",
    "BROKER_QUEUES",
    *storage.KNOWN,
    *archive.KNOWN,
    "CHECKPOINTS",
    "LISTEN",
    "PUBLIC_URL",
    "REGION",
    "METRICS_TOKEN",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the environment decides. Paths are absolute."""

    state: Path
    database_url: str = field(repr=False)
    pbxs: tuple[Exchange, ...]
    """At least one, in the order they were named."""
    broker_url: str = field(repr=False)
    queues: Kind
    storage: Storage
    checkpoints: tuple[Place, ...]
    """Where the log's checkpoints are brought, besides the database."""
    host: str
    port: int
    public_url: str
    """Where departments' systems reach us, with no slash at its end; empty: they do not."""
    region: str
    archive: Archive
    metrics_token: str = field(repr=False)
    """Who shows it reads `/metrics`; empty: whoever asks from this machine."""
    broker_file: Path | None = None
    """Where `broker_url` was read from, if from a file."""

    @property
    def keyring(self) -> Path:
        """The directory of the keys."""
        return self.archive.keyring

    @property
    def database_place(self) -> str:
        """The database URL without its password, for people."""
        return without_secret(self.database_url)

    @property
    def broker_place(self) -> str:
        """The broker's URLs without their passwords, or `embedded`."""
        return " ".join(map(without_secret, self.broker_url.split())) or "embedded"

    @property
    def broker_node(self) -> str:
        """The first node of the broker: its account, virtual host and scheme are those of all."""
        return (self.broker_url.split() or [""])[0]

    def broker_now(self) -> str:
        """The broker's URLs as their file has them by now, so that a changed password is taken up
        without a restart; what was read at the start where that cannot be used."""
        if self.broker_file is None:
            return self.broker_url
        try:
            return _broker(_file("HOTLINE_BROKER_URL_FILE", str(self.broker_file)))
        except BadSetting:
            return self.broker_url


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
    environ = os.environ if environ is None else environ
    several = exchange.names(_several(environ), KNOWN)
    given = _given(environ, (*KNOWN, *exchange.variables(several)))
    state = Path(given.get("STATE") or "state").absolute()
    host, port = _listen(given.get("LISTEN") or "127.0.0.1:12333")
    return Settings(
        state=state,
        database_url=_database(given.get("DATABASE_URL") or f"sqlite:///{state / 'hotline.db'}"),
        pbxs=exchange.read(given, several, state),
        broker_url=_broker(given.get("BROKER_URL", "")),
        queues=_queues(given.get("BROKER_QUEUES") or "quorum"),
        storage=storage.read(given, state),
        checkpoints=_checkpoints(given.get("CHECKPOINTS", "")),
        host=host,
        port=port,
        public_url=_public(given.get("PUBLIC_URL", "")),
        region=given.get("REGION") or "本市",
        archive=archive.read(given, state),
        metrics_token=given.get("METRICS_TOKEN", ""),
        broker_file=Path(file) if (file := environ.get("HOTLINE_BROKER_URL_FILE")) else None,
    )


def _several(environ: Mapping[str, str]) -> str:
    """The names of the PBXs: they say which other settings there are."""
    file = environ.get("HOTLINE_PBXS_FILE")
    return _file("HOTLINE_PBXS_FILE", file) if file else environ.get("HOTLINE_PBXS", "")


def _given(environ: Mapping[str, str], known: Collection[str]) -> dict[str, str]:
    """The `HOTLINE_*` values by short name, files read."""
    given: dict[str, str] = {}
    for variable, value in environ.items():
        name = variable.removeprefix("HOTLINE_")
        if name == variable or name.startswith(("TEST_", "RIG_")):
            continue
        plain = name.removesuffix("_FILE")
        if name not in known and plain not in known:
            raise BadSetting(
                f"不认识的设置 {variable}，请检查拼写；多台交换机的名称须列入 HOTLINE_PBXS。 "
                f"Unknown setting {variable}; check its spelling; where it is of one PBX of "
                f"several, that PBX's name belongs in HOTLINE_PBXS. "
                f"Known: {', '.join('HOTLINE_' + one for one in known)}."
            )
        if plain in given:
            raise BadSetting(
                f"HOTLINE_{plain} 与 HOTLINE_{plain}_FILE 只能设一个。 "
                f"Set HOTLINE_{plain} or HOTLINE_{plain}_FILE, not both."
            )
        given[plain] = value if name in known else _file(variable, value)
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


def _public(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    alone = parts.hostname in ("127.0.0.1", "localhost", "::1")
    sound = parts.scheme == "https" or (parts.scheme == "http" and alone)
    if url and (
        not sound or not parts.hostname or "@" in parts.netloc or parts.query or len(url) > 200
    ):
        raise BadSetting(
            "HOTLINE_PUBLIC_URL 应为部门访问热线的 https://主机，不含账号。 "
            "HOTLINE_PUBLIC_URL must be https://HOST, where departments reach the hotline, with no "
            "login in it."
        )
    return url.rstrip("/")


def _database(url: str) -> str:
    if url.startswith(("postgresql://", "postgres://")):
        return "postgresql+psycopg://" + url.split("://", 1)[1]
    if not url.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise BadSetting(
            "HOTLINE_DATABASE_URL 应为 sqlite:///文件 或 postgresql://…。 "
            "HOTLINE_DATABASE_URL must be sqlite:///FILE or postgresql://…."
        )
    return url


def _broker(urls: str) -> str:
    if any(not url.startswith(("amqp://", "amqps://")) for url in urls.split()):
        raise BadSetting(
            "HOTLINE_BROKER_URL 应为 amqp:// 或 amqps:// 开头，集群各节点以空格分隔；"
            "不设则用内置传输。 "
            "HOTLINE_BROKER_URL must start with amqp:// or amqps://, the nodes of a cluster with "
            "blanks between; leave it unset for none."
        )
    return " ".join(urls.split())


def _queues(kind: str) -> Kind:
    if kind not in ("quorum", "classic"):
        raise BadSetting(
            "HOTLINE_BROKER_QUEUES 应为 quorum（集群）或 classic（单节点）。 "
            "HOTLINE_BROKER_QUEUES must be quorum (a cluster) or classic (a single node)."
        )
    return "quorum" if kind == "quorum" else "classic"


def _checkpoints(text: str) -> tuple[Place, ...]:
    try:
        return deliveries.places(text)
    except ValueError as error:
        raise BadSetting(
            "HOTLINE_CHECKPOINTS 应为空格分隔的目录绝对路径、https://见证方#验证密钥 或 "
            "mail:/邮箱目录?to=地址。 HOTLINE_CHECKPOINTS must be absolute directories, "
            "https://WITNESS#KEY or mail:/MAILDIR?to=ADDRESS, separated by blanks."
        ) from error
