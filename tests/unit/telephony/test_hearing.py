"""What a reader that stood still may claim to have heard: never more than it did."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.batch import Lost
from telephony.hearing import BREAK_US, Hearing
from tests.unit.telephony.peer import Peer, event
from tests.unit.telephony.test_line_faults import QUICK, Ours, clock, until

S = 1_000_000
TICK = BREAK_US // 2
PING = 10  # ticks

_SPELLS = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 60)), min_size=1, max_size=8)
"""Awake for so many ticks, then standing still for so many."""


@given(_SPELLS, st.integers(1, 400), st.integers(1, 25))
def test_no_moment_is_heard_in_which_the_pbx_had_dropped_us(
    spells: list[tuple[int, int]], dropped_at: int, says_every: int
) -> None:
    """Awake and still in turn, words now and then, the session ended somewhere in between: what is
    heard ends there, and no earlier than what an answer proves."""
    hearing, tick, read, proven = Hearing(), 0, 0, 0
    answers: list[int] = []
    hearing.read(0)  # signed in
    for awake, still in spells:
        for _ in range(awake):
            tick += 1
            said = range(read + 1, min(tick, dropped_at) + 1)
            read = tick
            if answers or any(at % says_every == 0 for at in said):
                hearing.read(tick * TICK)
                for asked_at in answers:
                    hearing.answered(str(asked_at))
                    proven = asked_at * TICK
                answers.clear()
                assert hearing.at is not None
                assert proven <= hearing.at <= dropped_at * TICK + BREAK_US
            if tick % PING == 0:  # answered at once; read later, it may be much later
                hearing.asked(str(tick), tick * TICK)
                answers += [tick] if tick < dropped_at else []
        tick += still


def test_read_without_a_break_all_is_here() -> None:
    """As on any busy PBX: the interval would begin with the last word."""
    hearing = Hearing()
    for now in range(0, 9 * BREAK_US, BREAK_US):
        hearing.read(now)
        assert hearing.at == now


def test_after_a_break_an_answer_counts_from_when_it_was_asked_for() -> None:
    """One that lay in the kernel proves nothing of now; the next one does."""
    hearing = Hearing()
    hearing.read(1 * S)
    hearing.asked("before", 2 * S)
    hearing.read(600 * S)
    assert hearing.at == 1 * S
    hearing.answered("before")
    assert (hearing.at, hearing.read_at) == (2 * S, 600 * S)
    hearing.asked("after", 600 * S)
    hearing.read(600 * S + 1)
    assert hearing.at == 2 * S
    hearing.answered("after")
    assert hearing.at == 600 * S + 1


@pytest.mark.parametrize("still_s", [0, 6, 3_600])
def test_a_link_lost_while_we_stood_still_is_lost_since_then(still_s: int) -> None:
    """An hour of standing still, and words of its beginning in the socket: the interval is the
    hour, not the moment in which they were read."""
    with Peer() as peer:
        ours, stood = Ours(peer, QUICK), 0
        ours.line._clock = lambda: clock() + stood * 1_000_000

        async def scenario() -> None:
            nonlocal stood
            await until(lambda: b"Action: QueueStatus" in peer.received)
            await asyncio.sleep(0.2)  # its answer is read
            began, stood = clock(), still_s
            peer.say(event("Newchannel", ("Uniqueid", "1.1"), ("Linkedid", "1.1")))
            await until(lambda: bool(ours.messages))
            peer.drop()
            await until(lambda: any(isinstance(change, Lost) for change in ours.changes))
            lost = next(change for change in ours.changes if isinstance(change, Lost))
            assert lost.last_packet_at is not None
            assert abs(lost.last_packet_at - began) < 900_000

        ours.run(scenario)
