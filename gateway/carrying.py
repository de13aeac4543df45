"""What goes between the house and its departments: messages out, replies in, by whichever way.

From the parts come the transport, who takes replies, and the duty `relay` with all that runs under
it: messages are carried by any number of gateways side by side, under a fence of their own; replies
are taken by one at a time, in the order they come, and with them the desks, the dead letters, the
alarms and what departments left in a way they read no more. Nothing is decided here.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, NoReturn

from gateway import bells
from gateway.duties import duty, for_ever
from gateway.flow import answering, backlog, desks, lending, moving, parking, recusing
from gateway.flow.metrics import QUEUES
from gateway.parts import Parts
from queueing.broker import RabbitMQ
from queueing.deadletters import DeadLetters
from queueing.embedded import Embedded
from queueing.inbox import Handler, ReplyConsumer
from queueing.relay import Relay
from queueing.telling import Teller
from queueing.transport import Transport
from queueing.waiting import Bell
from queueing.warden import Warden

DECLARED_S: Final = 2.0  # how long the relay waits for the departments' queues at its start


@asynccontextmanager
async def transport(made: Parts) -> AsyncIterator[Transport]:
    """RabbitMQ where one is set, the database's own queues otherwise."""
    opened: Transport
    opened = (
        RabbitMQ(made.settings.broker_now, kind=made.settings.queues)
        if made.settings.broker_url
        else Embedded(made.database.begin, made.clock, reading=made.database.reading)
    )
    try:
        yield opened
    finally:
        await opened.close()


def on_reply(made: Parts) -> Handler:
    """What departments' replies do to their work orders and tickets. The inbox has checked that a
    department may speak, by the key its reply came with."""
    return lambda session, replies: answering.apply(session, replies, made.clock())


def replies(made: Parts, carrier: Transport, counted: str = QUEUES) -> ReplyConsumer:
    """Who takes departments' replies, from `carrier` or handed in over HTTPS; `counted` so."""
    return ReplyConsumer(
        made.database.begin, carrier, on_reply(made), made.clock,
        lambda session, why: recusing.reply_kept_out(session, why, made.clock()),
        desks.speaker, counted,
    )  # fmt: skip


async def relay(made: Parts) -> None:
    """Carry work orders to the departments, as any number of gateways may side by side, and their
    replies back, one gateway at a time: replies are applied in the order they come."""
    async with asyncio.TaskGroup() as group:
        group.create_task(out(made))
        if made.settings.broker_url:  # whose departments that pull are carried to apart from it
            group.create_task(lending.carry(made))
        group.create_task(duty(made, "relay", lambda _: back(made)))


async def out(made: Parts) -> None:
    """A message is claimed under a fence of its own: no lease besides. What is lost of a relay's
    own commits in a power cut is sent again under the same key."""
    bell, database = Bell(), made.database
    async with transport(made) as carrier, asyncio.TaskGroup() as group:
        # Queues are declared beside it; a moment's start, for what has no queue yet is parked.
        await asyncio.wait([group.create_task(_declare(made, carrier))], timeout=DECLARED_S)
        group.create_task(bells.listen(made.hub, bell, lambda _queue: None))
        begin = partial(database.begin, lasting=False)
        among = desks.at_the_broker if made.settings.broker_url else None
        work = Relay(begin, carrier, made.clock, reading=database.reading, bell=bell, among=among)
        group.create_task(work.run())
        name = f"{socket.gethostname()[:40]}:{os.getpid()}"
        told = Teller(begin, made.clock, work.told, lambda: work.standing, name)
        group.create_task(told.run())


async def _declare(made: Parts, carrier: Transport) -> None:
    await desks.declare(made.database, carrier)


async def back(made: Parts) -> None:
    """Take replies, and do what one gateway does for all departments; each begun again by itself
    when it fails."""
    begin, clock = made.database.begin, made.clock
    async with transport(made) as carrier, asyncio.TaskGroup() as group:
        if isinstance(carrier, Embedded):  # its readers are woken by whoever commits something
            group.create_task(bells.listen(made.hub, Bell(), carrier.ring))
        await desks.declare(made.database, carrier)
        consumer = replies(made, carrier)
        told = Teller(partial(begin, lasting=False), clock, consumer.told, None, "")
        works: dict[str, Callable[[], Awaitable[NoReturn]]] = {
            "replies": consumer.run,
            "dead letters": DeadLetters(begin, carrier, clock).run,
            "desks": partial(desks.run, made.database, carrier, clock),
            "alarm": partial(parking.alarm, made.database, clock),
            "backlog": partial(backlog.alarm, made.database, clock),
            "told": told.run,
        }
        if made.settings.broker_url:
            works["warden"] = Warden(made.settings.broker_now, partial(_at_work, made)).run
            works["ways"] = partial(moving.run, made.database, carrier, clock)
            works["depth"] = partial(
                backlog.measure, made.database, made.settings.broker_now, clock
            )
        for name, work in works.items():
            group.create_task(for_ever(name, work))


def _at_work(made: Parts) -> list[str]:
    """Departments whose own programs read their queues."""
    return [code for code, mode in desks.modes(made.database).items() if mode == "queue"]
