"""What we ask of the PBX: place a call, silence a recording, pause an agent in the queues.

Each act has its own short connection, by an account that may act and hears nothing
(`[hotline-control]` of the manager.conf we ship). So the link that listens keeps the least rights,
no act waits behind another, and nothing has to be kept alive. An answer says only that the PBX took
the act; what comes of it is told by events, to the link.

What goes out is checked here, whatever it was checked for before: a number is digits with at most a
leading plus, a device is letters, digits and a few signs, a reason is a word of `reasons`. CR, LF
and NUL are refused by `wire.action` besides. Every wait has an end. It decides nothing: who may ask
for what, and what is on record first, is the business of whoever calls.
"""

import asyncio
import re
import time
from dataclasses import dataclass
from typing import Final

from telephony import session
from telephony.address import Address
from telephony.client import Client
from telephony.errors import ActRefused, LinkLost, LoginRefused, NotAsked, UnfitToSend
from telephony.events import NAME_WIDTH, storable
from telephony.handoff import Handoff
from telephony.reasons import BREAKS, WRAP_UP
from telephony.session import Timing

NUMBER: Final = re.compile(r"\+?[0-9]{3,20}")
"""What may be dialled: E.164 has 15 digits at most, a prefix of the trunk may come before."""
INTERFACE: Final = re.compile(r"[A-Za-z]{2,10}/[A-Za-z0-9_.-]{1,60}")
_CHANNEL: Final = re.compile(r"[A-Za-z0-9_.-]{1,150}")

CONTEXT: Final = "hotline-out"
"""The dialplan context of the extensions.conf we ship: it records, and dials the trunk."""
_PATIENCE: Final = Timing(connect_s=3.0, answer_s=4.0)

RING_S: Final = 25
"""How long the agent's own phone rings."""


@dataclass(frozen=True, slots=True)
class Control:
    """The acts, on one PBX. Each blocks for at most a few seconds; for a thread without a loop.

    Each raises `UnfitToSend`, `LoginRefused` (the account), `ActRefused` (the PBX says no),
    `NotAsked` (it is away) or `LinkLost` (it took too long: then it may have acted all the same).
    """

    address: Address
    timing: Timing = _PATIENCE

    def originate(self, *, uniqueid: str, interface: str, number: str) -> None:
        """Rings `interface`; taken up, `number` is called. The call is known by `uniqueid`."""
        if not NUMBER.fullmatch(number) or not _CHANNEL.fullmatch(uniqueid):
            raise UnfitToSend("号码只能是数字。 A number is digits only.")
        self._ask(
            "Originate",
            ChannelId=uniqueid,
            Channel=_device(interface),
            Context=CONTEXT,
            Exten=number,
            Priority="1",
            CallerID=f'"{number}" <{number}>',  # the agent's phone shows whom it is about to call
            Timeout=str(RING_S * 1000),
            Async="true",
        )

    def mute(self, uniqueid: str, *, muted: bool) -> None:
        """The recording of that channel has silence, both ways, until it is taken back."""
        if not _CHANNEL.fullmatch(uniqueid):
            raise UnfitToSend("通道标识有误。 That is no channel's id.")
        state = "1" if muted else "0"
        self._ask("MixMonitorMute", Channel=uniqueid, Direction="both", State=state)

    def pause(self, interface: str, reason: str) -> None:
        """No queue rings that phone any more; `reason` is a word of `reasons`."""
        if reason not in (WRAP_UP, *BREAKS):
            raise UnfitToSend("示忙原因不在列表中。 That is no reason of the list.")
        self._ask("QueuePause", Interface=_device(interface), Paused="true", Reason=reason)

    def unpause(self, interface: str) -> None:
        """The queues ring that phone again."""
        self._ask("QueuePause", Interface=_device(interface), Paused="false")

    def _ask(self, action: str, **fields: str) -> None:
        asyncio.run(_act(self.address, self.timing, action, fields))


def _device(interface: str) -> str:
    if not INTERFACE.fullmatch(interface):
        raise UnfitToSend("分机应如 PJSIP/8003。 An extension is like PJSIP/8003.")
    return interface


async def _act(address: Address, timing: Timing, action: str, fields: dict[str, str]) -> None:
    """One connection, one act."""
    client = Client(
        address,
        Handoff(asyncio.get_running_loop()),
        lambda: time.time_ns() // 1000,
        connect_s=timing.connect_s,
    )
    try:
        await _enter(client, timing)
        answer = await client.ask(action, timing.answer_s, **fields)
    finally:
        await asyncio.to_thread(client.disconnect)
    if answer.name != "Success":
        raise ActRefused(storable(answer.get("Message"), NAME_WIDTH))


async def _enter(client: Client, timing: Timing) -> None:
    try:
        await asyncio.to_thread(client.connect)
        await session.sign_in(client, timing.answer_s)
    except LoginRefused:
        raise
    except (OSError, LinkLost) as error:
        raise NotAsked("连不上交换机。 The PBX cannot be reached.") from error
