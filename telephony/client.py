"""One connection to a PBX's manager: the only place that imports `asterisk` (asterisk-ami 0.1.7).

The library's loop is kept, and each of its measured faults is closed (DESIGN §4):

- Its socket timeout ends the reader on a quiet line: here `pipe` waits in `select`, and silence is
  judged by `session` alone, by Ping and what was heard since.
- A callback that raises ends it: here the reader only parses and hands over (`handoff`); what a
  batch means runs in the event loop.
- Its parser lets a caller's name forge headers, and loses duplicates: here `wire` reads.
- CR or LF in an action makes two of it: `wire.action` refuses. `send` may send half: `pipe` keeps
  the rest.
- It does not come back, or comes back with old state: here each connection is a fresh client.
- No TLS: `amis://` verifies the certificate.

A client is used once. It signs nobody in and begins nothing anew: that is `session` and `line`.
"""

import asyncio
import secrets
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from typing import Final

from asterisk.ami import Action, AMIClient, SimpleAction

from telephony import holds, wire
from telephony.address import Address
from telephony.batch import Connected
from telephony.errors import LinkLost, Overflow
from telephony.handoff import Handoff
from telephony.hearing import Hearing
from telephony.message import Message
from telephony.pipe import Pipe
from telephony.wire import Wire

Clock = Callable[[], int]

_LISTED: Final = b"Event: CoreShowChannel\r\n"


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
        self.address = address
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
        self.listed: list[Message] = []
        """The channels it has listed to us."""

    @property
    def version(self) -> str:
        """The manager interface's version, from its banner; '' before it came."""
        return self._ami_version or ""

    def connect(self) -> None:
        """Connects and starts the reader; blocks for at most `connect_s`; raises `OSError`."""
        where = self.address
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
                if message.raw.startswith(_LISTED):
                    self.listed.append(message)
            elif self._answered(message):
                self.accepted = True
                events.clear()
                self._handoff.tell(self.link_session, self.hearing.read_at or 0, Connected())
            elif holds.asked(message):
                events.append(message)
        if events and self.accepted:
            self._hand(events)

    def _hand(self, events: list[Message]) -> None:
        if not self._handoff.put(self.link_session, self.hearing.at or 0, events):
            raise Overflow(
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

    def send_action(self, action: Action, action_id: str = "") -> "Future[Message]":
        """Sends one action; the future gives its answer. Raises `InjectionRefused`, `LinkLost`."""
        if self._pipe is None or self.finished.is_set():
            raise _lost()
        action_id = action_id or self.next_action_id()
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

    def send_named(self, name: str, action_id: str = "", **fields: str) -> "Future[Message]":
        """The same, by the action's name and fields."""
        return self.send_action(SimpleAction(name, **fields), action_id)

    async def ask(self, name: str, within_s: float, action_id: str = "", **fields: str) -> Message:
        """One action's answer. `action_id`: one of our own making, where the answer alone is to say
        what was asked. Raises `LinkLost` when none comes in time."""
        return await answer(self.send_named(name, action_id, **fields), within_s)


async def answer(asked: "Future[Message]", within_s: float) -> Message:
    """What an action sent before is answered. Raises `LinkLost` when nothing comes in time."""
    try:
        async with asyncio.timeout(within_s):
            return await asyncio.wrap_future(asked)
    except TimeoutError:
        raise LinkLost(
            f"交换机未在 {within_s:g} 秒内应答。 The PBX did not answer within {within_s:g} s."
        ) from None


def _lost() -> LinkLost:
    return LinkLost("与交换机的连接已断开。 The link to the PBX is down.")
