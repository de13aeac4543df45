"""Figures of a span of time (指标), each with its numerator and denominator (DOMAIN.md, Figures).

A call counts by when it came in. 人工接通率 is what an agent answered of what asked for an agent,
which is whoever entered a queue, and beside it of all that came in; 15 秒应答率 is `rates`' own.
Who asked was answered, gave up, or waits still. A wait is from the first queue until an agent
answered; a talk is counted once it has ended. Calls that we placed are in no figure. Where an
interval without the PBX that is not back-filled touches the span, calls may be missing, and the
intervals stand beside the figures. Reads only; nothing here shows a caller.
"""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from gateway.flow.rates import FLOOR_PERCENT, WITHIN_US
from telephony import links
from telephony.tables import CallRow, LinkGapRow

ANSWERED_FLOOR_PERCENT = 95


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many; `floor_percent`: the least it should be, where there is one."""

    part: int
    of: int
    floor_percent: int | None = None

    @property
    def percent(self) -> int | None:
        """Rounded down, so that a floor is not reached by rounding; None of nothing."""
        return self.part * 100 // self.of if self.of else None

    @property
    def met(self) -> bool | None:
        """Whether the floor is reached; None where there is none, or nothing to count."""
        if self.floor_percent is None or not self.of:
            return None
        return self.part * 100 >= self.floor_percent * self.of


@dataclass(frozen=True, slots=True)
class Average:
    """All of it together, in milliseconds, over so many calls."""

    sum_ms: int
    over: int

    @property
    def ms(self) -> int | None:
        """The average; None of nothing."""
        return self.sum_ms // self.over if self.over else None


@dataclass(slots=True)
class Figures:
    """Counts of the calls that came in within a span, and what is made of them."""

    calls: int = 0
    asked: int = 0
    answered: int = 0
    within: int = 0
    abandoned: int = 0
    wait_ms: int = 0
    talked: int = 0
    talk_ms: int = 0
    incomplete: list[LinkGapRow] = field(default_factory=list)
    """The intervals without the PBX that touch the span and are not back-filled."""

    @property
    def waiting(self) -> int:
        """Who asked and has neither been answered nor given up yet."""
        return self.asked - self.answered - self.abandoned

    @property
    def shares(self) -> dict[str, Share]:
        """The rates by name."""
        return {
            "answered_rate": Share(self.answered, self.asked, ANSWERED_FLOOR_PERCENT),
            "answered_of_all_rate": Share(self.answered, self.calls),
            "within_15s_rate": Share(self.within, self.answered, FLOOR_PERCENT),
            "abandoned_rate": Share(self.abandoned, self.asked),
        }

    @property
    def averages(self) -> dict[str, Average]:
        """The averages by name."""
        return {
            "average_wait": Average(self.wait_ms, self.answered),
            "average_talk": Average(self.talk_ms, self.talked),
        }

    def counts(self) -> dict[str, int]:
        """The plain counts by name."""
        names = ("calls", "asked", "answered", "abandoned", "waiting")
        return {name: getattr(self, name) for name in names}


_SUMMED = ("calls", "asked", "answered", "within", "abandoned", "wait_ms", "talked", "talk_ms")


def of_span(session: Session, since_at: int, until_at: int) -> dict[str, Figures]:
    """The figures of what came in at `since_at` <= time < `until_at` (µs), by PBX; under '' all
    PBXs together."""
    made = {"": Figures()}
    for pbx, *counts in session.execute(_counted(since_at, until_at)):
        made[pbx] = Figures()
        for name, count in zip(_SUMMED, counts, strict=True):
            setattr(made[pbx], name, int(count or 0))
            setattr(made[""], name, getattr(made[""], name) + int(count or 0))
    for gap in links.incomplete(session, since_at=since_at, until_at=until_at):
        made.setdefault(gap.pbx, Figures()).incomplete.append(gap)
        made[""].incomplete.append(gap)
    return made


def _counted(since_at: int, until_at: int) -> Any:  # noqa: ANN401 - a select of many columns
    asked = CallRow.queued_at.is_not(None)
    answered = asked & CallRow.answered_at.is_not(None)
    talked = answered & CallRow.talk_ms.is_not(None) & CallRow.ended_at.is_not(None)
    waited_us = CallRow.answered_at - CallRow.queued_at

    def total(condition: ColumnElement[bool], of: Any = 1) -> ColumnElement[int]:  # noqa: ANN401
        return func.sum(case((condition, of), else_=0))

    return (
        select(
            CallRow.pbx,
            func.count(),
            total(asked),
            total(answered),
            total(answered & (waited_us <= WITHIN_US)),
            total(asked & CallRow.answered_at.is_(None) & (CallRow.outcome == "abandoned")),
            total(answered, waited_us) / 1000,
            total(talked),
            total(talked, CallRow.talk_ms),
        )
        .where(
            CallRow.direction == "inbound",
            CallRow.arrived_at >= since_at,
            CallRow.arrived_at < until_at,
        )
        .group_by(CallRow.pbx)
        .order_by(CallRow.pbx)
    )
