"""One process: the duties it was asked for, side by side, until it is told to stop.

    web      pages and JSON                       any number of processes
    pbx      each PBX's link → calls, tickets     any number; one at a time has it (gateway.lease)
    capture  finished WAVs → sealed recordings    one process; needs public keys only
    relay    work orders out                      any number, side by side
             replies in, desks                    any number; one at a time works
    timers   keys ahead, links, checkpoints,
             recordings compared, copied,
             and destroyed when it is time        any number; one at a time works

A duty that ends or fails takes the process with it: whoever supervises it (systemd) starts it
again, and each duty takes up its work from what is committed. Only a PBX's begins again by itself:
what is wrong with one PBX must not end the link to another. Nothing is decided here.
"""

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress

import uvicorn
from sqlalchemy.exc import SQLAlchemyError

from gateway import carrying, compose, timers
from gateway.duties import duty
from gateway.errors import BadSetting
from gateway.flow import log as acts
from gateway.parts import Parts

log = logging.getLogger(__name__)

DUTIES = ("web", "pbx", "capture", "relay", "timers")
THREADS = 8
THREADS_A_PBX = 4  # to connect, to commit, to read on in CEL, to seal: each may wait for long
SWITCH_S = 0.0005
"""How soon a thread that computes lets another have the interpreter. Python's own 5 ms would come
on top of each wait of the PBX's reader and of each pop on its way to a page."""


class Web(uvicorn.Server):
    """uvicorn that says where it listens, and is stopped by us, not by signals of its own."""

    def __init__(self, config: uvicorn.Config, started: Callable[[int], None]) -> None:
        super().__init__(config)
        self._told = started

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        """Signals are `run`'s."""
        return nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say on which port."""
        await super().startup(sockets=sockets)
        if self.started:
            self._told(sockets[0].getsockname()[1] if sockets else self.config.port)


def chosen(only: str) -> frozenset[str]:
    """The duties named in `--only`, all of them when it is empty.

    Raises:
        BadSetting: one that does not exist.
    """
    named = frozenset(only.replace(",", " ").split()) or frozenset(DUTIES)
    if unknown := named - set(DUTIES):
        raise BadSetting(
            f"没有这项职责：{', '.join(sorted(unknown))}；可选 {', '.join(DUTIES)}。 "
            f"No such duty; choose among {', '.join(DUTIES)}."
        )
    return named


async def web(parts: Parts, started: Callable[[int], None] = lambda _: None) -> None:
    """Serve pages and JSON; `started` is told the port once it listens."""
    listening = _listen(parts.settings.host, parts.settings.port)
    config = uvicorn.Config(
        compose.application(parts),
        log_config=None,
        access_log=False,  # URLs carry ids only, but who read what belongs into the log of acts
        server_header=False,
        proxy_headers=False,  # the address in the log is the peer's own, not what a header says
        timeout_graceful_shutdown=5,
    )
    server = Web(config, started)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        parts.hub.close()  # open pages let go, or the server would wait for them
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await serving
        raise


def _listen(host: str, port: int) -> socket.socket:
    """The socket to serve on; uvicorn by itself would end the process where the port is taken.

    Raises:
        BadSetting: the address is not ours, or another program listens there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise BadSetting(
            f"HOTLINE_LISTEN={host}:{port} 无法监听（{error.strerror}）：请换端口或停掉占用者。 "
            f"Cannot listen on {host}:{port}: choose another port, or stop who has it."
        ) from error


def duties(
    parts: Parts, named: Collection[str], started: Callable[[int], None] = lambda _: None
) -> Iterable[tuple[str, Awaitable[None]]]:
    """The work behind each name; a PBX's only where its address is set."""
    if "web" in named:
        yield "web", web(parts, started)
    if {"web", "relay"} & set(named):
        yield "notices", compose.hear(parts)
    for exchange in parts.settings.pbxs:
        if "pbx" in named and exchange.address is not None:
            yield f"pbx {exchange.name}", compose.pbx(parts, exchange)
    if "capture" in named:
        yield "capture", compose.capture(parts)
    if "relay" in named:
        yield "relay", carrying.relay(parts)
    if "timers" in named:
        yield "timers", duty(parts, "timers", lambda _: timers.run(parts))


async def run(parts: Parts, named: Collection[str]) -> None:
    """Do the named duties until a signal comes or one of them ends."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    settings = parts.settings
    log.info("serving %s; database %s", ", ".join(sorted(named)), settings.database_place)
    for exchange in settings.pbxs:
        if "pbx" in named and exchange.address is None:
            log.warning("PBX %s: its HOTLINE_PBX_URL is not set; not listened to", exchange.name)
    await asyncio.to_thread(_started, parts, named)
    # A PBX that does not answer keeps a thread waiting; the others must not wait for that one.
    loop.set_default_executor(ThreadPoolExecutor(THREADS + THREADS_A_PBX * len(settings.pbxs)))
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()  # a full collection that walks every module holds up the PBX's reader for 60 ms
    await side_by_side(stop, duties(parts, named, lambda port: _listening(settings.host, port)))


def _started(parts: Parts, named: Collection[str]) -> None:
    """That this process starts, and for what, is on record; a database away now stops nothing."""
    try:
        with parts.database.begin() as session:
            acts.note(session, "gateway:process:start", actor="gateway", origin=acts.NOBODY,
                      obj=f"host:{socket.gethostname()[:60]}", outcome="ok", now=parts.clock(),
                      detail={"duties": sorted(named)})  # fmt: skip
    except SQLAlchemyError as error:
        log.warning("the start is not on record: %s", type(error).__name__)


async def side_by_side(stop: asyncio.Event, works: Iterable[tuple[str, Awaitable[None]]]) -> None:
    """Run `works` until `stop`, or until one ends; then end them all, and raise what one raised."""
    tasks = [asyncio.ensure_future(work) for _, work in works]
    waiting = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (waiting, *tasks):
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(waiting, return_exceptions=True)
    for result in ended:
        if isinstance(result, Exception):
            raise result


def _listening(host: str, port: int) -> None:
    log.info("listening on http://%s:%d", host, port)
