"""The way of one work order, read at a glance: its steps with their times, and what keeps it. Pure.

    committed ─▶ published ─▶ confirmed ─▶ delivered ─▶ signed ─▶ replied
    提交          发出          入队          送达          签收        反馈

The first three are those of the message that offered it: in the database, given to the broker, in
the department's queue for good. It was delivered when the desk took it from there, or at the latest
when the department's own system first spoke of it. What came back ends with returned (退回), or
withdrawn (撤回), in place of the answer, and leaves out what it will never come to.
Always holds: steps that were reached stand before those that were not, whatever the clocks of
several machines say; the first that was not reached is where it is now; every message of the order
that is not on its way, and every reply that was not taken, is a gap with its name and its reason.
Nothing here asks a database: who reads it there is `flow.whereabouts`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from gateway.tables import WorkOrderRow
from gateway.tickets.lifecycle import OrderState

Stage = Literal[
    "committed", "published", "confirmed", "delivered", "signed", "replied", "returned", "withdrawn"
]
STAGES: Final[dict[Stage, tuple[str, str]]] = {
    "committed": ("提交", "Committed"),
    "published": ("发出", "Published"),
    "confirmed": ("入队", "Confirmed"),
    "delivered": ("送达", "Delivered"),
    "signed": ("签收", "Signed"),
    "replied": ("反馈", "Replied"),
    "returned": ("退回", "Returned"),
    "withdrawn": ("撤回", "Withdrawn"),
}
Kind = Literal["backlog", "refused", "parked", "discarded", "given-up", "reply-parked"]
GAPS: Final[dict[Kind, tuple[str, str]]] = {
    "backlog": ("积压待发", "In the backlog"),
    "refused": ("队列拒收，重试中", "Refused by the queue, tried again"),
    "parked": ("已搁置", "Parked"),
    "discarded": ("搁置后作废", "Parked and discarded"),
    "given-up": ("部门系统未能处理", "Given up by the department's system"),
    "reply-parked": ("部门回复未采纳", "A reply was not taken"),
}
EVENTS: Final[dict[str, tuple[str, str]]] = {
    "offered": ("派单", "Offer"),
    "changed": ("变更", "Change"),
    "urged": ("催办", "Urge"),
    "supervised": ("督办", "Supervision"),
    "extended": ("延期审批", "Decision about time"),
    "remarked": ("会办意见", "Remark"),
    "withdrawn": ("撤回", "Withdrawal"),
}
LATE_US: Final = 10_000_000
"""So long a message may be on its way before the time it takes is called a gap."""


@dataclass(frozen=True, slots=True)
class Said:
    """One message about the order, as the outbox has it; times are µs. `event` is its type's;
    `state` the outbox's, or `discarded` where a person gave it up."""

    event: str
    state: str
    committed_at: int
    published_at: int | None = None
    confirmed_at: int | None = None
    attempts: int = 0
    trouble: str = ""
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Stuck:
    """What was parked of it and waits for a person: a dead letter, or a reply."""

    kind: Kind
    at: int
    reason: str
    event: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One step; `at` (µs) may be unknown of one that was `reached`, as a later one shows."""

    stage: Stage
    at: int | None
    by: str
    reached: bool


@dataclass(frozen=True, slots=True)
class Gap:
    """What keeps it, since when (µs), and why as far as is known."""

    kind: Kind
    event: str
    since_at: int
    reason: str = ""
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Timeline:
    """Its steps in their order, and its gaps, the oldest first."""

    steps: tuple[Step, ...]
    gaps: tuple[Gap, ...]

    @property
    def current(self) -> Stage | None:
        """What it waits for now; None when there is nothing to come."""
        return next((step.stage for step in self.steps if not step.reached), None)


def of(
    order: WorkOrderRow,
    said: Sequence[Said],
    heard_at: int | None,
    stuck: Sequence[Stuck],
    now: int,
) -> Timeline:
    """The timeline of `order`: what was `said` of it, in the order of versions; when (µs) a reply
    about it was first applied; what is `stuck`. `now` is µs."""
    times = _times(order, said, heard_at)
    places = [place for place, (_, at, _) in enumerate(times) if at is not None]
    last = places[-1] if places else -1
    if times[-1][0] in ("returned", "withdrawn"):
        last = len(times) - 1
    steps = [Step(stage, at, by, place <= last) for place, (stage, at, by) in enumerate(times)]
    return Timeline(tuple(steps), _gaps(said, stuck, now))


def _times(
    order: WorkOrderRow, said: Sequence[Said], heard_at: int | None
) -> list[tuple[Stage, int | None, str]]:
    first = next((one for one in said if one.event == "offered"), None)
    words = (heard_at, order.signed_at, order.returned_at)
    spoken_at = min((at for at in words if at is not None), default=None)
    way: list[tuple[Stage, int | None, str]] = [
        ("committed", first.committed_at if first else order.offered_at, ""),
        ("published", first.published_at if first else None, ""),
        ("confirmed", first.confirmed_at if first else None, ""),
        ("delivered", order.delivered_at or spoken_at, ""),
        ("signed", order.signed_at, order.signed_by or ""),
    ]
    if order.state != OrderState.RETURNED:
        return [*way, ("replied", order.replied_at, order.replied_by or "")]
    reached = [step for step in way if step[1] is not None]
    if order.returned_at is not None:
        return [*reached, ("returned", order.returned_at, order.returned_by or "")]
    taken = next((one.committed_at for one in said if one.event == "withdrawn"), None)
    return [*reached, ("withdrawn", taken, order.returned_by or "")]


def _gaps(said: Sequence[Said], stuck: Sequence[Stuck], now: int) -> tuple[Gap, ...]:
    found = [Gap(one.kind, one.event, one.at, one.reason) for one in stuck]
    found += [
        Gap(kind, one.event, one.committed_at, one.trouble, one.attempts)
        for one in said
        if (kind := _kept(one, now)) is not None
    ]
    return tuple(sorted(found, key=lambda gap: gap.since_at))


def _kept(one: Said, now: int) -> Kind | None:
    """What keeps a message from its queue; None: nothing does."""
    match one.state:
        case "parked":
            return "parked"
        case "discarded":
            return "discarded"
        case "waiting" if one.refused:
            return "refused"
        case "waiting" if now - one.committed_at >= LATE_US:
            return "backlog"
        case _:
            return None
