"""Capture on a real spool: everything a PBX leaves there, and everything that is in the way."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from recordings import binding, catalogue, evidence, orphans, spool, watch
from recordings.capture import Capture
from recordings.disk import Disk, has_writer
from recordings.keyring import new_pair
from recordings.keys import Recipients
from recordings.naming import HEADER, PAYLOAD, PEAKS
from recordings.tables import RecordingRow
from tests.unit.recordings.room import NOW, PBX, SECOND, Room, wav

NAME = "1795400000.1"
CALL = wav(9, seed=5)
LATER = 120 * SECOND


def test_the_whole_way(room: Room) -> None:
    """Sealed, stored, catalogued with all its figures, playable, and the WAV gone."""
    room.put(NAME, CALL)
    (captured,) = room.capture().once()
    (row,) = room.rows()
    assert captured.recording_id == row.id
    assert (row.pbx, row.name, row.condition) == (PBX, NAME, "ok")
    assert (row.duration_ms, row.sample_rate, row.channels) == (9000, 8000, 1)
    assert (row.recorded_at, row.sealed_at) == (1_795_400_000 * SECOND, NOW)
    assert (row.key_id, row.plain_size) == ("2026-11", len(CALL))
    evidence.verify(room.store, row.object_key, row.sealed_sha256)
    assert list(room.store.keys("2026")) == [
        row.object_key + suffix for suffix in (HEADER, PAYLOAD, PEAKS)
    ]
    assert room.played(row) == CALL
    assert room.wavs() == []
    assert room.troubles() == {}
    assert room.plaintext(CALL) == []


def test_who_seals_cannot_open(room: Room) -> None:
    """Capture does its whole work where no private key exists."""
    for path in (room.keyring / "private").iterdir():
        path.unlink()
    (room.keyring / "private").rmdir()
    room.put(NAME, CALL)
    assert len(room.capture().once()) == 1


@pytest.mark.parametrize(
    ("data", "condition", "duration_ms"),
    [
        (wav(0), "empty", 0),
        (b"", "empty", 0),
        (wav(4, lengths=0), "header_unfilled", 4000),
        (b"not a wav at all", "damaged", 0),
        (CALL[:-1000], "damaged", 8937),
    ],
)
def test_odd_wavs_are_evidence_too(
    room: Room, data: bytes, condition: str, duration_ms: int
) -> None:
    """Empty, never finished or damaged: sealed byte for byte, and called what they are."""
    room.put(NAME, data)
    room.capture().once()
    (row,) = room.rows()
    assert (row.condition, row.duration_ms) == (condition, duration_ms)
    if condition != "header_unfilled":
        assert room.played(row) == data
    assert row.plain_size == len(data)
    assert room.wavs() == []


def test_a_wav_somebody_writes_to_is_left_alone(room: Room) -> None:
    """However long it has not changed: MixMonitor writes nothing while the caller is queued."""
    day = room.spool / "2026" / "11" / "23"
    path = room.put(NAME, CALL[:44], where=day)
    with path.open("ab") as file:
        room.age(path, 3600)
        assert room.capture().once() == []
        assert room.rows() == []
        assert room.troubles() == {}
        file.write(CALL[44:])
    room.age(path, 31)
    assert len(room.capture().once()) == 1
    assert room.played(room.rows()[0]) == CALL


def test_the_sweep_waits_until_it_is_settled(room: Room) -> None:
    """A WAV outside `ready/` is taken after 30 s of quiet, and only by a sweep."""
    path = room.put(NAME, CALL, where=room.spool / "2026" / "11" / "23", age_s=29)
    assert room.capture().once() == []
    room.age(path, 30)
    assert room.capture().once(sweep=False) == []
    assert len(room.capture().once()) == 1
    assert room.wavs() == []


class Meddling(Disk):
    """A disk on which somebody acts in the middle of a seal."""

    act: Callable[[], object] | None = None

    def write(self, file: BinaryIO, data: bytes | memoryview) -> None:
        super().write(file, data)
        act, self.act = self.act, None
        if act:
            act()


def test_a_wav_that_grows_while_it_is_read(tmp_path: Path) -> None:
    """The half is not kept; once the writer is done, the whole is sealed."""
    room = Room(tmp_path, disk=(disk := Meddling()))
    path = room.put(NAME, CALL[:100_000])

    def grow() -> None:
        with path.open("ab") as file:
            file.write(CALL[100_000:])

    disk.act = grow
    capture = room.capture()
    assert capture.once() == []
    assert (room.rows(), list(room.store.keys("2026")), room.troubles()) == ([], [], {})
    assert len(capture.once()) == 1
    assert room.played(room.rows()[0]) == CALL
    room.engine.dispose()


def test_a_wav_that_grows_after_its_row(room: Room) -> None:
    """What came after the row is not thrown away: the WAV stays, and the list says why."""
    path = room.put(NAME, CALL)

    def grow(_session: Session, _row: RecordingRow) -> None:
        with path.open("ab") as file:
            file.write(b"more")

    capture = room.capture(grow)
    capture.once()
    assert path.exists()
    capture.once()
    assert room.troubles() == {NAME: "name_reused"}
    assert path.read_bytes() == CALL + b"more"


def test_a_wav_renamed_while_it_is_sealed(tmp_path: Path) -> None:
    """The PBX's rename into `ready/` in the middle of a sweep: one recording, no WAV left."""
    room = Room(tmp_path, disk=(disk := Meddling()))
    path = room.put(NAME, CALL, where=room.spool / "2026", age_s=60)
    disk.act = lambda: path.rename(room.ready / path.name)
    capture = room.capture()
    capture.once()
    capture.once()
    assert len(room.rows()) == 1
    assert room.wavs() == []
    assert room.troubles() == {}
    room.engine.dispose()


def test_a_vanished_wav_is_visible(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen and gone before it was opened: a person has to look, so it stands in the list."""
    path = room.put(NAME, CALL)
    look = spool.look

    def look_and_lose(*args: object, **more: object) -> list[spool.Found]:
        found = look(*args, **more)  # type: ignore[arg-type]
        path.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(spool, "look", look_and_lose)
    assert room.capture().once() == []
    assert room.troubles() == {NAME: "vanished"}


def test_no_key_for_the_month(room: Room) -> None:
    """The WAV waits; once there is a key, it is sealed and the trouble is gone."""
    public = room.keyring / "public" / "2026-11.age-recipient"
    key = public.read_text()
    public.unlink()
    room.put(NAME, CALL)
    capture = room.capture()
    assert capture.once() == []
    assert room.troubles() == {NAME: "no_key"}
    assert len(room.wavs()) == 1
    public.write_text(key)
    assert capture.once() == []  # not yet: each failure makes it wait a little longer
    room.now += LATER
    assert len(capture.once()) == 1
    assert room.troubles() == {}


def test_a_straggler_of_a_month_without_a_key(room: Room) -> None:
    """Last year's WAV, found now, is sealed to this month's key rather than left in the clear."""
    room.put("1765000000.1", CALL)  # December 2025
    room.capture().once()
    (row,) = room.rows()
    assert (row.key_id, row.object_key[:10]) == ("2026-11", "2025/12/06")


def test_a_call_found_a_month_later_gets_the_month_of_sealing(room: Room) -> None:
    """Found long after, or told of by a clock that is wrong: its key lives longer, never shorter
    than the two years that count from its sealing too."""
    new_pair(room.keyring, "2026-10", now=NOW)
    room.put("1793000000.1", CALL)  # 26 October 2026
    room.capture().once()
    assert room.rows()[0].key_id == "2026-11"
    assert room.played(room.rows()[0]) == CALL


def test_names_a_pbx_does_not_give(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    """A caller's data in a name is refused, visibly; the others are sealed all the same."""
    room.put("张三 13800000000", CALL)
    room.put("..x", CALL)
    (room.ready / os.fsdecode(b"\xff\xfe.wav")).write_bytes(CALL)
    room.put(NAME, CALL)
    assert len(room.capture().once()) == 1
    assert set(room.troubles().values()) == {"name_unsafe"}
    assert len(room.wavs()) == len(room.troubles()) == 3
    assert "13800000000" not in caplog.text + str(room.troubles())


def test_links_and_pipes_are_not_followed(room: Room, tmp_path: Path) -> None:
    """Whoever may write to the spool does not choose what the gateway reads or waits for."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"not a call")
    (room.ready / "1795400000.7.wav").symlink_to(secret)
    os.mkfifo(room.ready / "1795400000.8.wav")
    assert room.capture().once() == []
    assert set(room.troubles().values()) == {"wav_unreadable"}
    assert secret.exists()


def test_a_name_used_twice(room: Room) -> None:
    """Another WAV under a catalogued name is neither sealed over it nor removed."""
    room.put(NAME, CALL)
    capture = room.capture()
    capture.once()
    path = room.put(NAME, wav(3, seed=8))
    assert capture.once() == []
    assert room.troubles() == {NAME: "name_reused"}
    assert path.exists()
    assert room.played(room.rows()[0]) == CALL


def test_the_same_wav_again(room: Room) -> None:
    """Found once more after its row stands (a crash before its removal): removed, not doubled."""
    room.put(NAME, CALL)
    room.capture().once()
    room.put(NAME, CALL)
    assert len(room.capture().once()) == 1
    assert len(room.rows()) == 1
    assert room.wavs() == []


def test_the_same_wav_again_but_the_store_lost_it(room: Room) -> None:
    """The WAV is the last copy then: it stays."""
    room.put(NAME, CALL)
    room.capture().once()
    room.store.remove(room.rows()[0].object_key + PAYLOAD)
    path = room.put(NAME, CALL)
    assert room.capture().once() == []
    assert path.exists()
    assert room.troubles() == {NAME: "store_failed"}


def altered(data: bytes) -> bytes:
    """One bit of a large write; of a small one, none."""
    return data[:1000] + bytes([data[1000] ^ 1]) + data[1001:] if len(data) > 50_000 else data


def outline_altered(data: bytes) -> bytes:
    """One bit of the file that begins as the outline's does."""
    return data[:-1] + bytes([data[-1] ^ 1]) if binding.PEAKS.encode() in data else data


def header_altered(data: bytes) -> bytes:
    """One bit of the header alone."""
    return data[:-1] + bytes([data[-1] ^ 1]) if binding.AUDIO.encode() in data else data


def cut_off(path: Path) -> None:
    """The payload, shorter than it was written."""
    if path.suffix == PAYLOAD:
        os.truncate(path, 70_000)


@pytest.mark.parametrize(
    ("harm", "cut"),
    [
        (altered, lambda _path: None),
        (outline_altered, lambda _path: None),
        (header_altered, lambda _path: None),
        (bytes, cut_off),
    ],
)
def test_a_lying_store_keeps_the_wav(
    tmp_path: Path, harm: Callable[[bytes], bytes], cut: Callable[[Path], None]
) -> None:
    """What is read back differs from what was sealed: no row, no object, and the WAV stays."""

    class Lying(Disk):
        def write(self, file: BinaryIO, data: bytes | memoryview) -> None:
            super().write(file, harm(bytes(data)))

        def publish(self, temporary: Path, path: Path) -> None:
            super().publish(temporary, path)
            cut(path)

    room = Room(tmp_path, disk=Lying())
    path = room.put(NAME, CALL)
    assert room.capture().once() == []
    assert (room.rows(), list(room.store.keys("2026"))) == ([], [])
    assert path.read_bytes() == CALL
    assert room.troubles() == {NAME: "store_failed"}
    room.engine.dispose()


def test_two_pbxs_with_one_uniqueid(room: Room, tmp_path: Path) -> None:
    """UNIQUEIDs repeat between PBXs: two recordings, two rows, and neither an orphan."""
    room.put(NAME, CALL)
    room.capture().once()
    branch = tmp_path / "branch" / "ready"
    other = wav(2, seed=9)
    room.put(NAME, other, where=branch)
    recipients = Recipients(room.keyring)
    Capture(branch.parent, "branch", recipients, room.store, room.begin, room.clock).once()
    for pbx in (PBX, "branch"):
        assert orphans.tidy(room.store, room.begin, pbx, NOW) == []
    assert [room.played(row) for row in room.rows()] == [CALL, other]


def test_the_hook_shares_the_rows_transaction(room: Room) -> None:
    """What the gateway links in `on_captured` stands or falls with the row; nothing is doubled."""
    seen: list[int] = []

    def hook(session: Session, row: RecordingRow) -> None:
        assert catalogue.by_name(session, PBX, NAME) is row
        seen.append(row.id)
        if len(seen) < 3:
            raise LookupError("13800000000")

    room.put(NAME, CALL)
    capture = room.capture(hook)
    assert capture.once() == []
    assert (room.rows(), room.troubles()) == ([], {NAME: "not_committed"})
    with room.begin() as session:
        assert "13800000000" not in catalogue.troubles(session)[0].message
    for _ in range(2):
        room.now += LATER
        capture.once()
    (row,) = room.rows()
    assert len(list(room.store.keys("2026"))) == 3  # sealed once, committed at the third try
    assert room.played(row) == CALL
    assert (room.wavs(), room.troubles()) == ([], {})


def test_an_orphan_goes_only_when_superseded(room: Room) -> None:
    """Objects of a recording that has no row may be the last copy; those beside a row are not."""
    room.store.put(f"2026/11/23/{PBX}/{NAME}-00000000.payload", b"half")
    assert orphans.tidy(room.store, room.begin, PBX, NOW) == []
    room.put(NAME, CALL)
    room.capture().once()
    assert orphans.tidy(room.store, room.begin, PBX, NOW) == [
        f"2026/11/23/{PBX}/{NAME}-00000000.payload"
    ]
    assert room.played(room.rows()[0]) == CALL
    room.store.remove(room.rows()[0].object_key + HEADER)
    room.store.put(f"2026/11/23/{PBX}/{NAME}-00000001.payload", b"half")
    assert orphans.tidy(room.store, room.begin, PBX, NOW) == []


def exchange(room: Room, columns: tuple[str, ...]) -> None:
    """Let the two rows' columns change places by SQL; no object is touched."""
    first, second = room.rows()
    there = {row.id: {name: getattr(row, name) for name in columns} for row in (first, second)}
    for to, values in (
        (first, {"object_key": "aside"}),  # no two rows may name one object, not for a moment
        (second, there[first.id]),
        (first, there[second.id]),
    ):
        with room.begin() as session:
            session.execute(update(RecordingRow).where(RecordingRow.id == to.id).values(values))


WHERE = ("object_key",)
ALL = (*WHERE, "key_id", "header", "header_sha256", "sealed_sha256", "sealed_size", "plain_sha256",
       "plain_size")  # fmt: skip


@pytest.mark.parametrize("columns", [WHERE, ALL])
@pytest.mark.parametrize("pbx", [PBX, "branch"])
def test_rows_exchanged_cost_no_evidence(
    room: Room, tmp_path: Path, columns: tuple[str, ...], pbx: str
) -> None:
    """An object that no row names any more may be the genuine one: the tidy must leave it, also
    where the other object has the same name on another PBX."""
    room.put(NAME, CALL)
    room.capture().once()
    branch = tmp_path / "spool of another"
    other = NAME if pbx == "branch" else "1795400001.7"
    room.put(other, wav(2, seed=9), where=branch / "ready")
    Capture(branch, pbx, Recipients(room.keyring), room.store, room.begin, room.clock).once()
    before = list(room.store.keys(""))
    assert len(before) == 6
    exchange(room, columns)
    assert orphans.tidy(room.store, room.begin, PBX, NOW) == []
    assert list(room.store.keys("")) == before


def test_an_altered_object_supersedes_nothing(room: Room) -> None:
    """Of two sealings of one recording the other one stays until the named one is known whole."""
    spare = f"2026/11/23/{PBX}/{NAME}-00000000.payload"
    room.put(NAME, CALL)
    room.capture().once()
    room.store.put(spare, b"half")
    payload = room.root / (room.rows()[0].object_key + PAYLOAD)
    whole = payload.read_bytes()
    payload.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert orphans.tidy(room.store, room.begin, PBX, NOW) == []
    payload.write_bytes(whole)
    assert orphans.tidy(room.store, room.begin, PBX, NOW) == [spare]


def test_fifty_at_once(room: Room) -> None:
    """A busy minute: all sealed in one round, one unreadable among them in nobody's way."""
    calls = {f"1795400000.{i}": wav(0.5, seed=i) for i in range(50)}
    for name, data in calls.items():
        room.put(name, data)
    (room.ready / "1795400000.99.wav").symlink_to("nowhere")
    assert len(room.capture().once()) == 50
    assert {row.name: room.played(row) for row in room.rows()} == calls


def test_a_writer_the_kernel_does_not_show(tmp_path: Path) -> None:
    """Neither owner nor root, the kernel tells us nothing: then `ready/` counts, a sweep waits."""
    if os.getuid() != 0:
        pytest.skip("needs root to become somebody else. 需要 root。")
    path = tmp_path / "x.wav"
    path.write_bytes(CALL)
    program = (
        "import os, sys; from recordings.disk import has_writer; os.seteuid(65534); "
        "print(has_writer(sys.stdin.buffer))"
    )
    with path.open("rb") as file:
        assert has_writer(file) is False
        told = subprocess.run(
            [sys.executable, "-c", program], stdin=file, capture_output=True, text=True, check=True
        )
    assert told.stdout == "None\n"


def test_blind_settling(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel does not tell, a swept WAV waits longer than any call lasts."""
    monkeypatch.setattr(spool, "has_writer", lambda _file: None)
    swept = room.put(NAME, CALL, where=room.spool / "2026", age_s=3600)
    ready = room.put("1795400000.2", CALL, age_s=1)
    assert room.capture().once() == []
    room.age(swept, spool.BLIND_SETTLE_S)
    room.age(ready, spool.BLIND_READY_S)
    assert len(room.capture().once()) == 2


def test_the_watch_goes_on(room: Room) -> None:
    """A database that is away, then there: the loop survives, seals, and ends when told to."""
    away = threading.Event()
    away.set()

    @contextmanager
    def begin() -> Iterator[Session]:
        if away.is_set():
            raise ConnectionError
        with room.begin() as session:
            yield session

    capture = Capture(
        room.spool, PBX, Recipients(room.keyring), room.store, begin, room.clock, disk=room.disk
    )

    async def scenario() -> None:
        running = asyncio.create_task(watch.run(capture, room.store, begin, PBX, room.clock))
        room.put(NAME, CALL)
        await asyncio.sleep(watch.POLL_S * 1.5)
        assert not running.done()
        away.clear()
        for _ in range(100):
            await asyncio.sleep(0.05)
            if not room.wavs():
                break
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    asyncio.run(scenario())
    assert [row.name for row in room.rows()] == [NAME]


def test_a_cancelled_watch_finishes_what_is_under_way(tmp_path: Path) -> None:
    """Ctrl+C in the middle of a recording: it is sealed, and only then the loop ends."""
    started, go_on = threading.Event(), threading.Event()
    disk = Meddling()
    room = Room(tmp_path, disk=disk)
    room.put(NAME, CALL)

    def wait() -> None:
        started.set()
        go_on.wait(10)

    disk.act = wait

    async def scenario() -> None:
        capture = room.capture()
        running = asyncio.create_task(watch.run(capture, room.store, room.begin, PBX, room.clock))
        await asyncio.to_thread(started.wait, 10)
        running.cancel()
        await asyncio.sleep(0.05)
        assert not running.done()
        go_on.set()
        with suppress(asyncio.CancelledError):
            await running

    asyncio.run(scenario())
    assert len(room.rows()) == 1
    assert room.wavs() == []
    room.engine.dispose()


def test_the_same_on_both_databases(tmp_path: Path, database_url: str) -> None:
    """The catalogue, the troubles and the log hold on PostgreSQL as on SQLite."""
    room = Room(tmp_path, url=database_url)
    room.put(NAME, CALL)
    room.put("x y", CALL)
    room.capture().once()
    (row,) = room.rows()
    assert room.played(row) == CALL
    assert list(room.troubles().values()) == ["name_unsafe"]
    with room.begin() as session:
        assert catalogue.counts_by_key(session) == {"2026-11": 1}
        assert [r.id for r in catalogue.page(session, since=NOW - LATER * 10)] == [row.id]
        assert not catalogue.page(session, until=row.recorded_at)
        assert not catalogue.page(session, ids=[])
    room.engine.dispose()
