"""Calls of the queues: who rings, who answers, who hangs up, and callers of every kind."""

import signal
from collections.abc import Callable

from tests.rig.scenarios.scene import FORGED, OUTSIDE, Scene, other


def agent_first(on: Scene) -> None:
    """The agent answers and hangs up."""
    caller = on.caller()
    call = on.phones.rung().answer()
    on.pause(1)
    call.hang_up()
    on.over(caller)


def refused(on: Scene) -> None:
    """The first agent refuses, the second takes it."""
    caller = on.caller(3000)
    on.phones.rung().refuse()
    on.phones.rung(nth=2).answer()
    on.over(caller)


def not_answered(on: Scene) -> None:
    """The first agent's phone rings out, the next one's is taken up."""
    caller = on.caller(19_000)
    on.phones.rung().over()
    on.phones.rung(nth=2).answer()
    on.over(caller)


def queue_timeout(on: Scene) -> None:
    """Nobody answers in either queue: the PBX lets the caller go."""
    caller = on.caller(15_000)
    on.over(caller)


def overflow(on: Scene) -> None:
    """Nobody answers in the first queue; somebody does in the second."""
    caller = on.caller(9000)
    on.phones.rung().over()
    on.phones.rung(nth=2).answer()
    on.over(caller)


def informed(on: Scene) -> None:
    """A number that queues nobody."""
    on.over(on.caller(5000, "12330"))


def held(on: Scene) -> None:
    """The agent puts the caller on hold, comes back, and once more."""
    caller = on.caller(4500)
    call = on.phones.rung().answer()
    for _ in range(2):
        on.pause()
        call.hold()
        on.pause(0.7)
        call.resume()
    on.over(caller)


def pickup(on: Scene) -> None:
    """A colleague takes the call that rings at another desk."""
    caller = on.caller(5000)
    first = on.phones.rung()
    on.pause()
    on.phones.dial(other(first.extension), "*8")
    on.over(caller)


def both_at_once(on: Scene) -> None:
    """Agent and caller hang up in the same moment: the PBX finds both requests before it."""
    caller = on.caller(2000)
    call = on.phones.rung().answer()
    on.pause(1.2)
    on.pbx.signal(signal.SIGSTOP)
    try:
        call.hang_up()
        on.pause(1.2)
    finally:
        on.pbx.signal(signal.SIGCONT)
    on.over(caller)


def local_member(on: Scene) -> None:
    """A queue's member is a Local channel, soon optimised away: the phone refuses, then answers."""
    with on.only_member("Local/8001@agents"):
        caller = on.caller(4500)
        on.phones.rung("8001").refuse()
        on.phones.rung("8001", nth=2).answer()
        on.over(caller)


def private(on: Scene) -> None:
    """While a caller rings at their phone, an agent calls a colleague and an outside number."""
    caller = on.caller(5500)
    rings = on.phones.rung()
    mine = on.phones.dial(rings.extension, other(rings.extension))
    theirs = on.phones.rung(other(rings.extension))
    theirs.answer()
    mine.up()
    on.pause()
    mine.hang_up()
    outside = on.phones.dial(rings.extension, OUTSIDE)
    on.phones.rung(OUTSIDE[1:]).answer()
    outside.up()
    on.pause()
    rings.answer()
    on.pause()
    outside.hang_up()
    on.over(caller)


def no_number(on: Scene) -> None:
    """The caller has no number at all."""
    caller = on.caller(2000, who=("", "Anonymous"))
    on.phones.rung().answer()
    on.over(caller)


def forged_number(on: Scene) -> None:
    """The caller's number holds line breaks and events of its own (%0d%0a in SIP)."""
    caller = on.caller(2000, who=(FORGED, "x"))
    on.phones.rung().answer()
    on.over(caller)


SCENARIOS: tuple[Callable[[Scene], None], ...] = (
    agent_first,
    refused,
    not_answered,
    queue_timeout,
    overflow,
    informed,
    held,
    pickup,
    both_at_once,
    local_member,
    private,
    no_number,
    forged_number,
)
