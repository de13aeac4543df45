"""Whether a plan stood: time that was lived through, not time a clock was set to.

Pure.  A plan to destroy has to stand for days while somebody could object.  Of the time between two
sightings only that counts which both clocks of the machine agree on: the wall clock, which anybody
may set, and the time since boot, which nobody can; and at most an hour of it.  What always holds:
a clock set forward adds nothing by itself, a restart adds nothing, and a plan that is dated in the
future, or a wall clock that runs backwards, makes the plan void.
"""

from dataclasses import dataclass

LONGEST_US = 3600 * 1_000_000
"""What one sighting may add: plans are looked at every ten minutes."""
BACKWARDS_US = 300 * 1_000_000
"""How far a wall clock may be corrected backwards without suspicion."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One look at the machine's clocks: wall clock and time since boot (µs), and which boot."""

    wall: int
    boot: str
    boot_us: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How long a plan made at `made_at` stood so far (µs), as of the last look at the clocks."""

    made_at: int
    stood_us: int
    last: Sighting


@dataclass(frozen=True, slots=True)
class Void:
    """The plan cannot stand: the clock is not to be believed; `why` is `ahead` or `backwards`."""

    why: str


def stood(before: Standing, now: Sighting) -> Standing | Void:
    """The standing after one more look."""
    if now.wall < before.made_at - BACKWARDS_US:
        return Void("ahead")
    if now.wall < before.last.wall - BACKWARDS_US:
        return Void("backwards")
    lived = now.boot_us - before.last.boot_us if now.boot == before.last.boot else 0
    counted = max(0, min(now.wall - before.last.wall, lived, LONGEST_US))
    return Standing(before.made_at, before.stood_us + counted, now)
