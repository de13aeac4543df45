"""From a place to the store there: where recordings lie, and where backups go.

What always holds: a backup never lies in the store itself nor around it, and the directory of one
is there before the backup is: a disk that is not mounted must not be taken for an empty one. What
is done with a store is not known here.
"""

from pathlib import Path

from gateway import storage
from gateway.errors import BadInput, BadSetting
from gateway.storage import Storage, Where
from recordings.place import Store
from recordings.store import DirectoryStore


def of(place: Where, kept: Storage) -> Store:
    """The store at a place; raises BadSetting where buckets cannot be used."""
    if isinstance(place, Path):
        return DirectoryStore(place)
    try:
        from recordings import bucket  # noqa: PLC0415  an extra: only who uses it has it
    except ImportError as error:
        raise BadSetting(
            "使用 s3:// 须安装 hotline-gateway[s3]。 "
            "To use s3:// install hotline-gateway[s3]: pip install 'hotline-gateway[s3]'."
        ) from error
    s3 = kept.s3
    if s3 is None:
        raise _unreachable()
    access = bucket.Access(s3.endpoint, s3.region, s3.access_key, s3.secret_key)
    return bucket.BucketStore(place, access)


def for_backup(text: str, kept: Storage) -> Store:
    """The store in which backups at `text` lie; raises BadInput where that cannot be."""
    try:
        place = storage.where("STORE_URL", text, kept.s3)
    except BadSetting as error:
        if text.startswith("s3://") and kept.s3 is None:
            raise _bad(str(_unreachable())) from error
        raise _bad(
            f"备份位置应为目录或 s3://桶/前缀：{text}。 "
            f"A backup goes into a directory or to s3://BUCKET/PREFIX, not {text}."
        ) from error
    if any(storage.within(place, used) for used in (kept.store, kept.copy) if used is not None):
        raise _bad(
            f"备份不能放在存储之内或之上：{text}。 "
            "A backup can lie neither within the store nor around it: choose another disk."
        )
    if isinstance(place, Path) and not place.is_dir():
        raise _bad(
            f"没有目录 {place}：请先挂载磁盘或建立目录。 "
            f"No directory {place}: mount the disk, or make the directory, first."
        )
    return of(place, kept)


def _unreachable() -> BadSetting:
    return BadSetting(
        "使用 s3:// 须设 HOTLINE_S3_ACCESS_KEY 与 HOTLINE_S3_SECRET_KEY。 "
        "For s3:// set HOTLINE_S3_ACCESS_KEY and HOTLINE_S3_SECRET_KEY."
    )


def _bad(message: str) -> BadInput:
    return BadInput({"place": message})
