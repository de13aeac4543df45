"""Steps that are not broken off half-way, and steps that are tried until they are done."""

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy.exc import OperationalError

from queueing import persistence
from queueing.waiting import Bell, bounded, finish


def test_a_cancelled_step_runs_to_its_end() -> None:
    """Protects: a relay that is stopped marks what it has already published."""
    done: list[str] = []

    async def step() -> None:
        await asyncio.sleep(0.05)
        done.append("marked")

    async def scenario() -> None:
        task = asyncio.ensure_future(finish(step()))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert done == ["marked"]

    asyncio.run(scenario())


def test_a_step_that_fails_while_cancelled_is_still_a_cancellation() -> None:
    """Protects: stopping is orderly even when the last step fails."""

    async def step() -> None:
        await asyncio.sleep(0.05)
        raise ValueError

    async def scenario() -> None:
        task = asyncio.ensure_future(finish(step()))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())


def failing(times: int, problem: Exception, calls: list[int]) -> Callable[[], None]:
    """A step that raises so many times and then is done."""

    def step() -> None:
        calls.append(1)
        if len(calls) <= times:
            raise problem

    return step


def test_a_stumbling_step_is_given_up_after_its_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects: one message a handler fails on stops the others for a bounded time."""
    monkeypatch.setattr(persistence, "WAITS_S", (0.0,))
    calls: list[int] = []
    given_up: list[Exception] = []
    problem = KeyError("x")
    asyncio.run(persistence.until_done(failing(99, problem, calls), given_up.append))
    assert given_up == [problem]
    assert len(calls) == persistence.TRIES


def test_a_database_that_is_away_is_never_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects: an outage, however long, parks nothing."""
    monkeypatch.setattr(persistence, "WAITS_S", (0.0,))
    calls: list[int] = []
    given_up: list[Exception] = []
    away = OperationalError("SELECT", {}, Exception("gone"))
    asyncio.run(persistence.until_done(failing(50, away, calls), given_up.append))
    assert given_up == []
    assert len(calls) == 51


def test_giving_up_is_itself_tried_until_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects: a message is not acked because parking it failed."""
    monkeypatch.setattr(persistence, "WAITS_S", (0.0,))
    parked: list[int] = []
    park = failing(2, KeyError("park"), parked)
    asyncio.run(persistence.until_done(failing(99, KeyError("x"), []), lambda _: park()))
    assert len(parked) == 3


def test_a_call_that_ignores_its_cancellation_is_left_behind() -> None:
    """Protects: a timeout ends in time, even where the library waits on in its `finally`."""

    async def deaf() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(1)

    async def scenario() -> None:
        async with asyncio.timeout(0.5):
            with pytest.raises(TimeoutError):
                await bounded(deaf(), 0.01)

    asyncio.run(scenario())


def test_our_cancellation_is_not_turned_into_another_error() -> None:
    """Protects: a relay that is stopped stops, whatever the library makes of a cancellation."""

    async def turning() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise ConnectionError from None

    async def scenario() -> None:
        task = asyncio.ensure_future(bounded(turning(), 60))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())


def test_a_cancellation_from_inside_is_a_lost_connection() -> None:
    """Protects: aiormq cancels what waits on a channel it closes; that is no wish of ours."""

    async def cancelled() -> None:
        raise asyncio.CancelledError

    async def scenario() -> None:
        with pytest.raises(ConnectionError):
            await bounded(cancelled(), 60)

    asyncio.run(scenario())


def test_what_a_call_returns_or_raises_passes_through() -> None:
    """Protects: bounded adds a bound and nothing else."""

    async def fails() -> None:
        raise KeyError

    async def scenario() -> None:
        assert await bounded(asyncio.sleep(0, "done"), 1) == "done"
        with pytest.raises(KeyError):
            await bounded(fails(), 1)

    asyncio.run(scenario())


def test_a_ring_between_looking_and_waiting_is_heard() -> None:
    """Protects: what is committed while a reader looks does not wait for its next look."""

    async def scenario() -> None:
        bell = Bell()
        seen = bell.rings
        bell.ring()
        async with asyncio.timeout(1):
            await bell.wait(seen, 60)

    asyncio.run(scenario())


def test_everybody_who_waits_is_woken_from_any_thread() -> None:
    """Protects: two readers of one queue, rung by a commit in a thread of its own."""

    async def scenario() -> None:
        bell = Bell()
        waiting = [asyncio.ensure_future(bell.wait(0, 60)) for _ in range(2)]
        await asyncio.sleep(0.01)
        await asyncio.to_thread(bell.ring)
        async with asyncio.timeout(1):
            await asyncio.gather(*waiting)

    asyncio.run(scenario())


def test_nobody_rings_and_one_looks_all_the_same() -> None:
    """Protects: a lost ring costs a while and no more."""
    asyncio.run(Bell().wait(0, 0.01))


def test_what_comes_when_nobody_waits_any_more_is_undone() -> None:
    """Protects: a connection that is opened just after we gave up is closed, not left open."""
    undone: list[str] = []

    async def opens() -> str:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            return "connection"  # as a library does that was there already
        return ""

    async def close(what: str) -> None:
        undone.append(what)

    async def scenario() -> None:
        with pytest.raises(TimeoutError):
            await bounded(opens(), 0.01, undo=close)
        waiting = asyncio.ensure_future(bounded(opens(), 10, undo=close))
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.sleep(0.01)
        assert undone == ["connection", "connection"]

    asyncio.run(scenario())
