"""What one scenario showed: a line of the table, and what of it does not hold."""

from collections.abc import Sequence
from dataclasses import dataclass, field

DOUBLED = 0.005
"""Issue: of the work orders, at most this part comes twice to a consumer."""
RECOVERED_S = 5.0
"""Issue: publishing again within this of the port."""


@dataclass(slots=True)
class Row:
    """Counts of work orders, times in seconds.

    `lost`: confirmed by the broker and never seen by a consumer, or answered and never applied.
    `doubled`: came to a consumer again after it was settled there, and was recognised.
    `twice`: took effect twice. `left`: in the queues at the end. `worst_s`: from the broker's
    return to the next confirmed message, the longest.
    """

    name: str
    asked: int
    confirmed: int = 0
    lost: int = 0
    doubled: int = 0
    twice: int = 0
    parked: int = 0
    left: int = 0
    worst_s: float = 0.0
    took_s: float = 0.0
    may_double: float = DOUBLED
    may_take_s: float = RECOVERED_S
    notes: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    """What else was measured, for the table."""

    @property
    def failures(self) -> list[str]:
        """What does not hold, in words."""
        found = list(self.notes)
        if self.confirmed != self.asked:
            found.append(f"{self.asked - self.confirmed} never confirmed")
        must_be_none = {name: getattr(self, name) for name in ("lost", "twice", "parked", "left")}
        found += [f"{count} {name}" for name, count in must_be_none.items() if count]
        if self.doubled > self.asked * self.may_double:
            found.append(f"{self.doubled} came twice, {self.asked * self.may_double:.0f} may")
        if self.worst_s > self.may_take_s:
            found.append(f"publishing again only after {self.worst_s:.1f} s")
        return found


def table(rows: Sequence[Row]) -> str:
    """All of them, a line each, and below it what does not hold."""
    head = ("scenario", "asked", "confirmed", "lost", "doubled", "twice", "parked", "left")
    lines = [f"{head[0]:34}" + "".join(f"{word:>10}" for word in head[1:]) + "   worst s   took s"]
    for row in rows:
        counts = (row.asked, row.confirmed, row.lost, row.doubled, row.twice, row.parked, row.left)
        told = "".join(f"{count:>10,}" for count in counts)
        lines.append(f"{row.name:34}{told}{row.worst_s:>10.1f}{row.took_s:>9.0f}")
        lines += [f"    {word}" for word in (*row.told, *row.failures)]
    return "\n".join(lines)
