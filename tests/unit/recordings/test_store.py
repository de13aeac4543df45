"""The store: put-if-absent, whole or not at all, never outside its root."""

from pathlib import Path

import pytest

from recordings.errors import ObjectExists, ObjectMissing, StoreError
from recordings.store import DirectoryStore


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "store")


def test_what_is_put_is_read(store: DirectoryStore) -> None:
    """Whole, by range, and past the end."""
    store.put("2026/11/23/main/a.header", b"0123456789")
    assert store.size("2026/11/23/main/a.header") == 10
    assert store.read_at("2026/11/23/main/a.header", 2, 5) == b"234"
    assert store.read_at("2026/11/23/main/a.header", 8, 50) == b"89"
    assert list(store.keys("2026/11/23")) == ["2026/11/23/main/a.header"]
    assert list(store.keys("2025")) == []


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


def test_dead_uploads_are_removed_once_old(store: DirectoryStore, tmp_path: Path) -> None:
    """A kill leaves a partial file; it goes after hours, one under way does not."""
    partial = tmp_path / "store" / ".partial" / "dead"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"sealed half")
    changed = partial.stat().st_mtime_ns // 1000
    assert store.remove_partials(before=changed) == 0
    assert store.remove_partials(before=changed + 1) == 1
    assert not partial.exists()
