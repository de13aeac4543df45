"""Names never used before, for all that a trace names: a call told again is another call.

Unique ids count on from one another, as a PBX's do; the two halves of a Local channel keep
together. Pure but for the bridges' names, which are drawn from the chance given.
"""

import random
from collections.abc import Mapping

from telephony.trace import Trace


class Aliases:
    """Gives names to one telling after another; none twice."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._count = 0

    def of(self, trace: Trace, now_s: int, agent: str = "") -> dict[str, str]:
        """A name for each of the recording's ids, channels and bridges, by the old one. `now_s`:
        the second the ids speak of. `agent`: who stands for the trace's own; then every other phone
        is the trunk."""
        fresh: dict[str, str] = {}
        for name in trace.names():
            number, self._count = self._count, self._count + 1
            if "/" in name:
                fresh[name] = _channel(name, number, fresh, trace.agent, agent)
            elif "." in name:
                fresh[name] = f"{now_s}.{number}"
            else:
                fresh[name] = f"{self._rng.getrandbits(64):016x}"
        return fresh


def _channel(name: str, number: int, fresh: Mapping[str, str], ours: str, agent: str) -> str:
    """Another name for a channel."""
    device, _, instance = name.rpartition("-")
    _, semicolon, half = instance.partition(";")
    other = fresh.get(f"{name[: -len(half)]}{'2' if half == '1' else '1'}") if half else None
    if other is not None:
        return other[: -len(half)] + half
    if agent:
        device = f"PJSIP/{agent}" if f"/{ours}-" in name else "PJSIP/trunk"
    return f"{device}-{number:08x}{semicolon}{half}"
