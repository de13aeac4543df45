"""When recordings may be destroyed: never before the floor, and never by a clock set forward."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings import clocked, keys, retention
from recordings.clocked import Sighting, Standing, Void
from recordings.errors import PlanInvalid
from recordings.retention import State

US = 1_000_000
DAY = 86_400 * US
TIMES = st.integers(0, 4_000_000_000 * US)


def test_the_floor_is_two_years() -> None:
    """730 days, whatever the settings; the keys' own word counts by the same."""
    assert retention.FLOOR_US == 730 * DAY == keys.KEPT // timedelta(microseconds=1)


@given(TIMES, st.none() | TIMES, TIMES)
def test_never_earlier_than_any_source(recorded: int, call: int | None, sealed: int) -> None:
    """Not a microsecond before 730 days after the latest of the three moments."""
    due = retention.due_at(recorded_end=recorded, call_end=call, sealed_at=sealed)
    assert due - 730 * DAY == max(recorded, call or 0, sealed)


@pytest.mark.parametrize(
    ("key_id", "first_day"),
    [
        ("2026-11", "2028-11-30"),  # 2028 is a leap year: 730 days are a day less than two years
        ("2024-02", "2026-03-01"),
        ("2024-12", "2027-01-01"),
        ("2027-02", "2029-02-28"),
        ("hold-2028-12", "2029-01-01"),
    ],
)
def test_a_keys_own_word(key_id: str, first_day: str) -> None:
    """Counted from the month's end in China, also over leap years; a hold key's from its month."""
    midnight = datetime.fromisoformat(first_day).replace(tzinfo=keys.CHINA)
    assert keys.not_before_at(key_id) == int(midnight.timestamp()) * US


@given(TIMES)
def test_a_months_last_call_is_covered(at: int) -> None:
    """Whenever a call is recorded, the key of its moment is never due before the call is."""
    key_id = keys.key_id_at(at)
    assert keys.not_before_at(key_id) > retention.due_at(
        recorded_end=at, call_end=None, sealed_at=at
    )


def test_the_way_of_a_plan() -> None:
    """No way leads to the key but over everything that has to come before it, and none back."""
    path = ["stand", "confirm", "rewrap", "begin", "shred", "remove", "certify"]
    state = State.PROPOSED
    for act in path:
        for other in {*path, "void", "keep"} - {act}:
            if (state, other) not in retention.STEPS:
                with pytest.raises(PlanInvalid):
                    retention.step(state, other)
        state = retention.step(state, act)
    assert state == State.CERTIFIED
    for gone in retention.GONE:
        with pytest.raises(PlanInvalid):
            retention.step(gone, "void")


START = Sighting(2_000_000_000 * US, "boot", 50 * DAY)


def stand(looks: list[Sighting]) -> Standing | Void:
    standing: Standing | Void = Standing(START.wall, 0, START)
    for look in looks:
        if isinstance(standing, Standing):
            standing = clocked.stood(standing, look)
    return standing


def on(hours: float, ahead: int = 0, boot: str = "boot", boot_us: int | None = None) -> Sighting:
    lived = int(hours * 3600 * US)
    return Sighting(START.wall + lived + ahead, boot, START.boot_us + lived if boot_us is None
                    else boot_us)  # fmt: skip


def test_seven_days_lived_through_count() -> None:
    """Looked at every ten minutes for a week, a plan has stood for a week."""
    looks = [on(n / 6) for n in range(1, 7 * 24 * 6 + 1)]
    assert stand(looks) == Standing(START.wall, 7 * DAY, looks[-1])


@pytest.mark.parametrize("hours", [1 / 6, 6 * 24])
def test_a_clock_set_forward_adds_nothing(hours: float) -> None:
    """Three years ahead for ten minutes or six days: what was lived counts, and then it is void."""
    looks = [on(n / 6, ahead=3 * 365 * DAY) for n in range(1, int(hours * 6) + 1)]
    ahead = stand(looks)
    assert isinstance(ahead, Standing)
    assert ahead.stood_us <= hours * 3600 * US
    assert stand([*looks, on(hours + 1)]) == Void("backwards")


def test_a_plan_from_the_future_is_void() -> None:
    """Made while the clock was ahead, it does not outlive the clock's being set right."""
    assert stand([on(-48)]) == Void("ahead")


def test_what_was_not_lived_does_not_count() -> None:
    """Off for a year, or started again: nothing is added, and it goes on from there."""
    restarted = on(24 * 365, boot="next", boot_us=0)
    assert stand([restarted]) == Standing(START.wall, 0, restarted)
    assert stand([on(24 * 365)]) == Standing(START.wall, clocked.LONGEST_US, on(24 * 365))


@given(st.lists(st.tuples(TIMES, st.sampled_from(["a", "b"]), st.integers(0, 400 * DAY))))
def test_no_more_than_was_lived(looks: list[tuple[int, str, int]]) -> None:
    """Whatever the clocks say, no boot adds more than it was up, and no look more than an hour."""
    seen = [Sighting(*look) for look in looks]
    standing = stand(seen)
    if isinstance(standing, Standing):
        assert 0 <= standing.stood_us <= len(seen) * clocked.LONGEST_US
