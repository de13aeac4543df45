"""Calls that the gateway itself places: the agent's phone rings first, then the person's."""

import secrets
from collections.abc import Callable

from telephony.address import Address
from telephony.control import Control
from telephony.outgoing import TOKEN_BYTES, uniqueid_of
from tests.rig.scenarios.scene import OUTSIDE, Scene


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


SCENARIOS: tuple[Callable[[Scene], None], ...] = (
    out_answered,
    out_agent_first,
    out_busy,
    out_no_answer,
    out_no_agent,
    out_transferred,
)
