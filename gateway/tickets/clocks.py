"""Working days (工作日), as the State Council's yearly notice has them; pure.

A day is a working day when the notice says so: holidays are not, the weekends that pay for them
(调休) are. A year whose notice is not known is never guessed: `YearNotPublished` is raised, and who
asked leaves the date open and says why. Days are those of China Standard Time, fixed at UTC+8.
Defaults are DOMAIN.md's (Clocks). Nothing here reads a clock.
"""

from datetime import UTC, date, datetime, time, timedelta, timezone

import chinese_calendar

from gateway.errors import HotlineError

CHINA = timezone(timedelta(hours=8), "CST")
ANSWER_DAYS = {"ordinary": 3, "major": 7}  # the department's answer, by level


class YearNotPublished(HotlineError):
    """The holidays of a year that a date would fall in are not known."""

    def __init__(self, year: int) -> None:
        self.year = year
        super().__init__(
            f"{year} 年放假安排尚未载入，无法计算期限；请升级 chinesecalendar。 "
            f"The holidays of {year} are not known, so no date can be set; upgrade chinesecalendar."
        )


def china(at: int) -> datetime:
    """The China Standard Time of `at` (µs since the epoch)."""
    return datetime.fromtimestamp(at // 1_000_000, UTC).astimezone(CHINA)


def end_of(day: date) -> int:
    """The last second of `day` in China, in µs since the epoch."""
    return int(datetime.combine(day, time(23, 59, 59), CHINA).timestamp()) * 1_000_000


def is_working_day(day: date) -> bool:
    """Whether `day` is a working day.

    Raises:
        YearNotPublished: its year's notice is not known.
    """
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError as error:
        raise YearNotPublished(day.year) from error


def after_working_days(at: int, days: int) -> int:
    """The end of the `days`-th working day after the day of `at`, in µs since the epoch.

    The day itself does not count: three working days from a Friday morning end on the Wednesday.

    Raises:
        YearNotPublished: the count runs into a year whose notice is not known.
    """
    day = china(at).date()
    left = days
    while left:
        day += timedelta(days=1)
        left -= is_working_day(day)
    return end_of(day)
