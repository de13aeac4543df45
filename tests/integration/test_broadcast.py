"""Two processes, one database: what one commits, the other's pages are told; and nothing else."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from gateway import broadcast, notices
from gateway.broadcast import PAYLOAD_BYTES, Broadcast, Datagrams, Notify, payloads
from gateway.database import Database
from gateway.notices import Hub, Notice

SOON_S = 2.0


class House:
    """One process's hub and database; `heard` is what its pages were told."""

    def __init__(self, url: str, state: Path) -> None:
        self.others: Broadcast = (
            Datagrams(state / "notices") if url.startswith("sqlite") else Notify()
        )
        self.hub = Hub()
        self.database = Database(url, self._told, self.others.within)
        self.heard: list[Notice | None] = []

    def _told(self, noted: list[Notice]) -> None:
        self.hub.publish(noted)
        self.others.after(noted)

    async def watch(self) -> None:
        """A page that reconnects whenever it is told to start over."""
        while True:
            async with self.hub.subscribe({"desks"}) as subscription:
                async for notice in subscription:
                    self.heard.append(notice)
            self.heard.append(None)

    def tell(self, kind: str, topic: str = "desks") -> None:
        with self.database.begin() as session:
            notices.tell(session, topic, kind)


@contextmanager
def listening(house: House) -> Iterator[None]:
    """The house with a page open, hearing the others."""
    loop = asyncio.new_event_loop()

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(house.watch())
            group.create_task(broadcast.listen(house.others, house.database, house.hub))

    async def until_cancelled() -> None:
        with suppress(asyncio.CancelledError):
            await both()

    task = loop.create_task(until_cancelled())
    thread = threading.Thread(target=loop.run_until_complete, args=(task,))
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(10)
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        house.database.dispose()


def until(true: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not true():
        assert time.monotonic() < began + SOON_S + 3
        time.sleep(0.01)


@pytest.fixture
def houses(database_url: str, tmp_path: Path) -> Iterator[tuple[House, House]]:
    """Two processes that hear each other; proven by a first word each way."""
    here, there = House(database_url, tmp_path), House(database_url, tmp_path)
    with listening(here), listening(there):
        for speaker, hearer in ((here, there), (there, here)):
            began = time.monotonic()
            while Notice("desks", "hello") not in hearer.heard:
                assert time.monotonic() < began + 10
                speaker.tell("hello")
                time.sleep(0.05)
        here.heard.clear()
        there.heard.clear()
        yield here, there


def test_the_other_process_is_told_what_is_committed(houses: tuple[House, House]) -> None:
    """An agent whose page hangs on the gateway without the PBX sees the call pop all the same."""
    here, there = houses
    began = time.monotonic()
    here.tell("popped")
    until(lambda: Notice("desks", "popped") in there.heard)
    assert time.monotonic() - began < SOON_S
    here.tell("nobody watches this", topic="elsewhere")
    here.tell("last")
    until(lambda: Notice("desks", "last") in there.heard)
    assert [one for one in there.heard if one != Notice("desks", "hello")] == [
        Notice("desks", "popped"),
        Notice("desks", "last"),
    ]


def test_one_is_told_once_by_oneself(houses: tuple[House, House]) -> None:
    """What this process committed comes back to it by no second way."""
    here, there = houses
    here.tell("mine")
    there.tell("yours")
    until(lambda: Notice("desks", "yours") in here.heard)
    assert here.heard.count(Notice("desks", "mine")) == 1


def test_what_was_undone_is_told_to_nobody(houses: tuple[House, House]) -> None:
    """DESIGN §3, promise 2: nobody hears of what did not happen."""
    here, there = houses
    with suppress(ZeroDivisionError), here.database.begin() as session:
        notices.tell(session, "desks", "undone")
        raise ZeroDivisionError
    here.tell("after")
    until(lambda: Notice("desks", "after") in there.heard)
    assert Notice("desks", "undone") not in here.heard + there.heard


def test_many_at_once_all_arrive_or_the_page_starts_over(houses: tuple[House, House]) -> None:
    """A burst fills somebody's queue: the page is told to fetch anew, never left behind."""
    here, there = houses
    for number in range(600):
        here.tell(f"burst {number}")
    here.tell("end")
    here.tell("end")
    until(lambda: Notice("desks", "end") in there.heard or None in there.heard)
    told = [one for one in there.heard if one is not None and one.kind.startswith("burst")]
    assert len(told) == 600 or None in there.heard


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_listener_cut_off_lets_its_pages_start_over(houses: tuple[House, House]) -> None:
    """What was told while nobody could hear is fetched when the page comes back."""
    here, there = houses
    with here.database.begin() as session:
        session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE query LIKE 'LISTEN%' AND datname = current_database()"
            )
        )
    until(lambda: None in there.heard)
    here.tell("again")
    until(lambda: Notice("desks", "again") in there.heard)


def test_a_listener_whose_queue_was_full_is_told_that_it_missed_something(tmp_path: Path) -> None:
    """Of a burst that nobody read in time the last word is: fetch what is."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as slow:
        slow.bind(str(tmp_path / "slow.sock"))
        slow.setblocking(False)
        others = Datagrams(tmp_path)
        long = Notice("desks", "x" * 6000)
        for _ in range(400):
            others.after([long])
            if others._owing:
                break
        heard = 0
        with suppress(BlockingIOError):
            while slow.recv(20_000):
                heard += 1
        assert heard < 400, "its queue was never full"
        others.after([long])
        assert slow.recv(20_000) == broadcast.MISSED


def test_a_dead_listener_is_forgotten(tmp_path: Path) -> None:
    """A killed process leaves its socket's file: it is removed, and the commit does not fail."""
    directory = tmp_path / "notices"
    hub, stop = Hub(), threading.Event()
    dead = Datagrams(directory)
    thread = threading.Thread(target=dead.hear, args=(Database("sqlite://"), hub, stop))
    thread.start()
    until(lambda: bool(list(directory.glob("*.sock"))))
    (left,) = directory.glob("*.sock")
    left.rename(directory / "killed.sock")
    stop.set()
    thread.join(5)
    Datagrams(directory).after([Notice("desks", "x")])
    assert not list(directory.glob("*.sock"))


class Ear(Hub):
    """A hub that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Notice] = []

    def publish(self, noted: Iterable[Notice]) -> None:
        self.heard.extend(noted)


@given(
    st.lists(st.builds(Notice, st.text(max_size=60), st.text(max_size=60), st.text()), max_size=60)
)
def test_pieces_fit_and_lose_nothing(noted: list[Notice]) -> None:
    """However many and however long: each piece fits the channel, and all arrive."""
    ear = Ear()
    for payload in payloads("a", noted):
        assert len(payload.encode()) <= PAYLOAD_BYTES
        broadcast.publish(ear, "b", payload)
    assert ear.heard == noted


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_noise_reaches_nobody(noise: bytes | str) -> None:
    """Whatever is sent to the channel by others: no page hears it, nothing breaks."""
    ear = Ear()
    broadcast.publish(ear, "me", noise)
    assert ear.heard == []


def test_a_note_too_long_for_the_wire_makes_the_others_start_over() -> None:
    """Nothing is cut: the page fetches what is."""
    assert list(payloads("a", [Notice("desks", "x" * 9000)])) == ['["a", null]']
