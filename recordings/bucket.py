"""The store in an S3 bucket: the same promises as the directory's, of what S3 can promise.

A small object (up to PART) is one conditional request, `If-None-Match: *`: of two writers exactly
one wins.  A larger one is a multipart upload, which becomes visible whole or not at all; the client
library sends no condition with it, so that a name that is taken is only looked for just before.
Nothing of ours depends on that: payloads have random names, and a recording exists where its
header does, which is small.  What always holds: a key that fails half-way leaves no object and its
parts are taken back; nothing is read from AWS_* variables; no message holds a secret.

A process that is killed in mid-upload leaves parts nobody sees: the bucket's own rule
`AbortIncompleteMultipartUpload` removes them, this module cannot.  Memory is a few parts, whatever
the size.  Requests that fail for a reason of the network or the server are tried again.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.store import S3Store

from recordings.errors import ObjectExists, ObjectMissing, StoreError
from recordings.store import checked

if TYPE_CHECKING:
    from obstore.store import S3Config  # there for annotations alone

PART = 8 << 20
_BLOCK = 4 << 20
_LISTED = 1000
_ENVIRONMENT = threading.Lock()


@dataclass(frozen=True, slots=True)
class Access:
    """How a bucket is reached.  `endpoint` empty: Amazon's own of that region."""

    endpoint: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)


class BucketStore:
    """A store in `s3://bucket` or `s3://bucket/prefix`."""

    def __init__(
        self, url: str, access: Access, *, retries: int = 5, patience_s: float = 60
    ) -> None:
        """`retries` of one request, for `patience_s` at the most; raises StoreError for what is no
        URL of a bucket or no usable access."""
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.netloc:
            raise StoreError(f"不是 s3://桶 地址：{url}。 Not the URL of a bucket: {url}.")
        self._bucket = _opened(parts.netloc, parts.path.strip("/"), access, retries, patience_s)

    @contextmanager
    def upload(self, key: str) -> "Iterator[BucketUpload]":
        """Write an object: `upload.write(…)`, then `upload.publish()`; without it nothing stays."""
        upload = BucketUpload(self._bucket, checked(key))
        try:
            yield upload
        finally:
            upload.discard()

    def put(self, key: str, data: bytes) -> None:
        """Write a small object whole; raises ObjectExists."""
        with self.upload(key) as upload:
            upload.write(data)
            upload.publish()

    def size(self, key: str) -> int:
        """Bytes of the object; raises ObjectMissing."""
        with _told(key):
            return int(obstore.head(self._bucket, checked(key))["size"])

    def read_at(self, key: str, start: int, stop: int) -> bytes:
        """The bytes [start, stop), fewer where the object ends before; raises ObjectMissing."""
        with self.reader(key) as read:
            return read(start, stop)

    @contextmanager
    def reader(self, key: str) -> Iterator[Callable[[int, int], bytes]]:
        """`read_at` of one object, its size asked once; raises ObjectMissing on entering."""
        size = self.size(key)

        def read(start: int, stop: int) -> bytes:
            end = min(stop, size)
            if start >= end:  # S3 has no empty ranges
                return b""
            with _told(key):
                return bytes(obstore.get_range(self._bucket, key, start=start, end=end))

        yield read

    def open(self, key: str) -> "BucketFile":
        """The object to be read from its beginning; raises ObjectMissing."""
        return BucketFile(self, key)

    def remove(self, key: str) -> None:
        """Remove an object; raises ObjectMissing."""
        self.size(key)  # S3 does not tell whether there was one
        with _told(key):
            obstore.delete(self._bucket, key)

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """The keys below a directory of the store ("": of all), greater than `after`, ascending."""
        below = f"{checked(prefix)}/" if prefix else ""
        with _told(prefix):
            for page in obstore.list(
                self._bucket, below or None, offset=after or None, chunk_size=_LISTED
            ):
                yield from (one["path"] for one in page if one["path"].startswith(below))

    def remove_partials(self, before: int) -> int:
        """None are to be seen: what a killed upload left is the bucket's rule's to remove."""
        del before
        return 0


class BucketUpload:
    """An object under way: in memory up to PART, in parts of the bucket beyond."""

    def __init__(self, bucket: S3Store, key: str) -> None:
        self._bucket, self._key = bucket, key
        self._held = bytearray()
        self._writer: obstore.WritableFile | None = None

    def write(self, data: bytes | memoryview) -> None:
        """Append to the object."""
        if self._writer is None:
            self._held += data
            if len(self._held) <= PART:
                return
            with _told(self._key):
                _absent(self._bucket, self._key)
                self._writer = obstore.open_writer(
                    self._bucket, self._key, buffer_size=PART, max_concurrency=2
                )
            data, self._held = bytes(self._held), bytearray()
        with _told(self._key):
            self._writer.write(data)

    def reread(self, at: int, size: int) -> None:
        """A bucket shows nothing before `publish`."""
        del at, size

    def settle(self) -> None:
        """A bucket is asked for durability with `publish`."""

    def publish(self) -> None:
        """Make the object durable and visible; raises ObjectExists where the key is taken."""
        with _told(self._key):
            if self._writer is None:
                obstore.put(
                    self._bucket, self._key, bytes(self._held), mode="create", use_multipart=False
                )
                return
            _absent(self._bucket, self._key)
            self._writer.close()
            self._writer = None

    def discard(self) -> None:
        """Take back what was not published; failing to is no failure of the object."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        stopped = EOFError()
        try:
            writer.__exit__(EOFError, stopped, None)
        except BaseError:
            return


class BucketFile:
    """An object read from its beginning, a stretch at a time."""

    def __init__(self, store: BucketStore, key: str) -> None:
        self._read = store.reader(key)
        self._range = self._read.__enter__()
        self._at, self._held = 0, memoryview(b"")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is held open: each stretch is a request of its own."""

    def readinto(self, buffer: bytearray | memoryview, /) -> int:
        """Fill `buffer` from where the last call ended; the number of bytes, 0 at the end."""
        if not self._held:
            self._held = memoryview(self._range(self._at, self._at + _BLOCK))
            self._at += len(self._held)
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        self._held = self._held[count:]
        return count


def _absent(bucket: S3Store, key: str) -> None:
    try:
        obstore.head(bucket, key)
    except FileNotFoundError:
        return
    raise AlreadyExistsError(key)


def _opened(bucket: str, prefix: str, access: Access, retries: int, patience_s: float) -> S3Store:
    """The client.  Its library reads AWS_* variables whatever it is given, a session's token and
    an endpoint among them: they are put aside while it is made."""
    config: S3Config = {
        "region": access.region,
        "access_key_id": access.access_key,
        "secret_access_key": access.secret_key,
        "virtual_hosted_style_request": False,
    }
    if access.endpoint:
        config["endpoint"] = access.endpoint
    with _ENVIRONMENT:
        aside = {name: os.environ.pop(name) for name in [*os.environ] if name.startswith("AWS_")}
        try:
            return S3Store(
                bucket,
                prefix=prefix or None,
                config=config,
                client_options={
                    "allow_http": access.endpoint.startswith("http://"),
                    "connect_timeout": timedelta(seconds=10),
                    "timeout": timedelta(seconds=patience_s),
                },
                retry_config={
                    "max_retries": retries,
                    "retry_timeout": timedelta(seconds=patience_s),
                },
            )
        except BaseError as error:
            raise _failed(error) from error
        finally:
            os.environ.update(aside)


@contextmanager
def _told(key: str) -> Iterator[None]:
    """The library's errors as ours; none of its words, which may hold what a URL holds."""
    try:
        yield
    except FileNotFoundError as error:
        raise ObjectMissing(
            f"存储中没有此对象：{key}，请查备份。 The store lacks {key}: look into the backup."
        ) from error
    except AlreadyExistsError as error:
        raise ObjectExists(
            f"存储中已有此对象：{key}。 The store has this object already: {key}."
        ) from error
    except BaseError as error:
        raise _failed(error) from error


def _failed(error: BaseError) -> StoreError:
    if isinstance(error, PermissionDeniedError | UnauthenticatedError):
        return StoreError(
            "存储桶拒绝访问：请检查 HOTLINE_S3_ACCESS_KEY、HOTLINE_S3_SECRET_KEY 与桶的权限。 "
            "The bucket refuses us: check the S3 keys and the bucket's policy."
        )
    return StoreError(
        f"存储桶无法使用（{type(error).__name__}）：请检查 HOTLINE_S3_ENDPOINT、桶名与网络。 "
        "The bucket cannot be used: check its endpoint, its name and the network."
    )
