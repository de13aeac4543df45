"""`hotline figures`: today's figures, or those of any span, for people and for programs.

What is counted, and how, is `gateway.flow.figures`; here it is only said, with each numerator and
denominator beside it, and which intervals without the PBX it may lack calls of.
"""

import argparse
from typing import Any

from gateway import compose, settings
from gateway.cli.checking import moment
from gateway.cli.command import Command, Result, arg
from gateway.count import gap_plain
from gateway.errors import BadInput
from gateway.flow import figures
from gateway.flow.figures import Average, Figures, Share
from gateway.tickets.clocks import china

NAMES = {
    "calls": ("来电", "calls"),
    "asked": ("要求人工", "asked for an agent"),
    "answered": ("人工接听", "answered by an agent"),
    "abandoned": ("放弃", "abandoned"),
    "waiting": ("仍在等待", "still waiting"),
    "answered_rate": ("人工接通率", "answered / asked"),
    "answered_of_all_rate": ("占全部来电", "answered / all calls"),
    "within_15s_rate": ("15 秒应答率", "within 15 s / answered"),
    "abandoned_rate": ("放弃率", "abandoned / asked"),
    "average_wait": ("平均等待", "average wait"),
    "average_talk": ("平均通话", "average talk"),
}
_WIDTH = 14  # columns; a Chinese character takes two


def show(asked: argparse.Namespace) -> Result:
    """The figures of a span; today's (China) by default."""
    with compose.opened(settings.read()) as parts:
        now = parts.clock()
        midnight = china(now).replace(hour=0, minute=0, second=0, microsecond=0)
        since = moment(asked.since) if asked.since else int(midnight.timestamp()) * 1_000_000
        until = moment(asked.until) if asked.until else now
        if until <= since:
            raise BadInput({"until": "止须晚于起。 --until must be later than --since."})
        with parts.database.reading() as session:
            found = figures.of_span(session, since, until)
    span = {"since": china(since).isoformat(), "until": china(until).isoformat()}
    own = {name: _plain(one) for name, one in found.items() if name}
    head = f"{china(since):%Y-%m-%d %H:%M} – {china(until):%Y-%m-%d %H:%M}（北京时间 China time）"
    parts_told = [head, *_told(found[""])]
    if len(own) > 1:
        for name in own:
            parts_told += [f"— {name}", *_told(found[name])]
    parts_told += _gaps(found[""])
    return Result(True, "\n".join(parts_told), {**span, **_plain(found[""]), "pbxs": own})


def _plain(made: Figures) -> dict[str, Any]:
    """For programs: counts, rates, averages, and the open intervals that touch them."""
    return {
        **made.counts(),
        **{
            name: {"numerator": share.part, "denominator": share.of, "percent": share.percent,
                   "floor_percent": share.floor_percent, "met": share.met}
            for name, share in made.shares.items()
        },
        **{
            name: {"numerator_ms": one.sum_ms, "denominator": one.over, "average_ms": one.ms}
            for name, one in made.averages.items()
        },
        "incomplete": [gap_plain(gap) for gap in made.incomplete],
    }  # fmt: skip


def _told(made: Figures) -> list[str]:
    """For people."""
    counts = [_line(name, f"{value:>7}", "") for name, value in made.counts().items()]
    shares = [_line(name, *_share(share)) for name, share in made.shares.items()]
    return counts + shares + [_line(name, *_average(one)) for name, one in made.averages.items()]


def _line(name: str, value: str, rest: str) -> str:
    zh, english = NAMES[name]
    taken = sum(2 if ord(sign) > 0x2E7F else 1 for sign in zh)
    return f"{zh}{' ' * (_WIDTH - taken)}{value}  {rest:24}{english}".rstrip()


def _share(share: Share) -> tuple[str, str]:
    shown = "—" if share.percent is None else f"{share.percent}%"
    rest = f"{share.part}/{share.of}"
    if share.floor_percent is not None:
        below = " 未达 below" if share.met is False else ""
        rest += f"  ≥{share.floor_percent}%{below}"
    return f"{shown:>7}", rest


def _average(one: Average) -> tuple[str, str]:
    shown = "—" if one.ms is None else f"{one.ms / 1000:.1f} s"
    return f"{shown:>7}", f"{one.sum_ms / 1000:.1f} s/{one.over}"


def _gaps(made: Figures) -> list[str]:
    """The intervals that figures touch, and what that means."""
    if not made.incomplete:
        return []
    head = "数字可能不全：以下中断尚未补齐。 Calls may be missing: these intervals are open."
    told = [gap_plain(gap) for gap in made.incomplete]
    return [head, *(f"  {one['pbx']}  {one['began']} – {one['ended'] or ''}" for one in told)]


COMMANDS = (
    Command(
        "figures",
        "统计指标：接通率、15 秒应答率、等待与通话 · figures: answered, in 15 s, waits and talks",
        show,
        (
            arg("--since", metavar="TIME",
                help="起，默认今日零时 · from, by default midnight: 2026-11-23T08:00"),
            arg("--until", metavar="TIME", help="止，默认现在 · until, by default now"),
        ),
    ),
)  # fmt: skip
