"""The window over everything that can happen to what is in flight, in any order."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from queueing.window import LOST, OF_THE_SICK, SICK, Window

BYTES = 1_000


class Flights(RuleBasedStateMachine):
    """Rows begun whenever there is room, answered, broken or given up as the machine likes."""

    def __init__(self) -> None:
        super().__init__()
        self.window = Window(least=4, most=32, bytes_most=BYTES)
        self.number = 0
        self.waiting: dict[int, int] = {}
        self.alone = False

    @rule(department=st.sampled_from("ab"), size=st.integers(1, BYTES * 2))
    def begin(self, department: str, size: int) -> None:
        if self.window.room(size) and not self.window.shuns(department):
            self.alone = self.window.flying == 0
            self.number += 1
            self.window.begin(self.number, department, size)
            self.waiting[self.number] = size

    @precondition(lambda self: self.waiting)
    @rule(data=st.data(), well=st.booleans())
    def answer(self, data: st.DataObject, well: bool) -> None:
        before = self.window.size
        row = data.draw(st.sampled_from(sorted(self.waiting)))
        del self.waiting[row]
        self.window.answered(row, well=well)
        assert before <= self.window.size <= 2 * before

    @precondition(lambda self: self.waiting)
    @rule()
    def the_link_breaks(self) -> None:
        for row in list(self.waiting):
            self.window.broken(row)
        self.waiting.clear()
        assert (self.window.size, self.window.flying, self.window.sick) == (4, 0, [])

    @rule(heard=st.booleans())
    def a_second_passes(self, heard: bool) -> None:
        for row in self.window.tick(heard=heard):
            self.window.broken(row)
            del self.waiting[row]

    @invariant()
    def never_more_than_allowed(self) -> None:
        assert 4 <= self.window.size <= 32
        assert self.window.flying <= len(self.waiting)
        assert self.window.flying <= 32

    @invariant()
    def what_is_free_is_free(self) -> None:
        if not self.waiting:
            assert self.window.room(BYTES * 9)
            assert not self.window.shuns("a")


Flights.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
test_flights = Flights.TestCase
"""Protects: never more in flight than the window, nothing counted twice or for ever."""


def fill(window: Window, department: str, first: int) -> int:
    """Begin rows until there is no room for more; how many."""
    begun = 0
    while window.room(1) and not window.shuns(department):
        window.begin(first + begun, department, 1)
        begun += 1
    return begun


def test_it_grows_by_what_was_confirmed_and_falls_with_the_link() -> None:
    """Protects: a kill doubles few messages, and a good link is used in full."""
    window, number = Window(), 0
    for size in (16, 32, 64, 128, 256, 256):
        assert window.size == size
        for _ in range(size):
            number += 1
            window.begin(number, "a", 1)
            window.answered(number, well=True)
    window.begin(0, "a", 1)
    window.broken(0)
    assert window.size == 16


def test_it_is_filled_a_quarter_at_a_time() -> None:
    """Protects: answers that come one by one are not followed by a call into the kernel each."""
    window = Window()
    assert window.open
    assert fill(window, "a", 0) == 16
    found = []
    for number in range(5):
        found.append(window.open)
        window.answered(number, well=False)
    assert found == [False, False, False, False, True]


def test_what_was_refused_makes_no_window_wider() -> None:
    """Protects: a full queue's refusals are no reason to send faster."""
    window = Window()
    for number in range(100):
        window.begin(number, "a", 1)
        window.answered(number, well=False)
    assert window.size == 16


def test_a_frozen_broker_keeps_its_window() -> None:
    """Protects: SIGSTOP and `blocked`: however long nobody is answered, nothing more is sent and
    nothing is given up to be sent twice (a message with a timer of its own was)."""
    window = Window()
    assert fill(window, "a", 0) == 16
    assert [window.tick() for _ in range(1_000)] == [[]] * 1_000
    assert fill(window, "a", 100) == fill(window, "b", 100) == 0


def test_a_window_full_of_one_sick_queue_opens_for_the_others() -> None:
    """Protects: nobody at all is answered, but the broker lives: it is asked, and says so."""
    window = Window()
    assert fill(window, "sick", 0) == 16
    assert window.quiet
    for _ in range(SICK):
        assert fill(window, "well", 100) == 0
        assert window.tick(heard=True) == []
    assert window.sick == ["sick"]
    assert fill(window, "well", 100) == 16


def test_a_sick_queue_leaves_the_window_to_the_others() -> None:
    """Protects: a queue without a leader fills the window of all, and then of none."""
    window = Window()
    assert fill(window, "sick", 0) == 16
    for second in range(SICK):
        assert window.sick == []
        window.begin(100, "well", 1)  # as if one had been there before
        window.answered(100, well=True)
        assert window.tick() == [], second
    assert window.sick == ["sick"]
    assert fill(window, "sick", 200) == 0
    assert fill(window, "well", 200) == window.size
    for number in range(16 - OF_THE_SICK + 1):
        window.answered(number, well=True)
    assert not window.shuns("sick")


def test_an_answer_that_was_lost_is_given_up_in_the_end() -> None:
    """Protects: a ticket's next message is not held up for ever by one lost confirmation."""
    window = Window()
    window.begin(1, "a", 1)
    for second in range(LOST):
        window.begin(2, "b", 1)
        window.answered(2, well=True)
        assert window.tick() == ([1] if second == LOST - 1 else [])
    window.broken(1)
    assert not window.shuns("a")
