"""What `hotline reconcile` prints: the figures of one PBX, and of all of them together.

`reconcile` fills a `Count`; whether it agrees is read from the figures alone, here. Only counts are
in it, and the linkedids of what does not fit. It asks nobody: neither database nor disk.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from gateway.tickets.clocks import china
from telephony.tables import LinkGapRow

_SUMMED = (
    *("cel_calls", "call_records", "tickets", "doubled", "gaps"),
    *("never_queued", "never_logged", "cel_unreadable"),
)
_NAMED_MOST = 20
"""So many linkedids of one fault are enough to begin with."""


@dataclass(slots=True)
class Recordings:
    """`expected` on CEL; `sealed` of those; `unwritten`: the PBX died before it wrote them;
    `unlinked` and `plaintext_left` of all there are."""

    expected: int = 0
    sealed: int = 0
    missing: int = 0
    unwritten: int = 0
    unlinked: int = 0
    plaintext_left: int = 0


@dataclass(slots=True)
class WorkOrders:
    """How far the work orders offered in the span are: `confirmed` those of which the broker has
    every message, from the offer to the last urge."""

    committed: int = 0
    confirmed: int = 0
    signed: int = 0
    replied: int = 0
    parked: int = 0


@dataclass(slots=True)
class Count:
    """What `hotline reconcile` prints."""

    cel_calls: int = 0
    call_records: int = 0
    tickets: int = 0
    never_queued: int = 0
    never_logged: int = 0
    """Call records whose call the PBX told of and died before it wrote it; no fault of ours."""
    doubled: int = 0
    recordings: Recordings = field(default_factory=Recordings)
    work_orders: WorkOrders = field(default_factory=WorkOrders)
    gaps: int = 0
    incomplete: list[dict[str, str | None]] = field(default_factory=list)
    """The intervals without the link that are not back-filled and touch the span."""
    cel_unreadable: int = 0
    """Records of the PBX's log that could not be read, and are in no count."""
    agrees: bool = False
    faults: dict[str, list[str]] = field(default_factory=dict)
    explained: dict[str, list[str]] = field(default_factory=dict)
    """What differs and may, with its reason."""

    def plain(self) -> dict[str, Any]:
        """As JSON shows it."""
        return asdict(self)

    def note(self, fault: str, names: Collection[str]) -> None:
        """Something does not fit, if anything is named."""
        if names:
            self.faults[fault] = sorted(names)[:_NAMED_MOST]

    def close(self) -> None:
        """All is counted: whether it agrees."""
        orders = self.work_orders
        self.agrees = (
            not self.faults
            and self.doubled == 0
            and self.gaps == 0
            and self.cel_calls + self.never_logged == self.call_records
            and orders.committed == orders.confirmed
            and orders.parked == 0
        )

    def add(self, name: str, other: "Count") -> None:
        """The same with another PBX's, whose names are given with `name` before them, if any. Work
        orders are nobody's PBX's, and the same in each."""
        for figure in _SUMMED:
            setattr(self, figure, getattr(self, figure) + getattr(other, figure))
        for figure in asdict(self.recordings):
            ours, theirs = getattr(self.recordings, figure), getattr(other.recordings, figure)
            setattr(self.recordings, figure, ours + theirs)
        self.work_orders = other.work_orders
        self.incomplete += other.incomplete
        for ours, theirs in ((self.faults, other.faults), (self.explained, other.explained)):
            for kind, names in theirs.items():
                ours.setdefault(kind, []).extend(f"{name}{one}" for one in names)


def document(counts: Mapping[str, Count]) -> dict[str, Any]:
    """Every PBX's count as one, and each PBX's own under `pbxs`."""
    total = Count(agrees=all(count.agrees for count in counts.values()))
    for name, count in counts.items():
        total.add("" if len(counts) == 1 else f"{name}/", count)
    own = {name: {k: v for k, v in count.plain().items() if k != "work_orders"}
           for name, count in counts.items()}  # fmt: skip
    return {**total.plain(), "pbxs": own}


def gap_plain(gap: LinkGapRow) -> dict[str, str | None]:
    """An interval as JSON shows it; `ended` None while it lasts."""
    ended = None if gap.ended_at is None else china(gap.ended_at).isoformat()
    return {"pbx": gap.pbx, "began": china(gap.began_at).isoformat(), "ended": ended}
