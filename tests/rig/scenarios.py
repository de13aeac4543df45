"""What a call can do, played on a real PBX: one function a scenario, of the caller and the phones.

Each is played twice over: `python -m tests.rig.record` keeps what AMI said as a trace, and
tests/integration/telephony runs it live, board and database behind it. A scenario returns when the
caller's call is over. The caller is SIPp with real audio; the phones are tests.rig.phone.
"""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.rig.asterisk import PHONES_AT, Pbx
from tests.rig.phone import Phones, phones

CALLER = ("13800138000", "张三")
OUTSIDE = "013900139000"


@dataclass(frozen=True, slots=True)
class Scene:
    """A PBX, its phones, and a caller who hangs up after `hold_ms` unless somebody else does."""

    pbx: Pbx
    phones: Phones

    def caller(self, hold_ms: int = 6000, number: str = "12333") -> "subprocess.Popen[bytes]":
        """One call from outside."""
        return self.pbx.begin_calls(1, 1, hold_ms, callers=[CALLER], number=number)

    def over(self, caller: "subprocess.Popen[bytes]") -> None:
        """Waits for the caller's end."""
        caller.communicate(timeout=60)
        time.sleep(0.3)

    def pause(self, seconds: float = 0.4) -> None:
        """People take their time; so does each step here, to be told apart in a trace."""
        time.sleep(seconds)


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


def pickup(on: Scene) -> None:
    """A colleague takes the call that rings at another desk."""
    caller = on.caller(5000)
    first = on.phones.rung()
    on.pause()
    on.phones.dial(other(first.extension), "*8")
    on.over(caller)


def parked(on: Scene) -> None:
    """The agent parks the caller; a colleague fetches the call."""
    caller = on.caller(6000)
    first = on.phones.rung().answer()
    on.pause()
    first.transfer("700")
    on.pause(1)
    on.phones.dial(other(first.extension), "701")
    on.over(caller)


def other(extension: str) -> str:
    """A colleague."""
    return "8002" if extension != "8002" else "8001"


SCENARIOS: dict[str, Callable[[Scene], None]] = {
    play.__name__.replace("_", "-"): play
    for play in (
        *(agent_first, refused, not_answered, queue_timeout, overflow, informed),
        *(held, blind_to_agent, blind_not_answered, blind_to_queue, blind_outside),
        *(attended, attended_abandoned, attended_while_ringing, two_callers_joined),
        *(conference, pickup, parked),
    )
}

PATIENCE: dict[str, int] = {"queue-timeout": 3, "overflow": 3}
"""Seconds each queue keeps a caller, where a scenario cannot wait for the shipped minute."""


def play(pbx: Pbx, name: str) -> None:
    """One scenario, on a PBX whose phones are otherwise off."""
    pbx.cli(f"dialplan set global HOTLINE_PATIENCE {PATIENCE.get(name, 60)}")
    with phones((PHONES_AT, pbx.phone_port), pbx.sip_port, answers=False) as desks:
        SCENARIOS[name](Scene(pbx, desks))
