"""Where a scenario is played: a PBX, its phones, a caller with real audio (SIPp), and what the
people in it are called.
"""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.rig.asterisk import Pbx
from tests.rig.phone import Phones

CALLER = ("13800138000", "张三")
OUTSIDE = "013900139000"
FORGED = "138%0d%0aLinkedid%3a%206.6%0d%0a%0d%0aEvent%3a%20Hangup%0d%0aUniqueid%3a%207.7"
AGENTS = ("8001", "8002", "8003", "8004")


@dataclass(frozen=True, slots=True)
class Scene:
    """A PBX, its phones, and a caller who hangs up after `hold_ms` unless somebody else does."""

    pbx: Pbx
    phones: Phones
    paused: set[str] = field(default_factory=set)

    def caller(
        self, hold_ms: int = 6000, number: str = "12333", who: tuple[str, str] = CALLER
    ) -> "subprocess.Popen[bytes]":
        """One call from outside."""
        return self.pbx.begin_calls(1, 1, hold_ms, callers=[who], number=number)

    @contextmanager
    def only_member(self, interface: str) -> Iterator[None]:
        """The first queue has this one member; afterwards its own again."""
        for agent in AGENTS:
            self.busy(agent)
        self.pbx.cli(f"queue add member {interface} to hotline")
        try:
            yield
        finally:
            self.pbx.cli(f"queue remove member {interface} from hotline")

    def busy(self, agent: str) -> None:
        """The first queue does not ring that agent; `play` undoes it."""
        self.pbx.cli(f"queue pause member PJSIP/{agent} queue hotline")
        self.paused.add(agent)

    def over(self, caller: "subprocess.Popen[bytes]") -> None:
        """Waits for the caller's end."""
        caller.communicate(timeout=60)
        time.sleep(0.3)

    def pause(self, seconds: float = 0.4) -> None:
        """People take their time; so does each step here, to be told apart in a trace."""
        time.sleep(seconds)


def other(extension: str) -> str:
    """A colleague."""
    return "8002" if extension != "8002" else "8001"
