"""Composition: the only place where adapters meet decisions.

From frozen `Settings` come the `Parts`, and from the parts each of the process's duties: the web
application, the link to the PBX, the capturing of recordings, the relay to the departments, the
timers. `serve` runs those that a process is asked for. A process that only captures is given no
private key (DESIGN §3, promise 4): its parts hold `identities=None`.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import NoReturn

from sqlalchemy.orm import Session
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from gateway import bells, broadcast, lease, migrations, passphrase, rights, shelves
from gateway.api import health, metrics
from gateway.api import routes as api
from gateway.api.shapes import Fault
from gateway.broadcast import Broadcast, Datagrams, Notify
from gateway.console import web
from gateway.database import Database
from gateway.errors import BadSetting, HotlineError
from gateway.exchange import Exchange
from gateway.flow import (
    answering,
    backlog,
    custody,
    desks,
    lending,
    linking,
    parking,
    pulling,
    recusing,
    soundness,
)
from gateway.flow import log as acts
from gateway.lease import Duty, Lease
from gateway.notices import Hub, Notice
from gateway.parts import Parts
from gateway.settings import Settings
from gateway.switchboard import Switchboard
from queueing.broker import RabbitMQ
from queueing.deadletters import DeadLetters
from queueing.embedded import Embedded
from queueing.inbox import Handler, ReplyConsumer
from queueing.relay import Relay
from queueing.telling import Teller
from queueing.transport import Transport
from queueing.waiting import Bell
from queueing.warden import Warden
from recordings import checkpoints, logkeys, tables_store, watch
from recordings import passphrase as words
from recordings.capture import Capture
from recordings.copies import CopiedStore
from recordings.keyring import FileKeyring
from recordings.keys import Keyring, Recipients
from recordings.transit import TransitKeyring

log = logging.getLogger(__name__)

PBX_AGAIN_S = 5.0
DEPARTMENTS_AGAIN_S = 1.0
DECLARED_S = 2.0  # how long the relay waits for the departments' queues at its start
NOTICES = "notices"  # where processes tell each other, below the state directory
PLAIN_KEYS = "private"  # where older versions kept the private halves, below the keyring


def clock() -> int:
    """Now, in microseconds since the epoch."""
    return time.time_ns() // 1000


def environment() -> dict[str, str]:
    """The `HOTLINE_*` variables but `HOTLINE_STATE`, for a command that says itself where."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith("HOTLINE_") and not name.startswith("HOTLINE_STATE")
    }


def establish_log(made: Parts) -> None:
    """The log's name and key, made where there never were any: `12333.cn/<region>/<chance>`.

    Where the database holds checkpoints there was a key: it is not made again.
    """
    with made.database.reading() as session:
        if checkpoints.all_notes(session):
            return
    region = "".join(c for c in made.settings.region.lower() if c.isascii() and c.isalnum())
    name = f"12333.cn/{region or 'hotline'}/{os.urandom(4).hex()}"
    logkeys.establish(made.settings.keyring, name, os.urandom(32))


def parts(settings: Settings, *, may_open: bool = True) -> Parts:
    """The adapters of one process. `may_open` False: it gets no way to a private key."""
    rights.begin(settings.archive.group)
    hub = Hub()
    sqlite = settings.database_url.startswith("sqlite")
    others: Broadcast = Datagrams(settings.state / NOTICES) if sqlite else Notify()

    def told(noted: list[Notice]) -> None:
        hub.publish(noted)
        others.after(noted)

    kept = settings.storage
    store = shelves.of(kept.store, kept)
    places, either = {tables_store.STORE: store}, store
    if kept.copy is not None:
        places[tables_store.COPY] = shelves.of(kept.copy, kept)
        told_of_second = soundness.remembering(settings.state, clock)
        either = CopiedStore(store, places[tables_store.COPY], told_of_second)
    return Parts(
        settings=settings,
        database=Database(settings.database_url, told, others.within),
        clock=clock,
        hub=hub,
        broadcast=others,
        store=either,
        places=places,
        recipients=Recipients(settings.archive.public_keys),
        identities=keyring(settings) if may_open else None,
    )


def keyring(settings: Settings) -> Keyring:
    """The private keys; nothing is opened before one is asked for."""
    archive = settings.archive
    if archive.transit_url:
        token = archive.transit_token
        return TransitKeyring(archive.transit_url, lambda: token, archive.transit_directory)
    return FileKeyring(archive.keyring_file, passphrase.source(archive), log_n=words.WORK)


@contextmanager
def opened(settings: Settings) -> Iterator[Parts]:
    """The parts for as long as a command runs."""
    made = parts(settings)
    try:
        yield made
    finally:
        made.database.dispose()


def prepare(made: Parts) -> list[str]:
    """Directories, database and the next months' keys: what must be there before anything runs.

    Answers the keys that were made now.
    """
    settings, group = made.settings, made.settings.archive.group
    kept = settings.storage.store  # the copy's disk is mounted, or it is not there
    stores = [kept] if isinstance(kept, Path) else []
    for directory in (settings.state, *stores, settings.state / NOTICES):
        rights.directory(directory, group)
    rights.directory(settings.keyring, group, rights.PASSAGE)
    rights.directory(settings.archive.public_keys, group, rights.READ_ONLY)
    # The spool's `ready/` is the PBX's to make: made by us it would not be the PBX's to write to.
    for exchange in settings.pbxs:
        if not exchange.spool.exists():
            rights.directory(exchange.spool, group)
    migrations.upgrade(made.database)
    if made.database.sqlite and made.database.url.database:
        rights.share(Path(made.database.url.database), group)
    establish_log(made)
    passphrase.provide(settings.archive)
    return custody.keep_ahead(made, None)


def keys_made(session: Session, made: Parts, ids: list[str]) -> None:
    """The line of each pair that was made by itself."""
    for key_id in ids:
        acts.note(session, "keys:pair:make", actor="gateway", origin=acts.NOBODY,
                  obj=f"key:{key_id}", outcome="ok", now=made.clock())  # fmt: skip


def check(made: Parts) -> None:
    """Refuse to start where nothing could be kept: no database of this version, or a keyring that
    this process ought to open and cannot.

    Raises:
        BadSetting: the database has to be brought up to date, or the keys put into the keyring.
        KeysError: the keyring does not open; the message says what to do.
    """
    found, newest = migrations.version(made.database)
    if found != newest:
        raise BadSetting(
            "数据库不是最新版本，请先运行 hotline init 或 hotline db upgrade。 "
            "The database is not of this version; run hotline init or hotline db upgrade first."
        )
    if made.identities is None:
        return
    if any((made.settings.keyring / PLAIN_KEYS).glob("*.agekey")):
        raise BadSetting(
            "还有明文私钥，请先收进钥匙环：hotline keys enclose。 "
            "There are private keys in plain files: run hotline keys enclose first."
        )
    made.identities.key_ids()


def application(made: Parts) -> ASGIApp:
    """The web: JSON for programs, pages for people."""
    handlers = {status: _json_or(handler) for status, handler in web.EXCEPTION_HANDLERS.items()}
    app = Starlette(
        routes=[*health.ROUTES, *metrics.ROUTES, *api.routes(), *web.pages()],
        exception_handlers=handlers,
    )
    app.state.parts = made
    app.state.waiting = pulling.Waiting()
    app.state.replies = replies(made, Embedded(made.database.begin, made.clock))
    return web.wrapped(app)


def _json_or(page: web.Handler) -> web.Handler:
    """Programs are told in JSON what people are told on a page."""

    def told(request: Request, error: Exception) -> Response:
        if not request.url.path.startswith("/api/"):
            return page(request, error)
        status = getattr(error, "status_code", HotlineError.status)
        message = f"请求无法处理（{status}），见 /api/openapi.json。 Not handled ({status})."
        return JSONResponse(Fault(message=message).model_dump(), status)

    return told


async def hear(made: Parts) -> None:
    """What other processes change reaches the pages of this one."""
    await broadcast.listen(made.broadcast, made.database, made.hub)


async def pbx(made: Parts, exchange: Exchange) -> None:
    """Listen to that PBX, one gateway at a time; what fails at it is begun again, and stops neither
    another PBX nor the process."""
    while True:
        try:
            await duty(
                made,
                lease.of_pbx(exchange.name),
                lambda held: Switchboard(made, exchange, held).run(),
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
            log.warning("PBX %s: %s; begun again", exchange.name, _why(error))
        await asyncio.sleep(PBX_AGAIN_S)


def _why(error: Exception) -> str:
    """Kind and place of an error, of a group the first: a text might hold what a caller said."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    number = f" (errno {error.errno})" if isinstance(error, OSError) else ""
    return type(error).__name__ + number


async def duty(made: Parts, name: str, work: Callable[[Lease], Awaitable[None]]) -> None:
    """Do `work` while this process, of all that share the database, holds the lease `name`."""
    await Duty(made.database, made.clock, made.settings.state / "seats", name, work).run()


async def capture(made: Parts) -> None:
    """Seal what the PBXs have recorded; public keys only."""
    async with asyncio.TaskGroup() as group:
        for exchange in made.settings.pbxs:
            group.create_task(_capture(made, exchange))


async def _capture(made: Parts, exchange: Exchange) -> None:
    store = made.places[tables_store.STORE]  # what is sealed must stand there, not in a copy
    work = Capture(
        exchange.spool,
        exchange.name,
        made.recipients,
        store,
        made.database.begin,
        made.clock,
        linking.captured,
    )
    await watch.run(work, store, made.database.begin, exchange.name, made.clock)


def relink(made: Parts) -> None:
    """Link recordings whose call became known in another transaction at the same moment."""
    with made.database.begin() as session:
        linking.relink(session)


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


def replies(made: Parts, carrier: Transport) -> ReplyConsumer:
    """Who takes departments' replies, from `carrier` or handed in over HTTPS."""
    return ReplyConsumer(
        made.database.begin, carrier, on_reply(made), made.clock,
        lambda session, why: recusing.reply_kept_out(session, why, made.clock()),
        desks.speaker,
    )  # fmt: skip


async def relay(made: Parts) -> None:
    """Carry work orders to the departments, as any number of gateways may side by side, and their
    replies back, one gateway at a time: replies are applied in the order they come."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_out(made))
        if made.settings.broker_url:  # whose departments that pull are carried to apart from it
            group.create_task(lending.carry(made))
        group.create_task(duty(made, "relay", lambda _: _in(made)))


async def _out(made: Parts) -> None:
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


async def _in(made: Parts) -> None:
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
            works["depth"] = partial(
                backlog.measure, made.database, made.settings.broker_now, clock
            )
        for name, work in works.items():
            group.create_task(_for_ever(name, work))


async def _for_ever(name: str, work: Callable[[], Awaitable[NoReturn]]) -> NoReturn:
    """Whatever goes wrong in one of them is said, and ends neither the others nor the process."""
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
            log.error("%s: %s; begun again", name, _why(error))  # noqa: TRY400
        await asyncio.sleep(DEPARTMENTS_AGAIN_S)


def _at_work(made: Parts) -> list[str]:
    """Departments whose own programs read their queues."""
    return [code for code, mode in desks.modes(made.database).items() if mode == "queue"]
