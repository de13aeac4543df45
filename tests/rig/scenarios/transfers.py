"""An agent lets the caller go: to a colleague, a queue, an outside number, a conference, a parking
place.
"""

from collections.abc import Callable

from tests.rig.scenarios.scene import OUTSIDE, Scene, other


def blind_to_agent(on: Scene) -> None:
    """The agent sends the caller to a colleague, who answers; the caller hangs up."""
    caller = on.caller(5000)
    first = on.phones.rung().answer()
    on.pause()
    to = other(first.extension)
    first.transfer(to)
    second = on.phones.rung(to)
    on.pause()
    second.answer()
    on.over(caller)


def blind_not_answered(on: Scene) -> None:
    """The same; the colleague refuses, and the PBX lets the caller go."""
    caller = on.caller(6000)
    first = on.phones.rung().answer()
    on.pause()
    to = other(first.extension)
    first.transfer(to)
    second = on.phones.rung(to)
    on.pause()
    second.refuse(603)
    on.over(caller)


def blind_given_up(on: Scene) -> None:
    """The caller gives up while the colleague's phone rings."""
    caller = on.caller(2500)
    first = on.phones.rung().answer()
    on.pause()
    to = other(first.extension)
    first.transfer(to)
    on.phones.rung(to)
    on.over(caller)


def blind_to_queue(on: Scene) -> None:
    """The agent sends the caller to the second queue."""
    caller = on.caller(5000)
    first = on.phones.rung().answer()
    on.pause()
    first.transfer("7002")
    second = on.phones.rung(nth=2)
    on.pause()
    second.answer()
    on.over(caller)


def blind_to_queue_given_up(on: Scene) -> None:
    """Sent to the second queue, the caller gives up there."""
    caller = on.caller(2500)
    first = on.phones.rung().answer()
    on.pause()
    first.transfer("7002")
    on.phones.rung(nth=2)
    on.over(caller)


def blind_outside(on: Scene) -> None:
    """The agent sends the caller to an outside number, which hangs up first."""
    caller = on.caller(9000)
    first = on.phones.rung().answer()
    on.pause()
    first.transfer(OUTSIDE)
    second = on.phones.rung(OUTSIDE[1:])
    on.pause()
    second.answer()
    on.pause(1)
    second.hang_up()
    on.over(caller)


def conference(on: Scene) -> None:
    """The agent sends the caller into a conference, where both meet a colleague."""
    caller = on.caller(7000)
    first = on.phones.rung().answer()
    on.pause()
    first.transfer("7900")
    on.pause()
    theirs = [on.phones.dial(e, "7900") for e in (first.extension, other(first.extension))]
    for dialog in theirs:
        dialog.up()
    on.pause(1)
    theirs[0].hang_up()
    on.over(caller)
    theirs[1].hang_up()
    on.pause()


def parked(on: Scene) -> None:
    """The agent parks the caller; a colleague fetches the call."""
    caller = on.caller(6000)
    first = on.phones.rung().answer()
    on.pause()
    first.transfer("700")
    on.pause(1)
    on.phones.dial(other(first.extension), "701")
    on.over(caller)


def parking_timeout(on: Scene) -> None:
    """Nobody fetches the caller: the call comes back to the agent who parked it."""
    caller = on.caller(6500)
    first = on.phones.rung().answer()
    on.pause()
    first.transfer("700")
    back = on.phones.rung(first.extension, nth=2)
    on.pause()
    back.answer()
    on.over(caller)


def parking_not_taken(on: Scene) -> None:
    """Nobody fetches the caller, who parked the call refuses it: the caller waits in the queue."""
    caller = on.caller(7000)
    first = on.phones.rung().answer()
    on.pause()
    first.transfer("700")
    back = on.phones.rung(first.extension, nth=2)
    on.pause()
    back.refuse(603)
    on.phones.rung(nth=3).answer()
    on.over(caller)


SCENARIOS: tuple[Callable[[Scene], None], ...] = (
    blind_to_agent,
    blind_not_answered,
    blind_given_up,
    blind_to_queue,
    blind_to_queue_given_up,
    blind_outside,
    conference,
    parked,
    parking_timeout,
    parking_not_taken,
)
