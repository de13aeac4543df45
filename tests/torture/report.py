"""What a torture showed: counts, each fault, each gap, and what does not hold. JSON and text."""

from dataclasses import asdict, dataclass, field
from typing import Any

from tests.torture.faults import Fault
from tests.torture.watch import Gap

SNAPSHOT_S = 2.0
"""Issue: live calls are taken from a snapshot within this of coming back."""
TAKEN_OVER_S = 5.0
"""Issue: the other gateway takes over within this of the death of the one that had the link."""


COUNTED = (
    *("cel_calls", "never_logged", "call_records", "tickets", "never_queued", "doubled", "gaps"),
    "explained",
)


@dataclass(slots=True)
class Report:
    """Times in seconds. `count` is what `hotline reconcile --json` printed."""

    seed: int
    database: str
    took_s: float = 0.0
    asked: dict[str, int] = field(default_factory=dict)
    count: dict[str, Any] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    acts: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    settled_s: float = 0.0
    """From the last caller's end until everything agreed, or was given up."""

    @property
    def failures(self) -> list[str]:
        """What does not hold, in words; empty: all of it holds."""
        return [*self._of_books(), *self._of_faults()]

    def _of_books(self) -> list[str]:
        count, found = self.count, []
        if not count.get("agrees"):
            found.append(f"reconcile does not agree: {count.get('faults')}")
        logged = count["cel_calls"] + count["never_logged"]
        if not logged == count["call_records"] == count["tickets"] + count["never_queued"]:
            found.append("calls on CEL, call records and tickets differ")
        if count["cel_calls"] < self.asked["calls"]:
            found.append(f"only {count['cel_calls']} calls came about")
        if count["doubled"]:
            found.append(f"{count['doubled']} doubled")
        if count["recordings"]["missing"]:
            found.append(f"{count['recordings']['missing']} recordings missing")
        return found

    def _of_faults(self) -> list[str]:
        found = [
            f"{fault.kind}: live calls known only {fault.snapshot_s:.1f} s after login"
            for fault in self.faults
            if fault.snapshot_s is not None and fault.snapshot_s > SNAPSHOT_S
        ]
        found += [
            f"taken over only {fault.taken_over_s:.1f} s after the kill"
            for fault in self.faults
            if fault.taken_over_s is not None and fault.taken_over_s > TAKEN_OVER_S
        ]
        found += [f"gap at {gap.began_at} not filled" for gap in self.gaps if not gap.backfilled_at]
        return found

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "failures": self.failures}

    def text(self) -> str:
        """For people."""
        count = self.count
        counted = {name: count.get(name) for name in COUNTED}
        lines = [
            f"seed {self.seed} · {self.database} · {self.took_s:.0f} s",
            f"counted {counted}",
            f"recordings {count.get('recordings')}",
            f"outcomes {self.outcomes}",
            f"acts {self.acts}",
            *(_line(fault, self.gaps) for fault in self.faults),
            *(f"✗ {failure}" for failure in self.failures),
        ]
        return "\n".join([*lines, "不成立 FAILED" if self.failures else "成立 all holds"])


def _line(fault: Fault, gaps: list[Gap]) -> str:
    words = [f"{fault.kind:18} at call {fault.due_at_call:4}  away {fault.down_s:5.1f} s"]
    gap = next((gap for gap in gaps if gap.ended_at and gap.ended_at == fault.linked_at), None)
    if gap is not None and gap.ended_at is not None:
        words.append(f"gap {(gap.ended_at - gap.began_at) / 1e6:5.1f} s ({gap.reason})")
        if gap.backfilled_at is not None:
            words.append(f"filled {(gap.backfilled_at - gap.ended_at) / 1e6:5.1f} s later")
    if fault.taken_over_s is not None:
        words.append(f"taken over after {fault.taken_over_s:.1f} s")
    if fault.snapshot_s is None:
        words.append("the link was held")
    else:
        words.append(f"live calls {fault.snapshot_s:.2f} s after login")
    return "  ".join(words)
