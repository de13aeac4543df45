"""An agent asks first: attended transfers, completed and abandoned, to a colleague, a queue,
another caller, a conference.
"""

from collections.abc import Callable

from tests.rig.scenarios.scene import Scene, other


def attended(on: Scene) -> None:
    """The agent holds the caller, asks a colleague, and joins the two."""
    caller = on.caller(6000)
    first = on.phones.rung().answer()
    on.pause()
    first.hold()
    to = other(first.extension)
    asked = on.phones.dial(first.extension, to)
    second = on.phones.rung(to)
    on.pause()
    second.answer()
    asked.up()
    on.pause(0.7)
    first.transfer_to(asked)
    on.over(caller)
    assert second.state == "over"


def attended_abandoned(on: Scene) -> None:
    """The agent holds the caller, asks a colleague, and comes back to the caller."""
    caller = on.caller(6000)
    first = on.phones.rung().answer()
    on.pause()
    first.hold()
    to = other(first.extension)
    asked = on.phones.dial(first.extension, to)
    on.phones.rung(to).answer()
    asked.up()
    on.pause(0.7)
    asked.hang_up()
    first.resume()
    on.over(caller)


def attended_while_ringing(on: Scene) -> None:
    """The agent joins the two before the colleague has answered."""
    caller = on.caller(6000)
    first = on.phones.rung().answer()
    on.pause()
    first.hold()
    to = other(first.extension)
    asked = on.phones.dial(first.extension, to)
    second = on.phones.rung(to)
    on.pause()
    first.transfer_to(asked)
    on.pause()
    second.answer()
    on.over(caller)


def two_callers_joined(on: Scene) -> None:
    """The agent holds one caller of the hotline, takes a second, and joins the two."""
    one = on.caller(8000)
    first = on.phones.rung().answer()
    first.hold()
    two = on.caller(6000)
    second = on.phones.rung(nth=2).answer()
    on.pause()
    first.transfer_to(second)
    on.over(two)
    on.over(one)


def conference_attended(on: Scene) -> None:
    """The agent joins the caller to a conference where a colleague is, comes back in, all leave."""
    caller = on.caller(6000)
    first = on.phones.rung().answer()
    on.pause()
    first.hold()
    asked = on.phones.dial(first.extension, "7901").up()
    second = on.phones.dial(other(first.extension), "7901").up()
    on.pause(0.7)
    first.transfer_to(asked)
    on.pause()
    again = on.phones.dial(first.extension, "7901").up()
    on.pause(1)
    second.hang_up()
    on.pause()
    again.hang_up()
    on.over(caller)


def consult_queue(on: Scene) -> None:
    """The agent holds the caller, asks the second queue, speaks to who answers, joins the two."""
    on.busy("8004")  # the second queue's only member is to be asked, not to ask
    caller = on.caller(6000)
    first = on.phones.rung().answer()
    on.pause()
    first.hold()
    asked = on.phones.dial(first.extension, "7002")
    second = on.phones.rung(nth=2)
    on.pause()
    second.answer()
    asked.up()
    on.pause(0.7)
    first.transfer_to(asked)
    on.over(caller)


def consult_queue_abandoned(on: Scene) -> None:
    """The agent asks the second queue, speaks to who answers, and comes back to the caller."""
    on.busy("8004")  # the second queue's only member is to be asked, not to ask
    caller = on.caller(6000)
    first = on.phones.rung().answer()
    on.pause()
    first.hold()
    asked = on.phones.dial(first.extension, "7002")
    on.phones.rung(nth=2).answer()
    asked.up()
    on.pause(0.7)
    asked.hang_up()
    first.resume()
    on.over(caller)


def consult_queue_while_waiting(on: Scene) -> None:
    """The agent asks the second queue and, with nobody there yet, leaves the caller in it."""
    on.busy("8004")  # the second queue's only member is to be asked, not to ask
    caller = on.caller(7000)
    first = on.phones.rung().answer()
    on.pause()
    first.hold()
    asked = on.phones.dial(first.extension, "7002").up()
    second = on.phones.rung(nth=2)
    on.pause()
    first.transfer_to(asked)
    on.pause()
    second.answer()
    on.over(caller)


SCENARIOS: tuple[Callable[[Scene], None], ...] = (
    attended,
    attended_abandoned,
    attended_while_ringing,
    two_callers_joined,
    conference_attended,
    consult_queue,
    consult_queue_abandoned,
    consult_queue_while_waiting,
)
