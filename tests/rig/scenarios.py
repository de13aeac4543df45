"""What a call can do, played on a real PBX: one function a scenario, of the caller and the phones.

Each is played twice over: `python -m tests.rig.record` keeps what AMI said as a trace, and
tests/integration/telephony runs it live, board and database behind it. A scenario returns when the
call is over. The caller is SIPp with real audio; the phones are tests.rig.phone.
"""

import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from telephony.address import Address
from telephony.control import Control
from telephony.outgoing import TOKEN_BYTES, uniqueid_of
from tests.rig.asterisk import PHONES_AT, Pbx
from tests.rig.phone import Phones, phones

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


def blind_given_up(on: Scene) -> None:
    """The caller gives up while the colleague's phone rings."""
    caller = on.caller(2500)
    first = on.phones.rung().answer()
    on.pause()
    to = other(first.extension)
    first.transfer(to)
    on.phones.rung(to)
    on.over(caller)


def blind_to_queue_given_up(on: Scene) -> None:
    """Sent to the second queue, the caller gives up there."""
    caller = on.caller(2500)
    first = on.phones.rung().answer()
    on.pause()
    first.transfer("7002")
    on.phones.rung(nth=2)
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


def other(extension: str) -> str:
    """A colleague."""
    return "8002" if extension != "8002" else "8001"


def placed(on: Scene, number: str = OUTSIDE[1:]) -> str:
    """The gateway's own act: 8001's phone rings, and the call is known by this name."""
    uniqueid = uniqueid_of(secrets.token_bytes(TOKEN_BYTES))
    control = Control(Address.parse(on.pbx.control_url))
    control.originate(uniqueid=uniqueid, interface="PJSIP/8001", number=number)
    return uniqueid


def out_answered(on: Scene) -> None:
    """Placed by us: the agent takes their phone up, the person answers and hangs up."""
    placed(on)
    on.phones.rung("8001").answer()
    person = on.phones.rung(OUTSIDE[1:])
    on.pause()
    person.answer()
    on.pause(1.5)
    person.hang_up()
    on.pause()


def out_agent_first(on: Scene) -> None:
    """Placed by us: answered; the agent holds, comes back and hangs up."""
    placed(on)
    agent = on.phones.rung("8001").answer()
    on.phones.rung(OUTSIDE[1:]).answer()
    on.pause()
    agent.hold()
    on.pause()
    agent.resume()
    on.pause()
    agent.hang_up()
    on.pause()


def out_busy(on: Scene) -> None:
    """Placed by us: the person's line is busy."""
    placed(on)
    on.phones.rung("8001").answer()
    on.phones.rung(OUTSIDE[1:]).refuse()
    on.pause()


def out_no_answer(on: Scene) -> None:
    """Placed by us: the person's phone rings until the agent gives up."""
    placed(on)
    agent = on.phones.rung("8001").answer()
    on.phones.rung(OUTSIDE[1:])
    on.pause(1)
    agent.hang_up()
    on.pause()


def out_no_agent(on: Scene) -> None:
    """Placed by us: the agent refuses the ring of their own phone."""
    placed(on)
    on.phones.rung("8001").refuse()
    on.pause()


def out_transferred(on: Scene) -> None:
    """Placed by us: answered; the agent sends the person to a colleague, who takes them."""
    placed(on)
    agent = on.phones.rung("8001").answer()
    person = on.phones.rung(OUTSIDE[1:]).answer()
    on.pause()
    agent.transfer("8002")
    on.phones.rung("8002").answer()
    on.pause(1)
    person.hang_up()
    on.pause()


SCENARIOS: dict[str, Callable[[Scene], None]] = {
    play.__name__.replace("_", "-"): play
    for play in (
        *(agent_first, refused, not_answered, queue_timeout, overflow, informed),
        *(held, blind_to_agent, blind_not_answered, blind_to_queue, blind_outside),
        *(attended, attended_abandoned, attended_while_ringing, two_callers_joined),
        *(conference, pickup, parked),
        *(conference_attended, both_at_once, blind_given_up, blind_to_queue_given_up),
        *(parking_timeout, parking_not_taken, local_member, private),
        *(no_number, forged_number),
        *(consult_queue, consult_queue_abandoned, consult_queue_while_waiting),
        *(out_answered, out_agent_first, out_busy, out_no_answer, out_no_agent, out_transferred),
    )
}

PATIENCE: dict[str, int] = {"queue-timeout": 3, "overflow": 3}
"""Seconds each queue keeps a caller, where a scenario cannot wait for the shipped minute."""


def play(pbx: Pbx, name: str) -> None:
    """One scenario, on a PBX whose phones are otherwise off."""
    pbx.cli(f"dialplan set global HOTLINE_PATIENCE {PATIENCE.get(name, 60)}")
    with phones((PHONES_AT, pbx.phone_port), pbx.sip_port, answers=False) as desks:
        scene = Scene(pbx, desks)
        try:
            SCENARIOS[name](scene)
        finally:
            for agent in scene.paused:
                pbx.cli(f"queue unpause member PJSIP/{agent} queue hotline")
