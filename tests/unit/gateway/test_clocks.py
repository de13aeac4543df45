"""Working days as the State Council's notices have them, and no guess beyond them."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.tickets import clocks
from gateway.tickets.clocks import CHINA, YearNotPublished, after_working_days, china

KNOWN_US = st.integers(
    int(datetime(2020, 1, 1, tzinfo=CHINA).timestamp()) * 1_000_000,
    int(datetime(2026, 11, 30, tzinfo=CHINA).timestamp()) * 1_000_000,
)


def us(*when: int) -> int:
    return int(datetime(*when, tzinfo=CHINA).timestamp()) * 1_000_000  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        ((2026, 11, 20, 9), 3, (2026, 11, 25)),  # a Friday: the weekend does not count
        ((2026, 9, 30, 9), 3, (2026, 10, 10)),  # National Day holiday, then a working Saturday
        ((2026, 2, 13, 9), 1, (2026, 2, 14)),  # the Saturday before Spring Festival is worked
        ((2026, 11, 23, 23, 59), 1, (2026, 11, 24)),  # the day itself does not count
        ((2026, 11, 23, 0, 1), 1, (2026, 11, 24)),
    ],
)
def test_known_dates(start: tuple[int, ...], days: int, end: tuple[int, int, int]) -> None:
    """Dates counted by hand from the 2026 notice."""
    found = china(after_working_days(us(*start), days))
    assert (found.year, found.month, found.day) == end
    assert (found.hour, found.minute, found.second) == (23, 59, 59)


def test_a_year_without_notice_is_not_guessed() -> None:
    """chinesecalendar ends with 2026: a date that would run into 2027 is refused, saying why."""
    with pytest.raises(YearNotPublished, match="2027 年放假安排尚未载入"):
        after_working_days(us(2026, 12, 30, 9), 3)


@given(KNOWN_US, st.integers(0, 15))
def test_exactly_that_many_working_days_lie_between(at: int, days: int) -> None:
    """Counting back what was counted forward gives the same number."""
    first, last = china(at).date(), china(after_working_days(at, days)).date()
    between = [first + timedelta(days=n + 1) for n in range((last - first).days)]
    assert sum(clocks.is_working_day(day) for day in between) == days
    assert not between or clocks.is_working_day(last)
