"""A bucket behind a bad network: what was told is true, what failed leaves nothing, and it ends.

Faults are put between the client and the server, as bytes: connections cut, answers held back, a
server that says it is busy, one that dies.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from recordings.backup import backup
from recordings.bucket import Access, BucketStore
from recordings.drill import drill
from recordings.errors import ObjectMissing, StoreError
from tests.rig.proxy import Proxy, proxy
from tests.rig.s3 import S3, server
from tests.unit.recordings.room import SECOND, Room, wav

ROOT = Path(__file__).parents[3]
BIG = bytes(range(256)) * 4 * 12 * 1024  # 12 MiB: two parts


def through(s3: S3, url: str, port: int, retries: int = 5) -> BucketStore:
    return BucketStore(url, s3.access(f"http://127.0.0.1:{port}"), retries=retries, patience_s=20)


def put(store: BucketStore, data: bytes = BIG) -> None:
    with store.upload("2026/a") as upload:
        for at in range(0, len(data), 1 << 20):
            upload.write(memoryview(data)[at : at + (1 << 20)])
        upload.publish()


def whole(store: BucketStore) -> bytes:
    return store.read_at("2026/a", 0, 1 << 30)


def test_cut_in_mid_part(s3: S3, bucket: str) -> None:
    """Connections reset again and again while parts are under way: sent once more, whole."""

    async def run() -> None:
        async with proxy(s3.host, s3.port) as between:
            store = through(s3, bucket, between.port)
            work = asyncio.create_task(asyncio.to_thread(put, store))
            for size in (1 << 20, 9 << 20):
                while len(between.sent) < size and not work.done():  # noqa: ASYNC110  bytes
                    await asyncio.sleep(0.001)
                between.cut()
            await work
            cuts = between.sent
            assert len(cuts) > len(BIG), "nothing was sent twice: the cut met nothing"

    asyncio.run(run())
    assert whole(s3.store(bucket)) == BIG
    assert s3.uploads(bucket) == []


@asynccontextmanager
async def busy(s3: S3, times: int) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that answers `503 Slow Down` that many times; then requests go through."""
    refused = list[bytes]()
    passing = Proxy(s3.host, s3.port)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(refused) >= times:
            await passing._serve(reader, writer)
            return
        refused.append(await reader.readline())
        writer.write(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1], refused
    finally:
        listening.close()
        await passing.stop()


@pytest.mark.parametrize("data", [b"small", BIG], ids=["small", "large"])
def test_a_busy_server_is_asked_again(s3: S3, bucket: str, data: bytes) -> None:
    """503 is no failure of a recording: tried again, and then it is there."""

    async def run() -> None:
        async with busy(s3, 3) as (port, refused):
            store = through(s3, bucket, port)
            await asyncio.to_thread(put, store, data)
            assert await asyncio.to_thread(whole, store) == data
            assert len(refused) == 3

    asyncio.run(run())


def test_always_busy_ends_with_an_error(s3: S3, bucket: str) -> None:
    """In bounded time, and nothing is there: capture notes it and tries later."""

    async def run() -> None:
        async with busy(s3, 1000) as (port, refused):
            with pytest.raises(StoreError, match="cannot be used"):
                await asyncio.to_thread(put, through(s3, bucket, port, retries=2), b"small")
            assert len(refused) == 3

    asyncio.run(run())
    assert list(s3.store(bucket).keys("")) == []


def test_a_slow_server_is_waited_for(s3: S3, bucket: str) -> None:
    """Answers held back for two seconds: no second object, no error."""

    async def run() -> None:
        async with proxy(s3.host, s3.port) as between:
            store = through(s3, bucket, between.port)
            between.hold_answers()
            work = asyncio.create_task(asyncio.to_thread(put, store, b"small"))
            await between.sends(b"2026/a")
            await asyncio.sleep(2)
            assert not work.done()
            between.let_answers()
            await work

    asyncio.run(run())
    assert whole(s3.store(bucket)) == b"small"


@pytest.mark.parametrize("act", [put, whole, lambda store: list(store.keys(""))])
def test_a_server_that_died_is_told(act: Callable[[BucketStore], object], tmp_path: Path) -> None:
    """Not taken for a missing object, and not waited for for ever; nothing secret in the words."""
    with server(tmp_path) as own:
        store = BucketStore(own.bucket("gone"), own.access(), retries=1, patience_s=3)
        put(store, b"there")
    began = time.monotonic()
    with pytest.raises(StoreError) as told:
        act(store)
    assert not isinstance(told.value, ObjectMissing)
    assert "s3cret" not in str(told.value) + repr(told.value.__cause__)
    assert time.monotonic() - began < 30


HOSTILE = {
    "AWS_ACCESS_KEY_ID": "THEIRS",
    "AWS_SECRET_ACCESS_KEY": "theirs",
    "AWS_SESSION_TOKEN": "their-token",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
    "AWS_ENDPOINT": "http://127.0.0.1:9",
    "AWS_REGION": "their-region",
    "AWS_DEFAULT_REGION": "their-region",
    "AWS_SKIP_SIGNATURE": "true",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
    "AWS_SERVER_SIDE_ENCRYPTION": "aws:kms",
    "AWS_CONDITIONAL_PUT": "disabled",
    "AWS_BUCKET": "theirs",
}
ALONE = """
import sys
from recordings.bucket import Access, BucketStore
from recordings.errors import ObjectExists
store = BucketStore(sys.argv[1], Access(sys.argv[2], "cn-north-1", "AKIATEST", "s3cret-key"))
store.put("a", b"ours")
try:
    store.put("a", b"again")
except ObjectExists:
    print("kept")
"""


def test_nothing_comes_from_aws_variables(s3: S3, bucket: str) -> None:
    """A shell set up for another bucket changes neither where evidence goes nor as whom."""

    async def run() -> bytes:
        async with proxy(s3.host, s3.port) as between:
            between.hold_answers()
            between.let_answers()
            said = await asyncio.create_subprocess_exec(
                sys.executable, "-c", ALONE, bucket, f"http://127.0.0.1:{between.port}",
                cwd=ROOT, env=os.environ | HOSTILE, stdout=subprocess.PIPE,
            )  # fmt: skip
            out, _ = await said.communicate()
            assert out == b"kept\n"
            return between.sent

    sent = asyncio.run(run())
    assert b"Credential=AKIATEST/" in sent
    assert b"/cn-north-1/s3/aws4_request" in sent
    for theirs in (b"THEIRS", b"their-", b"aws:kms"):
        assert theirs not in sent
    assert s3.store(bucket).read_at("a", 0, 9) == b"ours"


@pytest.mark.parametrize("url", ["", "s3://", "http://x/y", "s3:bucket"])
def test_what_is_no_bucket_is_told(url: str) -> None:
    """A mistyped URL is told before anything is sealed."""
    with pytest.raises(StoreError):
        BucketStore(url, Access("http://127.0.0.1:9", "r", "a", "s"))


def test_no_secret_is_shown(s3: S3) -> None:
    """Access in a log or a traceback gives nothing away."""
    assert "s3cret" not in repr(s3.access())


def test_a_backup_in_a_bucket(s3: S3, bucket: str, tmp_path: Path) -> None:
    """The same run and the same drill as in a directory; a second run finds what is there."""
    room = Room(tmp_path)
    room.put("1795400001.1", wav(9, seed=5))
    room.capture().once()
    target = s3.store(f"{bucket}/nightly")
    for copied in (1, 0):
        room.now += SECOND
        assert backup(room.begin, room.store, target, room.now).copied == copied
    tried = drill(target, room.identities, sample=None)
    assert (tried.chunks, tried.failed.count) == (3, 0)
    room.engine.dispose()
