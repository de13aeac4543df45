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
from telephony.client import Client, Clock, answer
from telephony.errors import LinkLost, LoginRefused, Overflow, WireError
from telephony.handoff import Handoff
from telephony.message import Message


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
    booting_s: float = 1.0
    """The same while the PBX does not know the question: it lets us in before it has its queues."""
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


async def sign_in(client: Client, within_s: float, *at_once: str) -> list[Message]:
    """Logs in, by challenge where the link is not TLS; answers the answers to the actions that are
    sent `at_once` with it, so that they wait for nobody here. Raises `LoginRefused`, `LinkLost`."""
    where = client.address
    if where.tls:
        proof = {"Username": where.user, "Secret": where.secret}
    else:
        salt = await client.ask("Challenge", within_s, AuthType="MD5")
        salted = (salt.get("Challenge") + where.secret).encode()
        key = hashlib.md5(salted, usedforsecurity=False).hexdigest()  # AMI offers no other
        proof = {"AuthType": "MD5", "Username": where.user, "Key": key}
    login = client.send_named("Login", **proof)
    asked = [client.send_named(name) for name in at_once]
    if (await answer(login, within_s)).name != "Success":
        raise LoginRefused(
            "交换机拒绝登录，请检查 manager.conf 中的账号、口令和 permit。"
            " The PBX refused the login: check user, secret and permit in manager.conf."
        )

    return [await answer(future, within_s) for future in asked]


async def begin(client: Client, within_s: float) -> Message:
    """Signs in and, in the same breath, asks for the channels and the queues that are up; answers
    what was said to the latter. The lists go the way of events. Raises as `sign_in`."""
    _, queues = await sign_in(client, within_s, "CoreShowChannels", "QueueStatus")
    return queues


async def look(client: Client, within_s: float) -> None:
    """Asks which of the agents' channels hold, of those that were listed before the queues were.
    The answers go the way of events. Raises `LinkLost`."""
    listed, client.listed = client.listed, []
    for channel in listed:
        if (action_id := holds.question(channel)) is not None:
            await client.ask("Getvar", within_s, action_id,
                             Channel=channel.get("Channel"), Variable=holds.VARIABLE)  # fmt: skip


async def watch(client: Client, timing: Timing, clock: Clock, queues: Message) -> str:
    """Pings while the link lives; silence is no answer and nothing else heard meanwhile. `queues`:
    what the PBX said when it was asked for them."""
    queues_due_us = clock() + _pause_us(queues, timing)
    while True:
        with suppress(TimeoutError):
            due_s = max(0.0, (queues_due_us - clock()) / 1_000_000)
            async with asyncio.timeout(min(timing.ping_s, due_s)):
                await client.over.wait()
            return why_over(client)
        asked_at = clock()
        try:
            await client.ask("Ping", timing.answer_s)
            if asked_at >= queues_due_us:
                queues = await client.ask("QueueStatus", timing.answer_s)
                queues_due_us = clock() + _pause_us(queues, timing)
        except LinkLost:
            if client.over.is_set():
                return why_over(client)
            if (client.hearing.read_at or 0) < asked_at:
                return "silent"
        else:
            client.beat()


def _pause_us(queues: Message, timing: Timing) -> int:
    """How long after this answer to ask for the queues again."""
    known = queues.name == "Success"
    return int((timing.queues_s if known else timing.booting_s) * 1_000_000)


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
