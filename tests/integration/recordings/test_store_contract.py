"""One contract, every store: what place.py promises, of a directory and of a bucket alike.

`test_store.py` has what is the directory's own; here a store is known by its shape alone.
"""

import operator
import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from recordings.bucket import BucketStore
from recordings.copies import CopiedStore
from recordings.errors import ObjectExists, ObjectMissing, StoreError
from recordings.place import Store
from recordings.store import DirectoryStore
from tests.rig.s3 import S3

BIG = bytes(range(256)) * 4 * 9 * 1024  # 9 MiB: more than one part of an upload
NAMES = ["a-b", "a.b/x", "a/x", "a/x.1/y", "a/x0", "a0", "a01/z", "b", "A/x"]


@pytest.fixture(params=["directory", "bucket", "prefix", "copied"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Each kind of store, empty."""
    if request.param == "directory":
        return DirectoryStore(tmp_path / "store")
    if request.param == "copied":
        return CopiedStore(DirectoryStore(tmp_path / "one"), DirectoryStore(tmp_path / "two"))
    s3: S3 = request.getfixturevalue("s3")
    bucket: str = request.getfixturevalue("bucket")
    if request.param == "bucket":
        return s3.store(bucket)
    s3.store(f"{bucket}/other").put("2026/not-ours", b"x")
    return s3.store(f"{bucket}/evidence")


def read(store: Store, key: str, step: int = 100_000) -> bytes:
    """The object from its beginning, a little at a time."""
    held, buffer = bytearray(), bytearray(step)
    with store.open(key) as file:
        while count := file.readinto(buffer):
            held += buffer[:count]
    return bytes(held)


class TestStore:
    """What holds in every store."""

    @pytest.mark.parametrize("data", [b"", b"0123456789"])
    def test_what_is_put_is_read(self, store: Store, data: bytes) -> None:
        """Whole, by range, past the end, and when there is nothing in it."""
        store.put("2026/11/23/main/a.header", data)
        assert store.size("2026/11/23/main/a.header") == len(data)
        for start, stop in ((0, 10), (2, 5), (8, 50), (10, 20), (30, 40), (4, 4)):
            assert store.read_at("2026/11/23/main/a.header", start, stop) == data[start:stop]
        assert read(store, "2026/11/23/main/a.header") == data

    @pytest.mark.parametrize("step", [65_552, 1_000_003, 9 << 20])
    def test_a_large_object(self, store: Store, step: int) -> None:
        """More than one part, written in whatever pieces: the same bytes, at any range."""
        with store.upload("big") as upload:
            for at in range(0, len(BIG), step):
                upload.write(memoryview(BIG)[at : at + step])
            shown = upload.reread(65_536, 1000)
            assert shown is None or shown == BIG[65_536:66_536]
            with pytest.raises(ObjectMissing):
                store.size("big")
            upload.publish()
        assert store.size("big") == len(BIG)
        assert read(store, "big", 1 << 20) == BIG
        with store.reader("big") as get:
            for start, stop in ((0, 1), (len(BIG) - 1, len(BIG)), (8 << 20, (8 << 20) + 9)):
                assert get(start, stop) == BIG[start:stop]

    @pytest.mark.parametrize("second", [b"second", BIG], ids=["small", "large"])
    def test_an_object_is_never_replaced(self, store: Store, second: bytes) -> None:
        """Evidence once written stays: a second one is refused and changes nothing."""
        store.put("a", b"first")
        with pytest.raises(ObjectExists):
            store.put("a", second)
        assert store.read_at("a", 0, 10) == b"first"
        assert list(store.keys("")) == ["a"]

    def test_of_many_at_once_one_wins(self, store: Store) -> None:
        """Two gateways write one key in one moment: one is told it did, the others that not."""
        start = threading.Barrier(6)

        def put(number: int) -> int:
            start.wait()
            try:
                store.put("a", b"%d" % number * 1000)
            except ObjectExists:
                return 0
            return number

        with ThreadPoolExecutor(6) as pool:
            won = [number for number in pool.map(put, range(1, 7)) if number]
        assert len(won) == 1
        assert store.read_at("a", 0, 5000) == b"%d" % won[0] * 1000

    @pytest.mark.parametrize("size", [0, 10, len(BIG)])
    def test_an_unpublished_upload_leaves_nothing(
        self, store: Store, size: int, request: pytest.FixtureRequest
    ) -> None:
        """A seal that failed half-way leaves neither an object nor parts of one."""

        def half() -> None:
            with store.upload("a") as upload:
                upload.write(BIG[:size])
                raise EOFError

        with pytest.raises(EOFError):
            half()
        with pytest.raises(ObjectMissing):
            store.size("a")
        assert list(store.keys("")) == []
        if isinstance(store, BucketStore):
            s3: S3 = request.getfixturevalue("s3")
            assert s3.uploads(request.getfixturevalue("bucket")) == []
        store.put("a", b"afterwards")

    def test_what_is_not_there_says_so(self, store: Store) -> None:
        """Each act on a missing object names it; removed is missing."""
        store.put("gone/a", b"x")
        store.remove("gone/a")
        acts: list[Callable[[str], object]] = [store.size, store.open, store.remove]
        for act in acts:
            with pytest.raises(ObjectMissing, match="gone/a"):
                act("gone/a")
        with pytest.raises(ObjectMissing, match="gone/a"), store.reader("gone/a"):
            pass
        assert list(store.keys("gone")) == []

    @pytest.mark.parametrize("key", ["../a", "/a", "a/../b", "", ".partial/x", "a//b", "a/", "a\0"])
    def test_keys_stay_inside(self, store: Store, key: str) -> None:
        """A key out of a manipulated row must not lead to another object."""
        for act in (store.size, store.open, store.remove, lambda one: store.put(one, b"")):
            with pytest.raises(StoreError):
                act(key)

    def test_keys_come_in_order(self, store: Store) -> None:
        """As strings: `a-b` before `a/x` before `a0`; below a directory; from any key on."""
        for name in NAMES:
            store.put(name, b"")
        assert list(store.keys("")) == sorted(NAMES)
        assert list(store.keys("a")) == ["a/x", "a/x.1/y", "a/x0"]
        for after in [*NAMES, "a", "a/x.1", "a/x.1/z", "zz"]:
            assert list(store.keys("", after=after)) == sorted(n for n in NAMES if n > after)
        assert list(store.keys("b")) == []
        assert list(store.keys("nowhere")) == []

    def test_what_comes_and_goes_while_keys_are_read(self, store: Store) -> None:
        """The tidy removes what it was just given; nothing else is missed by that."""
        names = [f"d/{number:04}" for number in range(30)]
        for name in names:
            store.put(name, b"")
        seen = []
        for key in store.keys(""):
            seen.append(key)
            store.remove(key)
        assert seen == names

    def test_a_long_listing_is_read_page_by_page(self, store: Store) -> None:
        """More than one answer of a server holds: all of them, in order, in bounded memory."""
        names = [f"2026/11/23/main/{number:06}.payload" for number in range(2500)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda name: store.put(name, b""), names))
        tracemalloc.start()
        assert all(map(operator.eq, store.keys("2026/11/23"), names))
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert sum(1 for _ in store.keys("2026/11/23")) == 2500
        assert held < 2 << 20
