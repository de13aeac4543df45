"""Presence: who does what and who waits, whatever the order of words, and right after a gap."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony import events as ev
from telephony import queue_events as qe
from telephony import reasons
from telephony.agents import PHONES, STATES, Agent, Phone, Standing, State
from telephony.presence import Presence
from telephony.readers import understand
from tests.unit.telephony.house import messages, trace

S = 1_000_000
AGENTS, QUEUES, CHANNELS = ("PJSIP/1", "PJSIP/2"), ("hotline", "policy"), ("a", "b", "c")


def member(
    status: int = 1,
    *,
    at: int = S,
    queue: str = "hotline",
    interface: str = "PJSIP/1",
    paused: str | None = None,
    listed: bool = False,
) -> qe.MemberTold:
    """What a queue tells of a member; `paused`: the reason."""
    kind = qe.MemberListed if listed else qe.MemberTold
    return kind(at, qe.NOBODY, queue, interface, f"agent {interface}", status, paused is not None,
                paused or "", 0)  # fmt: skip


def channel(uniqueid: str, interface: str = "PJSIP/1") -> ev.Party:
    return ev.Party(uniqueid, "call", f"{interface}-{uniqueid}")


def state_of(*events: ev.Event) -> tuple[State, str, int]:
    agent = Presence().after(events).agents["PJSIP/1"]
    return agent.state, agent.reason, agent.since


times = st.integers(0, 50).map(lambda second: second * S)
told = st.builds(
    member,
    st.integers(0, 9),
    at=times,
    queue=st.sampled_from(QUEUES),
    interface=st.sampled_from(AGENTS),
    paused=st.sampled_from([None, "", "meal", reasons.WRAP_UP]),
)
parties = st.builds(channel, st.sampled_from(CHANNELS), st.sampled_from(AGENTS))
live = st.one_of(
    told,
    st.builds(qe.MemberLeft, times, st.just(qe.NOBODY), st.sampled_from(QUEUES),
              st.sampled_from(AGENTS)),
    st.builds(ev.Held, times, parties),
    st.builds(ev.Resumed, times, parties),
    st.builds(ev.ChannelEnded, times, parties, st.just(16)),
    st.builds(ev.CallerQueued, times, parties, st.sampled_from(QUEUES)),
    st.builds(ev.QueueLeft, times, parties, st.sampled_from(QUEUES)),
)  # fmt: skip
lines = st.one_of(
    told.map(lambda one: member(one.status, at=one.at, queue=one.queue, interface=one.interface,
                                paused=one.reason if one.paused else None, listed=True)),
    st.builds(qe.QueueListed, times, st.just(qe.NOBODY), st.sampled_from(QUEUES)),
    st.builds(qe.WaitingListed, times, parties, st.sampled_from(QUEUES), times),
)  # fmt: skip
DONE = qe.QueuesListed(60 * S, qe.NOBODY)


def shown(presence: Presence) -> tuple[dict[str, tuple[State, str]], dict[str, set[str]]]:
    """What people see, times aside; an agent in no queue is as one never heard of."""
    agents = {name: (agent.state, agent.reason) for name, agent in presence.agents.items()}
    known = {name: seen for name, seen in agents.items() if seen[0] is not State.OFFLINE}
    return known, {queue: set(waiting) for queue, waiting in presence.queues.items() if waiting}


def test_every_pair_has_its_state() -> None:
    """No phone and no standing may leave an agent without a state on the wall."""
    assert set(STATES) == set(product(Phone, Standing))
    assert set(STATES.values()) == set(State)
    assert set(PHONES) == set(range(9))


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([member(1)], (State.IDLE, "")),
        ([member(0)], (State.IDLE, "")),
        ([member(6)], (State.RINGING, "")),
        ([member(2)], (State.TALKING, "")),
        ([member(5)], (State.OFFLINE, "")),
        ([member(5, paused="meal")], (State.OFFLINE, "")),
        ([member(1, paused=reasons.WRAP_UP)], (State.AFTER_CALL, "")),
        ([member(1, paused="meal")], (State.BREAK, "meal")),
        ([member(1, paused="")], (State.BREAK, "")),
        ([member(2, paused="meal")], (State.TALKING, "")),
        ([member(2, paused="meal"), member(1, paused="meal")], (State.BREAK, "meal")),
        ([member(), member(queue="policy", paused="meal")], (State.IDLE, "")),
        (
            [member(paused=reasons.WRAP_UP), member(queue="policy", paused="meal")],
            (State.BREAK, "meal"),
        ),
        ([member(2), ev.Held(2 * S, channel("a"))], (State.HOLDING, "")),
        ([member(2), ev.Held(S, channel("a")), ev.Resumed(S, channel("a"))], (State.TALKING, "")),
        ([member(2), ev.Held(S, channel("a")), member(1)], (State.IDLE, "")),
        (
            [member(2), ev.Held(S, channel("a")), ev.ChannelEnded(S, channel("a"), 16)],
            (State.TALKING, ""),
        ),
        ([member(), qe.MemberLeft(S, qe.NOBODY, "hotline", "PJSIP/1")], (State.OFFLINE, "")),
    ],
)
def test_what_is_shown(events: list[ev.Event], expected: tuple[State, str]) -> None:
    """The seven states of the wallboard, each from what brings it."""
    assert state_of(*events)[:2] == expected


def test_since_when_is_kept_until_the_state_is_another() -> None:
    """A word that changes nothing must not set the clock on the tile back to nought."""
    assert (
        state_of(member(2, at=S), member(2, at=9 * S), ev.Held(12 * S, channel("a")))[2] == 12 * S
    )
    assert state_of(member(2, at=S), member(2, at=9 * S), member(2, queue="policy"))[2] == S
    assert state_of(member(paused="meal", at=S), member(paused="rest", at=4 * S))[2] == 4 * S


def test_a_pause_found_after_a_gap_counts_from_its_beginning() -> None:
    """The PBX says since when somebody is paused, though nobody listened then."""
    paused = replace(member(paused="meal", at=90 * S, listed=True), paused_at=30 * S)
    assert state_of(member(at=S), paused, DONE) == (State.BREAK, "meal", 30 * S)


def test_a_hold_ends_with_a_channel_that_no_snapshot_shows() -> None:
    """Resumed and ended in a gap, then on another call: not on hold."""
    began = [member(2), ev.Held(S, channel("a")), ev.Held(S, channel("b", "PJSIP/2"))]
    kept = ev.ChannelSeen(3 * S, channel("b", "PJSIP/2"), "", "", "", 0)
    presence = Presence().after([*began, member(2, interface="PJSIP/2")])
    presence = presence.after([ev.Held(S, channel("b", "PJSIP/2")), kept])
    presence = presence.after([ev.SnapshotDone(4 * S, qe.NOBODY)])
    states = {name: agent.state for name, agent in presence.agents.items()}
    assert states == {"PJSIP/1": State.TALKING, "PJSIP/2": State.HOLDING}


@given(st.lists(live), st.lists(lines), st.lists(live))
def test_after_a_whole_answer_only_the_answer_counts(
    before: list[ev.Event], answer: list[ev.Event], after: list[ev.Event]
) -> None:
    """Whatever was known before a gap: afterwards it is as if it had never been, but for who there
    is (a hold is kept of an agent heard of, in a queue or not)."""
    holds = [event for event in before if isinstance(event, ev.Held)]
    known = Presence().after(event for event in before if event not in holds)
    heard_of = {name: Agent(name, agent.member) for name, agent in known.agents.items()}
    fresh = Presence(heard_of).after([*answer, DONE, *after])
    assert shown(known.connected().after([*answer, DONE, *after])) == shown(fresh)


@given(st.lists(live), st.lists(lines, min_size=1), st.lists(live), st.data())
def test_events_among_the_lines_come_after_them(
    before: list[ev.Event], answer: list[ev.Event], meanwhile: list[ev.Event], data: st.DataObject
) -> None:
    """List and events reach us in an order of their own: the end is the same."""
    known = Presence().after(before)
    mixed = list(answer[1:])
    places = sorted(data.draw(st.lists(st.integers(0, len(mixed)), min_size=len(meanwhile),
                                       max_size=len(meanwhile))), reverse=True)  # fmt: skip
    for place, event in zip(places, reversed(meanwhile), strict=True):
        mixed.insert(place, event)
    together = known.after([answer[0], *mixed, DONE])
    assert shown(together) == shown(known.after([*answer, *meanwhile, DONE]))


@given(st.lists(st.one_of(live, lines, st.just(DONE))), st.data())
def test_batches_do_not_matter_and_nothing_is_changed_in_place(
    events: list[ev.Event], data: st.DataObject
) -> None:
    """A batch that fails is taken again: the presence before it must be as it was."""
    cut = data.draw(st.integers(0, len(events)))
    first = Presence().after(events[:cut])
    waiting = {queue: dict(callers) for queue, callers in first.queues.items()}
    kept = replace(first, agents=dict(first.agents), queues=waiting)
    assert first.after(events[cut:]) == Presence().after(events)
    assert first == kept


@given(st.lists(st.one_of(live, lines, st.just(DONE))))
def test_every_state_follows_from_the_table(events: list[ev.Event]) -> None:
    """No path leads an agent to a state that phone and standing do not give."""
    for agent in Presence().after(events).agents.values():
        assert agent.state is STATES[agent.phone, agent.standing[0]] or agent == Agent(
            agent.interface, agent.member
        )
        assert (agent.reason == "") or agent.state is State.BREAK


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("answered", ["ringing", "talking", "idle"]),
        ("held", ["ringing", "talking", "holding", "talking", "holding", "talking", "idle"]),
        ("ring-no-answer", ["ringing", "idle", "ringing", "idle"]),
        ("agent-first", ["ringing", "talking", "idle"]),
    ],
)
def test_real_streams(name: str, expected: list[str]) -> None:
    """Recorded from Asterisk 22 with the shipped filter: what the first agent's tile shows."""
    presence, states = Presence(), list[State]()
    first = ""
    for message in messages(trace(f"{name}.ami")):
        event = understand(message)
        if event is None:
            continue
        presence = presence.after([event])
        first = first or next(iter(presence.agents), "")
        if first and (not states or states[-1] != presence.agents[first].state):
            states.append(presence.agents[first].state)
    assert states == expected
    assert not any(presence.queues.values())


def test_a_real_answer_shows_what_the_events_before_it_showed() -> None:
    """QueueStatus from Asterisk 22: two pause, two talk, one waits. Heard alone it gives the same
    as all that was told before it, and since when one waits to the second."""
    events = [event for m in messages(trace("queue-status.ami")) if (event := understand(m, 0))]
    ends = next(n for n, event in enumerate(events) if isinstance(event, qe.QueuesListed)) + 1
    starts = next(n for n, event in enumerate(events) if isinstance(event, qe.QueueListed))
    expected = {
        "PJSIP/8001": (State.BREAK, "meal"),
        "PJSIP/8002": (State.AFTER_CALL, ""),
        "PJSIP/8003": (State.TALKING, ""),
        "PJSIP/8004": (State.TALKING, ""),
    }
    told = Presence().after(events[:starts])
    alone = Presence().after(events[starts:ends])
    assert shown(told) == shown(alone) == shown(told.after(events[starts:ends]))
    assert shown(alone)[0] == expected
    assert set(alone.queues) == {"hotline", "policy"}
    assert list(alone.queues["hotline"].values()) == [-1 * S]  # Wait: 1, received at 0
    assert list(told.after(events[starts:ends]).queues["hotline"].values()) > [S]
    assert {agent.state for agent in alone.after(events[ends:]).agents.values()} == {State.IDLE}
