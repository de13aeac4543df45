"""Two things measured against each other on a machine that is never quite quiet.

Whatever slows one down for a moment (another process, the disk) slows the other as well when they
take turns; the ratio of the two is then a matter of the code. So: A, B, A, B …, each round's ratio,
and the median of those. Rates are printed for people, ratios are what is judged.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

BAR = 40  # characters for a ratio of 1
STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one comparison. `floor` is a least ratio, `ceiling` a greatest; rates are
    events a second of ours and of what it is held against."""

    name: str
    ratio: float
    ours: float = 0.0
    base: float = 0.0
    calls: float = 0.0
    """Calls a second of ours; 0 where that says nothing."""
    floor: float | None = None
    ceiling: float | None = None
    unit: str = "events"

    @property
    def held(self) -> bool:
        """Whether the ratio is within its bounds; True where there is none."""
        above = self.floor is None or self.ratio >= self.floor
        return above and (self.ceiling is None or self.ratio <= self.ceiling)


def compare(
    name: str,
    ours: Callable[[], float],
    base: Callable[[], float],
    *,
    events: int,
    calls: int,
    rounds: int,
    floor: float | None = None,
    unit: str = "events",
) -> Result:
    """`ours` and `base` in turn; each answers how many seconds it took for the same events."""
    took = [(base(), ours()) for _ in range(rounds)]
    return Result(
        name,
        ratio=median(theirs / mine for theirs, mine in took),
        ours=events / median(mine for _, mine in took),
        base=events / median(theirs for theirs, _ in took),
        calls=calls / median(mine for _, mine in took),
        floor=floor,
        unit=unit,
    )


def timed(work: Callable[[], object]) -> float:
    """Seconds of wall time."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def resident(which: str = "VmRSS") -> int:
    """What this process holds in memory now, or held at the most (`VmHWM`), in bytes (proc(5))."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(which))
    return int(line.split()[1]) * 1024


def table(results: Sequence[Result]) -> str:
    """The results for people: a bar for each ratio, and a mark where it has to reach to."""
    lines = []
    for one in results:
        bound = one.floor if one.floor is not None else one.ceiling
        bar = list(("█" * round(one.ratio * BAR)).ljust(BAR)[: BAR + 8])
        if bound is not None and round(bound * BAR) < len(bar):
            bar[round(bound * BAR)] = "│"
        verdict = "" if bound is None else "  ok" if one.held else "  MISSED"
        sign = "≥" if one.floor is not None else "≤"
        wanted = "" if bound is None else f" {sign} {bound:g}"
        lines.append(f"{one.name}\n  {''.join(bar)} {one.ratio:.3f}{wanted}{verdict}")
        if one.ours:
            calls = f", {one.calls:,.0f} calls/s" if one.calls else ""
            rates = [f"{rate:,.0f} {one.unit}/s" for rate in (one.ours, one.base)]
            lines.append(f"  {rates[0]}{calls}; beside it {rates[1]}")
    return "\n".join(lines)


def document(results: Sequence[Result]) -> str:
    """The same for programs."""
    return json.dumps([asdict(one) | {"held": one.held} for one in results], indent=1)
