"""Where sealed recordings are kept, as the environment says it: a directory or a bucket, and a
second copy in another place.

Pure: from what was given to one frozen object. Nothing is opened here; secrets are in no repr, and
of S3's settings none is ever taken from AWS_* variables.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from gateway.errors import BadSetting

KNOWN: Final = (
    "STORE_URL", "STORE_COPY_URL", "S3_ENDPOINT", "S3_REGION", "S3_ACCESS_KEY", "S3_SECRET_KEY",
)  # fmt: skip
_BUCKET: Final = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_][A-Za-z0-9._-]*)*")

Where = Path | str
"""A directory, or the URL of a bucket: s3://bucket or s3://bucket/prefix."""


@dataclass(frozen=True, slots=True)
class S3:
    """How buckets are reached. `endpoint` empty: Amazon's own of that region."""

    endpoint: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Storage:
    """The places. Directories are absolute; `s3` None: no bucket can be used."""

    store: Where
    copy: Where | None
    s3: S3 | None


def read(given: Mapping[str, str], state: Path) -> Storage:
    """The places out of the settings by short name; what is not set lies under `state`.

    Raises:
        BadSetting: no place, a bucket that cannot be reached as it is said, or the copy where the
            store itself is.
    """
    s3 = _s3(given)
    store = where("STORE_URL", given.get("STORE_URL") or str(state / "store"), s3)
    second = given.get("STORE_COPY_URL", "")
    copy = where("STORE_COPY_URL", second, s3) if second else None
    if copy is not None and within(store, copy):
        raise BadSetting(
            "HOTLINE_STORE_COPY_URL 须与 HOTLINE_STORE_URL 在不同地方，宜为另一台机器或另一块盘。 "
            "HOTLINE_STORE_COPY_URL must be another place than HOTLINE_STORE_URL: another disk."
        )
    return Storage(store, copy, s3)


def where(name: str, text: str, s3: S3 | None) -> Where:
    """The place that `text` says, the value of the setting `name`; raises BadSetting."""
    path = text.removeprefix("file://")
    if "://" not in path:
        return Path(path).absolute()
    if not _BUCKET.fullmatch(text):
        raise BadSetting(
            f"HOTLINE_{name} 应为目录（路径或 file://）或 s3://桶/前缀。 "
            f"HOTLINE_{name} must be a directory (a path, or file://…) or s3://BUCKET/PREFIX."
        )
    if s3 is None:
        raise BadSetting(
            f"HOTLINE_{name} 指向存储桶，须设 HOTLINE_S3_ACCESS_KEY 与 HOTLINE_S3_SECRET_KEY。 "
            f"HOTLINE_{name} is a bucket: set HOTLINE_S3_ACCESS_KEY and HOTLINE_S3_SECRET_KEY."
        )
    return text


def within(one: Where, other: Where) -> bool:
    """Whether two places are one, or one lies in the other."""
    if isinstance(one, Path) and isinstance(other, Path):
        one, other = one.resolve(), other.resolve()
        return one.is_relative_to(other) or other.is_relative_to(one)
    if isinstance(one, Path) or isinstance(other, Path):
        return False
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _s3(given: Mapping[str, str]) -> S3 | None:
    access, secret = given.get("S3_ACCESS_KEY", ""), given.get("S3_SECRET_KEY", "")
    if bool(access) != bool(secret):
        raise BadSetting(
            "HOTLINE_S3_ACCESS_KEY 与 HOTLINE_S3_SECRET_KEY 须同时设置。 "
            "Set both HOTLINE_S3_ACCESS_KEY and HOTLINE_S3_SECRET_KEY, or neither."
        )
    endpoint = given.get("S3_ENDPOINT", "")
    parts = urlsplit(endpoint)
    if endpoint and (
        parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc
    ):
        raise BadSetting(
            "HOTLINE_S3_ENDPOINT 应为 https://主机:端口，不含账号。 "
            "HOTLINE_S3_ENDPOINT must be https://HOST:PORT, with no login in it."
        )
    if not access:
        return None
    return S3(endpoint.rstrip("/"), given.get("S3_REGION") or "us-east-1", access, secret)
