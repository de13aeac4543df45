"""Server-sent events over a real server: who is told what, how soon, and how it ends."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2 as httpx
import pytest

from gateway.console import live
from gateway.console.visit import TOKEN_COOKIE
from gateway.notices import Notice
from gateway.people import sessions
from gateway.tables import SignInRow
from tests.acceptance import look_morning as scene
from tests.acceptance.look import served

WITHIN_S = 1.0


class Watcher:
    """An open page: the events that reached it, with when."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, str]]] = []
        self.opened, self.ended = threading.Event(), threading.Event()

    def read(self, lines: Iterator[str]) -> None:
        """Read the stream until it ends."""
        name = ""
        for line in lines:
            self.opened.set()
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                self.events.append((name, json.loads(line.removeprefix("data: "))))
        self.ended.set()

    def wait_for(self, event: str, kind: str) -> dict[str, str]:
        """The event, within a second."""
        until = time.monotonic() + WITHIN_S
        while time.monotonic() < until:
            for name, data in self.events:
                if (name, data.get("kind")) == (event, kind):
                    return data
            time.sleep(0.01)
        raise AssertionError(f"no {event}/{kind} within {WITHIN_S} s: {self.events}")


@contextmanager
def watching(address: str, morning: scene.Morning, login: str) -> Iterator[Watcher]:
    """An open page of `login`."""
    with morning.parts.database.begin() as session:
        person = morning.people[login]
        token = sessions.open_session(session, person, morning.parts.clock()).token
    watcher = Watcher()

    def follow() -> None:
        try:
            with httpx.stream("GET", address + "/live", cookies={TOKEN_COOKIE: token}) as answer:
                assert answer.headers["content-type"].startswith("text/event-stream")
                watcher.read(answer.iter_lines())
        except httpx.HTTPError:
            watcher.ended.set()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    assert watcher.opened.wait(5)
    yield watcher


def test_a_call_reaches_its_agent_and_nobody_else(bare: scene.Morning) -> None:
    """The pop is the agent's alone: a caller is no affair of the next desk's."""
    with (
        served(bare) as address,
        watching(address, bare, "wang") as wang,
        watching(address, bare, "ayi") as ayi,
        watching(address, bare, "sun") as sun,
    ):
        ticket = scene.call(bare, "13800138000", bare.parts.clock(), until="offered")
        assert wang.wait_for("agent", "ringing")["ref"] == str(ticket)
        scene.answered(bare, ticket)
        assert wang.wait_for("agent", "answered")["ref"] == str(ticket)
        scene.call(bare, "13700000000", bare.parts.clock(), until="abandoned")
        ayi.wait_for("desks", "call-back")  # everybody's: whoever is free calls back
        assert [name for name, _ in ayi.events] == ["desks"]
        assert sun.events == []
        assert "13800138000" not in json.dumps(wang.events)


def test_the_stream_ends_with_the_server(bare: scene.Morning) -> None:
    """Open pages must not hold the server up when it is told to stop."""
    with served(bare) as address, watching(address, bare, "guan") as watcher:
        bare.parts.hub.close()
        assert watcher.ended.wait(2)


def test_a_page_left_open_is_sent_away(
    bare: scene.Morning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that has ended must not go on being told what happens."""
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.05)
    with served(bare) as address, watching(address, bare, "chen") as watcher:
        with bare.parts.database.begin() as session:
            for row in session.query(SignInRow):
                row.closed_at = bare.parts.clock()
        assert watcher.ended.wait(2)
        assert watcher.events == [("ended", {})]


def test_a_busy_line_is_cut_too(bare: scene.Morning, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has signed out must not be told for ever because there is always something to tell."""
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.3)
    with served(bare) as address, watching(address, bare, "chen") as watcher:
        with bare.parts.database.begin() as session:
            for row in session.query(SignInRow):
                row.closed_at = bare.parts.clock()
        until = time.monotonic() + 3
        while time.monotonic() < until and not watcher.ended.is_set():
            bare.parts.hub.publish([Notice("tickets", "changed", "1")])
            time.sleep(0.01)
        assert watcher.ended.is_set()
        assert watcher.events[-1] == ("ended", {})
        assert ("tickets", {"kind": "changed", "ref": "1"}) in watcher.events


def test_what_each_role_is_told(bare: scene.Morning) -> None:
    """Topics follow permissions: no role is told of what it may not open."""
    told = {login: live.topics(person) for login, person in bare.people.items()}
    assert told["wang"] == {
        *("person:wang", "agent:PJSIP/8003", "presence:PJSIP/8003", "desks"),
    }
    assert told["sun"] == {"person:sun", "department:pension"}
    assert told["chen"] == {"person:chen", "tickets", "recordings", "wallboard"}
    assert told["zhou"] == {"person:zhou", "recordings", "requests"}
    assert told["he"] == {"person:he", "tickets", "wallboard"}
    assert told["shen"] == {"person:shen", "log"}
    assert told["guan"] == {"person:guan", "state"}
