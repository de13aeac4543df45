"""Who took a message how often, told from the broker's one number; when a queue is looked at."""

from hypothesis import given
from hypothesis import strategies as st

from queueing.suspects import LIMIT, Suspects
from queueing.warden import EVERY_S, IDLE_S, LONGEST_S, Watched


@given(st.integers(0, 5_000), st.integers(1, 200))
def test_what_only_we_have_taken_is_never_told(before: int, looks: int) -> None:
    """Protects: a program that hangs over one message for days loses none of those behind it, even
    where we begin anew in between."""
    seen = Suspects()
    for look in range(looks):
        assert seen.looked({"a": before + look}) == set()
    assert seen.any == (looks == 1 and before >= LIMIT)


@given(st.lists(st.integers(0, 7), min_size=1, max_size=60))
def test_what_others_took_twenty_times_is_told(between: list[int]) -> None:
    """Protects: no sooner than the delivery limit, and no later, however they are spread."""
    seen, count, others = Suspects(), 3, 0
    assert seen.looked({"a": count, "b": 0}) == set()
    for taken in between:
        others += taken
        count += taken + 1
        assert seen.looked({"a": count}) == ({"a"} if others >= LIMIT else set())


def test_one_that_went_and_came_again_begins_anew() -> None:
    """Protects: nothing is held against a message that has been elsewhere meanwhile."""
    seen = Suspects()
    seen.looked({"a": 0})
    seen.looked({"b": 0})
    assert seen.looked({"a": 100}) == set()


def test_a_queue_that_moves_is_left_alone_and_one_that_stands_ever_more() -> None:
    """Protects: no look at a queue that is worked; of one that stands a look at once, then at
    growing distances, and again at once where others have had a message meanwhile."""
    queue, now = Watched(), 1000.0
    assert not any(queue.due(ready, now) for ready in (9, 8, 7, 6))
    assert queue.due(6, now)
    distances = []
    for _ in range(8):
        queue.looked({"a": 0}, now)
        distances.append(queue.next_at - now)
        assert not queue.due(6, queue.next_at - 1)
        now = queue.next_at
        queue.suspects = Suspects()
    assert distances[:3] == [EVERY_S, 2 * EVERY_S, 4 * EVERY_S]
    assert distances[-1] == LONGEST_S
    queue.looked({"a": 50}, now)
    assert queue.due(6, now)


def test_an_empty_queue_is_glanced_at_once_a_minute_at_most() -> None:
    """Protects: the last message of a queue may be the one that is nacked for ever; and a queue
    where something comes in after a long rest is looked at as soon as it stands."""
    queue = Watched()
    assert not queue.due(0, 0)
    assert not queue.due(0, IDLE_S - 1)
    assert queue.due(0, IDLE_S)
    queue.looked({}, IDLE_S)
    assert not queue.due(0, 2 * IDLE_S)
    assert not queue.due(1, 2 * IDLE_S)
    assert queue.due(1, 2 * IDLE_S + 1)
