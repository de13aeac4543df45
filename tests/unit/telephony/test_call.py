"""The call's state machine on real traces, and on every order of events there is."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony import events as ev
from telephony import facts as fa
from telephony.call import TRANSITIONS, Call, Signal, State, begin, step
from telephony.events import Event, Party
from telephony.readers import understand
from tests.unit.telephony.house import messages, trace


def play(events: Sequence[Event]) -> tuple[Call, list[fa.Fact], int]:
    """All events of one call: the call, its facts, and how many were refused."""
    call, told = begin("p", events[0])
    facts, refused = list(told), 0
    for event in events[1:]:
        taken = step(call, event)
        if taken is None:
            refused += 1
        else:
            call = taken[0]
            facts += taken[1]
    return call, facts, refused


def events_of(name: str) -> list[Event]:
    return [event for m in messages(trace(name)) if (event := understand(m)) is not None]


def test_a_phone_that_rang_out_is_told_from_one_withdrawn() -> None:
    """Figures of agents count a ring not answered, and not one the caller cut short."""
    call, _, _ = play(events_of("ring-no-answer.ami"))
    assert [leg.result for leg in call.legs] == ["no_answer", "withdrawn"]


def test_waiting_ends_when_the_agent_speaks() -> None:
    """15 秒应答率 is counted from entering the queue to the agent's answer."""
    events = events_of("answered.ami")
    queued = next(e for e in events if isinstance(e, ev.CallerQueued))
    later = [
        replace(e, at=queued.at + 14_999_999) if isinstance(e, ev.AgentAnswered) else e
        for e in events
    ]
    _, facts, _ = play(later)
    assert next(f for f in facts if isinstance(f, fa.Answered)).waited_ms == 14_999


ME = Party("1.1", "1.1", "PJSIP/trunk-1", "from-pstn", "12333", "138", "name")
LEGS = ("2.1", "2.2")


def agent_events(leg: str) -> list[Event]:
    who = (leg, f"PJSIP/{leg}", "member")
    return [
        ev.AgentOffered(0, ME, *who),
        ev.AgentDeclined(0, ME, *who),
        ev.AgentAnswered(0, ME, *who),
        ev.AgentReleased(0, ME, *who, "agent"),
        ev.PhoneRang(0, ME, *who),
        ev.PhoneRefused(0, ME, *who),
        ev.PhoneAnswered(0, ME, *who),
        ev.Fetched(0, ME, *who),
        ev.Held(0, Party(leg, "1.1")),
        ev.Resumed(0, Party(leg, "1.1")),
        ev.PassedOn(0, ME, leg, "8009"),
        ev.PassedOn(0, ME, leg, "PJSIP/2.3", "2.3", "PJSIP/2.3"),
        ev.PassedOn(0, ME, leg, "PJSIP/trunk", "9.9"),
        ev.ChannelBegan(0, Party(leg, "1.1")),
        ev.ChannelEnded(0, Party(leg, "1.1"), 16),
    ]


ALL_EVENTS: list[Event] = [
    ev.ChannelBegan(0, ME),
    ev.CallerQueued(0, ME, "hotline"),
    ev.CallerQueued(0, ME, "second"),
    ev.QueueLeft(0, ME, "hotline"),
    ev.HangupAsked(0, ME),
    ev.HangupAsked(0, Party("2.1", "1.1")),
    ev.RecordingBegan(0, ME),
    ev.RecordingBegan(0, Party("2.1", "1.1")),
    ev.ChannelEnded(0, ME, 16),
    ev.ChannelVanished(0, ME),
    ev.Parked(0, ME),
    *agent_events("2.1"),
    *agent_events("2.2"),
]
any_order = st.lists(st.sampled_from(ALL_EVENTS), max_size=25).map(
    lambda events: [replace(event, at=n * 1_000_000) for n, event in enumerate(events)]
)


@settings(max_examples=300, deadline=None)
@given(any_order)
def test_any_order_of_events_leaves_a_sound_call(events: list[Event]) -> None:
    """Late, lost, doubled and shuffled events never crash it nor tell a fact twice."""
    call, facts, _ = play([ev.ChannelBegan(0, ME), *events])
    once = [
        (type(fact), getattr(fact, "leg", None))
        for fact in facts
        if not isinstance(fact, fa.Queued | fa.Held | fa.Resumed)
    ]
    assert len(once) == len(set(once))
    assert (call.state is State.ENDED) == (call.ended_at is not None) == (call.outcome is not None)
    assert (call.outcome == "answered") == (
        call.ended_at is not None and call.answered_at is not None
    )
    ringing = {leg.leg for leg in call.ringing}
    assert call.state is not State.OFFERED or ringing
    assert not ringing or call.state in {State.OFFERED, State.TRANSFERRING}
    assert (call.state is State.HELD) == any(leg.held_at is not None for leg in call.legs)
    offered = {f.leg for f in facts if isinstance(f, fa.Offered)}
    stopped = {f.leg for f in facts if isinstance(f, fa.Withdrawn | fa.Answered)}
    assert offered - stopped == ringing


@given(any_order, st.sampled_from(ALL_EVENTS))
def test_a_finished_call_is_never_changed(events: list[Event], late: Event) -> None:
    """Whatever comes after the end is refused: the record stands as it was closed."""
    call, _, _ = play([ev.ChannelBegan(0, ME), *events, ev.ChannelEnded(99, ME, 16)])
    assert step(call, late) is None


@given(any_order, st.data())
def test_an_event_told_twice_is_told_once(events: list[Event], data: st.DataObject) -> None:
    """The PBX, or a second snapshot, may repeat itself: the repetition changes nothing."""
    call, _, _ = play([ev.ChannelBegan(0, ME), *events])
    event = data.draw(st.sampled_from(ALL_EVENTS))
    taken = step(call, event)
    if taken is not None:
        assert step(taken[0], event) is None


def test_the_table_lists_every_state_and_only_lets_calls_end_once() -> None:
    """Each state has a way on, the last has none, and every signal is used somewhere."""
    assert {state for state, _ in TRANSITIONS} == set(State) - {State.ENDED}
    assert {signal for _, signal in TRANSITIONS} == set(Signal)
    for state in set(State) - {State.ENDED}:
        assert TRANSITIONS[state, Signal.GONE] is State.ENDED
        assert TRANSITIONS[state, Signal.VANISHED] is State.ENDED


@pytest.mark.parametrize(
    ("before", "outcome", "cause"),
    [
        ([], "left", "hangup"),
        ([ev.CallerQueued(0, ME, "hotline")], "abandoned", "hangup"),
        ([ev.CallerQueued(0, ME, "h"), ev.QueueLeft(0, ME, "h")], "abandoned", "timeout"),
        ([ev.CallerQueued(0, ME, "h"), ev.HangupAsked(0, ME)], "abandoned", "caller"),
        (
            [ev.CallerQueued(0, ME, "h"), ev.HangupAsked(0, ME), ev.QueueLeft(0, ME, "h")],
            "abandoned",
            "caller",
        ),
        ([ev.HangupAsked(0, ME)], "left", "caller"),
        ([ev.CallerQueued(0, ME, "h"), *agent_events("2.1")[2:4]], "answered", "agent"),
        (
            [
                ev.CallerQueued(0, ME, "h"),
                agent_events("2.1")[2],
                ev.HangupAsked(0, Party("2.1", "1.1")),
            ],
            "answered",
            "agent",
        ),
        (
            [ev.CallerQueued(0, ME, "h"), agent_events("2.1")[2], ev.HangupAsked(0, ME)],
            "answered",
            "caller",
        ),
    ],
)
def test_how_a_call_ended(before: list[Event], outcome: str, cause: str) -> None:
    """Outcome and cause decide whether somebody has to ring back, whatever order words come in."""
    _, facts, _ = play([ev.ChannelBegan(0, ME), *before, ev.ChannelEnded(1, ME, 16)])
    ended = facts[-1]
    assert isinstance(ended, fa.Ended)
    assert (ended.outcome, ended.cause) == (outcome, cause)


def test_the_second_agent_is_not_left_ringing() -> None:
    """Two phones ring, one answers: the other's desk is told, and its leg is closed."""
    first, second = agent_events("2.1"), agent_events("2.2")
    call, facts, _ = play(
        [ev.ChannelBegan(0, ME), ev.CallerQueued(0, ME, "h"), first[0], second[0], second[2]]
    )
    assert [type(fact).__name__ for fact in facts[-2:]] == ["Withdrawn", "Answered"]
    assert call.ringing == ()


def test_who_is_with_a_colleague_already_is_not_being_transferred() -> None:
    """Joined to a conference by an attended transfer, the caller may be told to be there before
    the transfer is told: in whichever order, they talk to the colleague."""
    first, second = agent_events("2.1"), agent_events("2.2")
    met, passed = second[2], ev.PassedOn(0, ME, "2.1", "ConfBridge")
    for order in ([met, passed], [passed, met]):
        call, _, refused = play(
            [ev.ChannelBegan(0, ME), ev.CallerQueued(0, ME, "h"), first[2], *order]
        )
        assert (call.state, refused) == (State.TALKING, 0)
        assert [leg.leg for leg in call.with_agents] == ["2.2"]


def test_a_transfer_by_a_local_channel_rings_one_phone() -> None:
    """The dialplan sends the caller to Local/8002@agents, which dials the phone: what is said of
    the Local channel beside is the same ring and the same answer, told once, as the phone's."""
    half = Party("3.2", "1.1", "Local/8002@agents-00000001;2")
    local, phone = ("3.1", "Local/8002@agents", ""), ("3.3", "PJSIP/8002", "")
    first = agent_events("2.1")
    call, facts, _ = play(
        [
            *(ev.ChannelBegan(0, ME), ev.CallerQueued(0, ME, "h"), first[2]),
            *(first[10], ev.PhoneRang(1, ME, *local), ev.PhoneRang(1, half, *phone)),
            *(ev.PhoneAnswered(2, half, *phone), ev.PhoneAnswered(2, ME, *local)),
            ev.ChannelEnded(3, Party("3.1", "1.1"), 16),
        ]
    )
    told = [(type(f).__name__, f.leg) for f in facts if isinstance(f, fa.Offered | fa.Answered)]
    assert told == [("Answered", "2.1"), ("Offered", "3.3"), ("Answered", "3.3")]
    assert [leg.interface for leg in call.with_agents] == ["PJSIP/8002"]


def test_a_local_channel_with_no_phone_behind_it_still_answers() -> None:
    """An agent reached in a way the dialplan keeps to itself: the call is answered all the same."""
    call, _, _ = play(
        [
            *(ev.ChannelBegan(0, ME), ev.CallerQueued(0, ME, "h")),
            ev.AgentAnswered(1, ME, "3.1", "Local/agent@elsewhere", "agent"),
        ]
    )
    assert (call.state, call.answered_at) == (State.TALKING, 1)
