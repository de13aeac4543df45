"""The link to one PBX: the only place that imports `asterisk` (asterisk-ami 0.1.7).

The library's loop is kept, and each of its measured faults is closed (DESIGN §4):

- Its socket timeout ends the reader on a quiet line: here `pipe` waits in `select`, and silence is
  judged by `Line` alone, by Ping and what was heard since.
- A callback that raises ends it: here the reader only parses and hands over (`handoff`); what a
  batch means runs in the event loop, and a batch that fails is offered again.
- Its parser lets a caller's name forge headers, and loses duplicates: here `wire` reads.
- CR or LF in an action makes two of it: `wire.action` refuses. `send` may send half: `pipe` keeps
  the rest.
- It does not come back, or comes back with old state: here each connection is a fresh client, and
  `run` reconnects for ever. What was missed is a recorded gap, and a snapshot of the PBX's channels
  and queues is asked for at once.
- No TLS: `amis://` verifies the certificate. Without TLS the secret never crosses the link: login
  is by MD5 challenge.

The line decides nothing about calls and touches no database.
"""

import asyncio
import hashlib
import logging
import secrets
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from asterisk.ami import Action, AMIClient, SimpleAction

from telephony import wire
from telephony.address import Address
from telephony.batch import Batch, Connected, Lost
from telephony.errors import LinkLost, LoginRefused, Superseded, WireError
from telephony.handoff import Handoff
from telephony.hearing import Hearing
from telephony.pipe import Pipe
from telephony.spill import Spill
from telephony.wire import Message, Wire

log = logging.getLogger(__name__)

OnBatch = Callable[[Batch], Awaitable[None]]
Clock = Callable[[], int]


class _Overflow(LinkLost):
    """More came in than could be handed on."""


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


class Client(AMIClient):  # type: ignore[misc] # asterisk-ami has no types
    """One connection, used once. The reader thread runs `listen` and all that it calls."""

    def __init__(
        self,
        address: Address,
        handoff: Handoff,
        clock: Clock,
        *,
        connect_s: float = 5.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(
            address.host, address.port, encoding_errors="surrogateescape", timeout=connect_s
        )
        self.link_session = secrets.token_hex(8)
        self.hearing = Hearing()
        self.error: Exception | None = None
        self.over = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._address_parts = address
        self._tls = (tls or ssl.create_default_context()) if address.tls else None
        self._handoff = handoff
        self._clock = clock
        self._wire = Wire()
        self._pipe: Pipe | None = None
        self._lock = threading.Lock()
        self._unwanted = False
        self.let_go = False
        """Ended by us, to begin anew."""
        self._login_id: str | None = None
        self.accepted = False
        """Whether the PBX took our login."""

    @property
    def version(self) -> str:
        """The manager interface's version, from its banner; '' before it came."""
        return self._ami_version or ""

    def connect(self) -> None:
        """Connects and starts the reader; blocks for at most `connect_s`; raises `OSError`."""
        where = self._address_parts
        pipe = Pipe.open(where.host, where.port, timeout_s=self._timeout, tls=self._tls)
        with self._lock:
            if self._unwanted:
                pipe.release()
                return
            self._pipe = pipe
            self.finished = threading.Event()
            self._thread = threading.Thread(target=self.listen, name="ami-reader", daemon=True)
            self._thread.start()

    def disconnect(self) -> None:
        """Ends the connection, made or being made; the reader follows at once."""
        with self._lock:
            self._unwanted = True
            if self._pipe is None:
                return
            self.finished.set()
            self._pipe.close()
        self._thread.join()

    def listen(self) -> None:
        """The library's loop, let out by no exception."""
        try:
            super().listen()
        except Exception as error:  # noqa: BLE001 - before the banner the library guards nothing
            self._fire_on_disconnect(error=error)
        finally:
            self.finished.set()
            if self._pipe is not None:
                self._pipe.release()
            for future in list(self._futures.values()):
                if future.set_running_or_notify_cancel():
                    future.set_exception(_lost())
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self.over.set)

    def _next_pack(self) -> Iterator[str | list[Message]]:
        """The banner's text first, as the library expects; then messages, as they come."""
        assert self._pipe is not None  # noqa: S101 - `connect` starts the thread after the pipe
        greeted = False
        while data := self._pipe.read():
            self.hearing.read(self._clock())
            messages = self._wire.feed(data)
            if messages and not greeted:
                greeted = True
                yield messages.pop(0).raw.decode("ascii", "replace")
            if messages:
                yield messages

    def fire_recv_pack(self, pack: list[Message]) -> None:
        """Sorts answers from events and hands the events over; never waits."""
        events: list[Message] = []
        for message in pack:
            if message.kind != "response":
                events.append(message)
            elif self._answered(message):
                self.accepted = True
                events.clear()
                self._handoff.tell(self.link_session, self.hearing.read_at or 0, Connected())
        if events and self.accepted:
            self._hand(events)

    def _hand(self, events: list[Message]) -> None:
        if not self._handoff.put(self.link_session, self.hearing.at or 0, events):
            raise _Overflow(
                "数据库跟不上交换机，连接已断开并记为缺口。"
                " The database does not keep up: link dropped, gap recorded."
            )

    def beat(self) -> None:
        """Tells that the PBX is alive, though it has nothing to say."""
        if self.hearing.at is not None:
            self._handoff.put(self.link_session, self.hearing.at, ())

    def _answered(self, message: Message) -> bool:
        """Wakes whoever waits for this answer; True when the PBX accepted our login."""
        action_id = message.get("ActionID")
        self.hearing.answered(action_id)
        future = self._futures.pop(action_id, None)
        if future is not None and future.set_running_or_notify_cancel():
            future.set_result(message)
        return action_id == self._login_id and message.name == "Success"

    def _fire_on_disconnect(self, error: Exception | None = None) -> None:
        self.error = None if isinstance(error, StopIteration) else error

    def send_action(self, action: Action, callback: None = None) -> "Future[Message]":  # noqa: ARG002
        """Sends one action; the future gives its answer. Raises `InjectionRefused`, `LinkLost`."""
        if self._pipe is None or self.finished.is_set():
            raise _lost()
        action_id = self.next_action_id()
        fields = [(str(key), str(value)) for key, value in action.keys.items()]
        fields += [("Variable", f"{key}={value}") for key, value in action.variables.items()]
        data = wire.action(action.name, fields, action_id)
        future: Future[Message] = Future()
        self._futures[action_id] = future
        self.hearing.asked(action_id, self._clock())
        if action.name == "Login":
            self._login_id = action_id
        self._pipe.write(data)
        return future

    async def ask(self, name: str, within_s: float, **fields: str) -> Message:
        """One action's answer. Raises `LinkLost` when none comes in time."""
        return await _answer(self.send_action(SimpleAction(name, **fields)), within_s)

    async def sign_in(self, within_s: float, *at_once: str) -> list[Message]:
        """Logs in, by challenge where the link is not TLS; answers the answers to the actions that
        are sent `at_once` with it, so that they wait for nobody here. Raises `LoginRefused`,
        `LinkLost`."""
        where = self._address_parts
        if self._tls is not None:
            proof = {"Username": where.user, "Secret": where.secret}
        else:
            answer = await self.ask("Challenge", within_s, AuthType="MD5")
            salted = (answer.get("Challenge") + where.secret).encode()
            key = hashlib.md5(salted, usedforsecurity=False).hexdigest()  # AMI offers no other
            proof = {"AuthType": "MD5", "Username": where.user, "Key": key}
        login = self.send_action(SimpleAction("Login", **proof))
        asked = [self.send_action(SimpleAction(name)) for name in at_once]
        if (await _answer(login, within_s)).name != "Success":
            raise LoginRefused(
                "交换机拒绝登录，请检查 manager.conf 中的账号、口令和 permit。"
                " The PBX refused the login: check user, secret and permit in manager.conf."
            )
        return [await _answer(future, within_s) for future in asked]


class Line:
    """Keeps one PBX connected and its batches taken, until cancelled."""

    def __init__(
        self,
        address: Address,
        *,
        pbx: str,
        on_batch: OnBatch,
        clock: Clock,
        timing: Timing | None = None,
        tls: ssl.SSLContext | None = None,
        spill: Path | None = None,
    ) -> None:
        """`pbx`: its name, for the log; `tls`: a context other than the system's, for amis://;
        `spill`: the file for what is received and not taken, replayed if it is there already."""
        self._address = address
        self._pbx = pbx
        self._on_batch = on_batch
        self._clock = clock
        self._timing = timing or Timing()
        self._tls = tls
        self._spill = spill
        self._down = False
        self._heard_at: int | None = None
        self._client: Client | None = None
        self.connected = False
        self.trouble = ""
        """The last reason the link or a batch failed for; '' while all is well."""

    async def run(self) -> None:
        """Runs until cancelled; then waits (at most `flush_s`) until what came in is taken, and
        keeps the rest in the spill file.

        Raises `Superseded` as soon as `on_batch` does, `OSError` where there can be no spill file.
        """
        spill = await asyncio.to_thread(Spill, self._spill) if self._spill else None
        handoff = Handoff(asyncio.get_running_loop(), spill)
        consumer = asyncio.create_task(self._consume(handoff))
        keeper = asyncio.create_task(self._keep(handoff))
        superseded = False
        try:
            await asyncio.wait([keeper, consumer], return_when=asyncio.FIRST_COMPLETED)
            superseded = consumer.done()
        finally:
            keeper.cancel()
            await asyncio.wait([keeper])
            handoff.close()
            await asyncio.wait([consumer], timeout=self._timing.flush_s)
            consumer.cancel()
            await asyncio.to_thread(handoff.end, keep=not superseded)
        await (consumer if superseded else keeper)

    async def begin_anew(self) -> None:
        """Ends the connection; the next one brings a snapshot of all that is live. To be asked for
        when part of what was received could not be worked."""
        client = self._client
        if client is not None:
            client.let_go = True
            await asyncio.to_thread(client.disconnect)

    async def _keep(self, handoff: Handoff) -> None:
        """Connects again whenever the link ends, with growing pauses."""
        pause = self._timing.pause_first_s
        while True:
            client = Client(
                self._address,
                handoff,
                self._clock,
                connect_s=self._timing.connect_s,
                tls=self._tls,
            )
            self._client = client
            reason = "stopped"
            try:
                reason = await self._one(client)
            finally:
                await self._lose(client, handoff, reason)
            if client.accepted:
                pause = self._timing.pause_first_s
            await asyncio.sleep(self._timing.refused_s if reason == "refused" else pause)
            pause = min(pause * 2, self._timing.pause_most_s)

    async def _one(self, client: Client) -> str:
        """One connection from beginning to end; answers the reason of its end."""
        within_s = self._timing.answer_s
        try:
            await asyncio.to_thread(client.connect)
            _, queues = await client.sign_in(within_s, "CoreShowChannels", "QueueStatus")
            self.connected, self._down, self.trouble = True, False, ""
            log.info("PBX %s: connected", self._pbx)
            return await self._watch(client, queues)
        except LoginRefused:
            return "refused"
        except LinkLost:
            # Taken in, and then an answer that never came while the connection stands.
            deaf = client.accepted and not client.over.is_set()
            return "silent" if deaf else _reason(client)
        except OSError:
            return _reason(client)

    async def _watch(self, client: Client, queues: Message) -> str:
        """Pings while the link lives; silence is no answer and nothing else heard meanwhile.
        `queues`: what the PBX said when it was asked for them."""
        queues_due_us = self._due(queues)
        while True:
            with suppress(TimeoutError):
                due_s = max(0.0, (queues_due_us - self._clock()) / 1_000_000)
                async with asyncio.timeout(min(self._timing.ping_s, due_s)):
                    await client.over.wait()
                return _reason(client)
            asked_at = self._clock()
            try:
                await client.ask("Ping", self._timing.answer_s)
                if asked_at >= queues_due_us:
                    queues = await client.ask("QueueStatus", self._timing.answer_s)
                    queues_due_us = self._due(queues)
            except LinkLost:
                if client.over.is_set():
                    return _reason(client)
                if (client.hearing.read_at or 0) < asked_at:
                    return "silent"
            else:
                client.beat()

    def _due(self, queues: Message) -> int:
        """When to ask for the queues again (µs), after this answer."""
        known = queues.name == "Success"
        pause_s = self._timing.queues_s if known else self._timing.booting_s
        return self._clock() + int(pause_s * 1_000_000)

    async def _lose(self, client: Client, handoff: Handoff, reason: str) -> None:
        """Ends a connection for good and says so, once an outage."""
        await asyncio.to_thread(client.disconnect)
        self._heard_at = client.hearing.at or self._heard_at
        self.connected = False
        self.trouble = reason
        if not self._down:
            self._down = True
            # Our own errors say what to do; another's text may hold whatever the peer sent.
            why = f": {client.error}" if isinstance(client.error, WireError | _Overflow) else ""
            log.warning("PBX %s: link down (%s)%s", self._pbx, reason, why)
            handoff.tell(client.link_session, self._clock(), Lost(reason, self._heard_at))

    async def _consume(self, handoff: Handoff) -> None:
        """Offers each batch until it is taken; order is never changed."""
        while (batch := await handoff.take()) is not None:
            pause = self._timing.pause_first_s
            while True:
                try:
                    await self._on_batch(batch)
                    await handoff.taken()
                    break
                except Superseded:
                    raise
                except Exception as error:  # noqa: BLE001 - whatever it is, no batch is dropped
                    # The kind only: a database error's text holds the row, a caller's number too.
                    kind = type(error).__name__
                    log.warning("PBX %s: batch not taken (%s), offered again", self._pbx, kind)
                    self.trouble = f"batch: {kind}"
                await asyncio.sleep(pause)
                pause = min(pause * 2, self._timing.retry_most_s)
            if self.connected:
                self.trouble = ""


async def check(address: Address, *, timing: Timing | None = None) -> str:
    """Signs in and out again; answers the manager's version. Raises `LinkLost`, `OSError`."""
    patience = timing or Timing()
    client = Client(address, Handoff(asyncio.get_running_loop()), lambda: 0)
    try:
        await asyncio.to_thread(client.connect)
        await client.sign_in(patience.answer_s)
        await client.ask("Ping", patience.answer_s)
        return client.version
    finally:
        await asyncio.to_thread(client.disconnect)


async def _answer(future: "Future[Message]", within_s: float) -> Message:
    try:
        async with asyncio.timeout(within_s):
            return await asyncio.wrap_future(future)
    except TimeoutError:
        raise LinkLost(
            f"交换机未在 {within_s:g} 秒内应答。 The PBX did not answer within {within_s:g} s."
        ) from None


def _lost() -> LinkLost:
    return LinkLost("与交换机的连接已断开。 The link to the PBX is down.")


def _reason(client: Client) -> str:
    """The word for a connection's end, by what ended it."""
    if client.let_go:
        return "poison"
    if isinstance(client.error, WireError):
        return "broken"
    return "overflow" if isinstance(client.error, _Overflow) else "closed"
