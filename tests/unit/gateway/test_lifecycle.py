"""The two state machines: what the tables list happens, what they do not list changes nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import IllegalStep
from gateway.tickets import lifecycle
from gateway.tickets.lifecycle import (
    ACTION_NAMES,
    ORDER_STATE_NAMES,
    ORDER_TRANSITIONS,
    PUSHES,
    STATE_NAMES,
    TRANSITIONS,
    OrderState,
    TicketState,
    Transitions,
)

ACTIONS = sorted({action for _, action in (*TRANSITIONS, *ORDER_TRANSITIONS, *PUSHES)})


@pytest.mark.parametrize(
    ("table", "states"),
    [(TRANSITIONS, TicketState), (ORDER_TRANSITIONS, OrderState), (PUSHES, OrderState)],
)
def test_only_listed_steps_happen(table: Transitions, states: type[TicketState]) -> None:
    """Every state × every action: the listed ones lead where they say, all others are refused."""
    for state in states:
        for action in ACTIONS:
            if (state, action) in table:
                assert lifecycle.step(table, state, action) == table[state, action]
            else:
                with pytest.raises(IllegalStep):
                    lifecycle.step(table, state, action)


def test_the_way_of_a_ticket() -> None:
    """DOMAIN.md's way: registered, accepted, dispatched, signed, replied, closed."""
    state: str = TicketState.DRAFT
    for action in ("register", "accept", "dispatch", "sign", "reply", "close"):
        state = lifecycle.step(TRANSITIONS, state, action)
    assert state == TicketState.CLOSED


def test_every_state_can_be_reached_and_left_or_is_an_end() -> None:
    """No state is a trap: from the draft one gets everywhere, and open states lead on."""
    reached = {str(TicketState.DRAFT)} | set(map(str, TRANSITIONS.values()))
    assert reached == set(map(str, TicketState))
    for state in lifecycle.OPEN_STATES:
        assert lifecycle.legal(TRANSITIONS, state)


def test_a_refusal_says_what_may_be_done_instead() -> None:
    """The clerk who is refused reads, in Chinese first, what is possible now."""
    with pytest.raises(IllegalStep, match="现在可以：签收、退单") as refused:
        lifecycle.step(TRANSITIONS, TicketState.DISPATCHED, "close")
    assert "possible now: sign, return" in str(refused.value)


def test_everything_has_names_in_both_languages() -> None:
    """No code word is ever shown to a person."""
    assert set(STATE_NAMES) == set(TicketState)
    assert set(ORDER_STATE_NAMES) == set(OrderState)
    assert set(ACTIONS) <= set(ACTION_NAMES)


@given(st.text(), st.text())
def test_no_input_crashes_it(state: str, action: str) -> None:
    """Whatever comes in is a listed step or an `IllegalStep`, nothing else."""
    try:
        assert lifecycle.step(TRANSITIONS, state, action) in set(TicketState)
    except IllegalStep:
        assert (state, action) not in TRANSITIONS
