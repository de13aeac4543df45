"""The store: put-if-absent, whole or not at all, never outside its root."""

import operator
import tracemalloc
from pathlib import Path

import pytest

from recordings import place
from recordings.errors import ObjectExists, ObjectMissing, StoreError
from recordings.store import DirectoryStore


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    made = DirectoryStore(tmp_path / "store")
    _: place.Store = made  # mypy holds the directory to the shape of every store
    return made


def test_what_is_put_is_read(store: DirectoryStore) -> None:
    """Whole, by range, and past the end."""
    store.put("2026/11/23/main/a.header", b"0123456789")
    assert store.size("2026/11/23/main/a.header") == 10
    assert store.read_at("2026/11/23/main/a.header", 2, 5) == b"234"
    assert store.read_at("2026/11/23/main/a.header", 8, 50) == b"89"
    assert list(store.keys("2026/11/23")) == ["2026/11/23/main/a.header"]
    assert list(store.keys("2025")) == []


def test_keys_come_in_order_whatever_lies_where(store: DirectoryStore, tmp_path: Path) -> None:
    """As strings, as every store lists them: `a-b` before `a/x` before `a0`; from any key on."""
    names = ["a-b", "a.b/x", "a/x", "a/x.1/y", "a/x0", "a0", "a01/z", "b", "A/x"]
    for name in names:
        store.put(name, b"")
    (tmp_path / "store" / "a" / ".hidden").write_bytes(b"")
    (tmp_path / "store" / "a" / "not a key").write_bytes(b"")
    assert list(store.keys("")) == sorted(names)
    assert list(store.keys("a")) == ["a/x", "a/x.1/y", "a/x0"]
    for after in [*names, "", "a", "a/", "a/x.1", "a/x.1/z", "zz"]:
        assert list(store.keys("", after=after)) == sorted(n for n in names if n > after)
    assert list(store.keys("b")) == []


def test_listing_takes_no_more_memory_for_more(
    store: DirectoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many recordings lie in one directory: what is held does not grow with them."""
    monkeypatch.setattr("recordings.store._AT_ONCE", 64)

    def peak(day: str, count: int) -> int:
        (tmp_path / "store" / day).mkdir(parents=True)
        for number in range(count):
            (tmp_path / "store" / day / f"{number:06}.payload").touch()
        expected = (f"{day}/{number:06}.payload" for number in range(count))
        tracemalloc.start()
        assert all(map(operator.eq, store.keys(day), expected))
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert next(expected, None) is None
        return held

    assert peak("many", 1_200) < 1.3 * peak("few", 400)


def test_what_comes_and_goes_while_keys_are_read(store: DirectoryStore) -> None:
    """The tidy removes what it was just given; nothing else is missed by that."""
    names = [f"d/{number:04}" for number in range(50)]
    for name in names:
        store.put(name, b"")
    seen = []
    for key in store.keys(""):
        seen.append(key)
        store.remove(key)
    assert seen == names


def test_an_upload_shows_what_it_holds(store: DirectoryStore) -> None:
    """What was written can be compared before it is published, and is what is then there."""
    with store.upload("a") as upload:
        upload.write(b"01234")
        upload.write(memoryview(b"56789"))
        assert upload.reread(3, 4) == b"3456"
        upload.publish()
    with store.reader("a") as read:
        assert (read(3, 7), read(0, 2), read(8, 50)) == (b"3456", b"01", b"89")


def test_an_object_is_never_replaced(store: DirectoryStore) -> None:
    """Evidence once written stays: a second put is refused and changes nothing."""
    store.put("a", b"first")
    with pytest.raises(ObjectExists):
        store.put("a", b"second")
    assert store.read_at("a", 0, 10) == b"first"


def test_an_unpublished_upload_leaves_nothing(store: DirectoryStore, tmp_path: Path) -> None:
    """A seal that failed half-way leaves neither an object nor a partial file."""

    def half() -> None:
        with store.upload("a") as upload:
            upload.write(b"half")
            raise EOFError

    with pytest.raises(EOFError):
        half()
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


@pytest.mark.parametrize("key", ["../a", "/a", "a/../b", "", ".partial/x", "a//b", "a/", "a\0"])
def test_keys_stay_inside(store: DirectoryStore, key: str) -> None:
    """A key out of a manipulated row must not lead to another file."""
    with pytest.raises(StoreError):
        store.read_at(key, 0, 1)


def test_what_is_not_there_says_so(store: DirectoryStore) -> None:
    """Each act on a missing object names it."""
    for act in (store.size, store.open, store.remove):
        with pytest.raises(ObjectMissing, match="nothing"):
            act("nothing")
    with pytest.raises(ObjectMissing, match="nothing"), store.reader("nothing"):
        pass


def test_dead_uploads_are_removed_once_old(store: DirectoryStore, tmp_path: Path) -> None:
    """A kill leaves a partial file; it goes after hours, one under way does not."""
    partial = tmp_path / "store" / ".partial" / "dead"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"sealed half")
    changed = partial.stat().st_mtime_ns // 1000
    assert store.remove_partials(before=changed) == 0
    assert store.remove_partials(before=changed + 1) == 1
    assert not partial.exists()
