"""A manager session over one connection: signing in, seeing that the PBX is alive, and the word for
how it ended.

Without TLS the secret never crosses the link: login is by MD5 challenge. Silence is a Ping without
an answer and nothing else heard meanwhile; a quiet PBX is not a dead one. Nothing here begins a
session anew, and nothing it hears is looked into.
"""

import asyncio
import hashlib
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from telephony import holds
from telephony.address import Address
from telephony.client import Client, Clock
from telephony.errors import LinkLost, LoginRefused, Overflow, WireError
from telephony.handoff import Handoff


@dataclass(frozen=True, slots=True)
class Timing:
    """How patient the line is, in seconds."""

    connect_s: float = 5.0
    answer_s: float = 5.0
    """For an action's answer. A Ping unanswered, and nothing else heard meanwhile: silence."""
    ping_s: float = 5.0
    queues_s: float = 300.0
    """How often the queues are asked for anew: what an administrator changes in queues.conf, the
    PBX tells nobody. An answer is some 290 bytes for each agent in each queue."""
    pause_first_s: float = 0.2
    pause_most_s: float = 2.0
    refused_s: float = 10.0
    """Pause after the PBX refused the account: a person has to mend that."""
    retry_most_s: float = 5.0
    """Longest pause before a failed batch is offered again."""
    flush_s: float = 10.0
    """How long stopping waits until what was received is taken."""


_TRUE: Final = {"yes", "true", "y", "t", "1", "on"}
"""`ast_true` of Asterisk."""


async def sign_in(client: Client, within_s: float) -> None:
    """Logs in, by challenge where the link is not TLS. Raises `LoginRefused`, `LinkLost`."""
    where = client.address
    if where.tls:
        proof = {"Username": where.user, "Secret": where.secret}
    else:
        answer = await client.ask("Challenge", within_s, AuthType="MD5")
        salted = (answer.get("Challenge") + where.secret).encode()
        key = hashlib.md5(salted, usedforsecurity=False).hexdigest()  # AMI offers no other
        proof = {"AuthType": "MD5", "Username": where.user, "Key": key}
    answer = await client.ask("Login", within_s, **proof)
    if answer.name != "Success":
        raise LoginRefused(
            "交换机拒绝登录，请检查 manager.conf 中的账号、口令和 permit。"
            " The PBX refused the login: check user, secret and permit in manager.conf."
        )


async def look(client: Client, within_s: float) -> None:
    """Asks for all that is up: channels, queues, and which of the agents' channels hold. The
    answers go the way of events. Raises `LinkLost`."""
    await client.ask("CoreShowChannels", within_s)
    await client.ask("QueueStatus", within_s)  # one after the other: then the channels are here
    listed, client.listed = client.listed, []
    for channel in listed:
        if (action_id := holds.question(channel)) is not None:
            await client.ask("Getvar", within_s, action_id,
                             Channel=channel.get("Channel"), Variable=holds.VARIABLE)  # fmt: skip


async def watch(client: Client, timing: Timing, clock: Clock) -> str:
    """Pings while the link lives; silence is no answer and nothing else heard meanwhile."""
    queues_due_us = clock() + int(timing.queues_s * 1_000_000)
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(timing.ping_s):
                await client.over.wait()
            return why_over(client)
        asked_at = clock()
        try:
            await client.ask("Ping", timing.answer_s)
            if asked_at >= queues_due_us:
                queues_due_us = asked_at + int(timing.queues_s * 1_000_000)
                await client.ask("QueueStatus", timing.answer_s)
        except LinkLost:
            if client.over.is_set():
                return why_over(client)
            if (client.heard_at or 0) < asked_at:
                return "silent"
        else:
            client.beat()


def why_over(client: Client) -> str:
    """The word for a connection's end, by what ended it."""
    if client.let_go:
        return "poison"
    if isinstance(client.error, WireError):
        return "broken"
    return "overflow" if isinstance(client.error, Overflow) else "closed"


@dataclass(frozen=True, slots=True)
class Checked:
    """What a PBX that lets us in says of itself."""

    version: str
    """Of the manager interface."""
    stamped: bool | None
    """Whether its events bear its time (`timestampevents`); None where it does not tell."""


async def check(address: Address, *, timing: Timing | None = None) -> Checked:
    """Signs in, asks, and is out again. Raises `LinkLost`, `OSError`."""
    patience = timing or Timing()
    client = Client(address, Handoff(asyncio.get_running_loop()), lambda: 0)
    try:
        await asyncio.to_thread(client.connect)
        await sign_in(client, patience.answer_s)
        await client.ask("Ping", patience.answer_s)
        return Checked(client.version, await _stamped(client, patience.answer_s))
    finally:
        await asyncio.to_thread(client.disconnect)


async def _stamped(client: Client, within_s: float) -> bool | None:
    """As its manager.conf has it: before the first call there is no event to see it by. What is not
    set reads like what may not be read; `enabled` is always set."""
    settings = ("enabled", "timestampevents")
    readable, stamped = [
        (await client.ask("Getvar", within_s, Variable=f"AST_CONFIG(manager.conf,general,{name})"))
        .get("Value").lower() in _TRUE
        for name in settings
    ]  # fmt: skip
    return stamped if readable else None
