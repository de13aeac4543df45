"""A PBX that is none: it tells real traces again over a real AMI socket, and writes the WAVs.

For the demonstration and for tests of what lies above telephony; never the proof of what a real PBX
does. Any trace, many at once, at any speed, over a link as bad as a plan says (`faults`). Each call
gets fresh ids, and with `place_call` the caller, agent and pauses asked for; beside AMI it leaves
what Asterisk would: a WAV under `<spool>/<yyyy>/<mm>/<dd>/<uniqueid>.wav` that is renamed into
`<spool>/ready/` when it is closed (`tape`), and the lines of the call in a CEL file. Times are UTC.
"""

import asyncio
import random
import ssl
from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from telephony import cel_lines, voice
from telephony.aliases import Aliases
from telephony.faults import Fault
from telephony.listing import Listing
from telephony.manager import Manager
from telephony.roll import Roll
from telephony.tape import Tapes
from telephony.teller import Teller
from telephony.trace import Beat, Caller, Headers, Trace, event_of

_ANSWERED: Final = "answered.ami"
_ABANDONED: Final = "abandoned.ami"
TALK_S: Final = 4.0
"""How long they talk on the tape of a replay."""
USER: Final = "hotline"


class Simulator:
    """`async with Simulator(...) as pbx`: listens on 127.0.0.1, port `pbx.port`."""

    def __init__(  # noqa: PLR0913 - each is one thing a PBX has
        self,
        spool: Path,
        cel: Path,
        *,
        secret: str,
        clock: Callable[[], int],
        rng: random.Random,
        speed: float = 1.0,
        agents: Collection[str] = ("8001", "8002", "8003", "8004"),
        tls: ssl.SSLContext | None = None,
        plan: Sequence[Fault] = (),
        port: int = 0,
    ) -> None:
        """`clock`: µs since the epoch; `speed`: how many simulated seconds a real one holds;
        `agents`: the extensions in the queue; `plan`: what goes wrong on the link; `port`: where
        to listen, 0 for a free one."""
        self.secret = secret
        self._spool = spool
        self._cel = cel
        self._clock = clock
        self._rng = rng
        self._speed = speed
        self._aliases = Aliases(rng)
        self._speeches: dict[float, bytes] = {}
        self._listing = Listing()
        self._calls: set[asyncio.Task[str]] = set()
        self._roll = Roll(agents, clock)
        self._manager = Manager(
            user=USER,
            secret=secret,
            channels=self._listing.channels,
            challenge=lambda: str(rng.randrange(10**8, 10**9)),
            queues=self._roll.listed,
            tls=tls,
        )
        self._listen_at = port
        self._teller = Teller(self._manager, plan, rng)

    async def __aenter__(self) -> Self:
        """Raises `OSError` where the port is taken."""
        await self._manager.start(self._listen_at)
        self._teller.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for call in list(self._calls):
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        await self._teller.stop()
        await self._manager.stop()

    @property
    def port(self) -> int:
        """Where the manager interface listens."""
        return self._manager.port

    @property
    def listeners(self) -> int:
        """How many gateways are signed in."""
        return self._manager.listeners

    @property
    def said(self) -> int:
        """How many messages were told."""
        return self._teller.said

    async def finish(self) -> None:
        """Waits until every call is told and every fault over; the sessions end in order."""
        await asyncio.gather(*self._calls)
        await self._teller.finish()
        await self._manager.hang_up()

    async def cut(self) -> None:
        """Drops every AMI session and comes back on the same port, as a restarted PBX would."""
        port = self._manager.port
        await self._manager.stop()
        await self._manager.start(port)

    def begin_call(
        self,
        caller_number: str,
        caller_name: str = "",
        *,
        agent: str = "8003",
        ring_s: float = 2.0,
        talk_s: float = 6.0,
        answered: bool = True,
    ) -> "asyncio.Task[str]":
        """The call as a task of its own; see `place_call`."""
        return self._begun(
            self.place_call(
                caller_number,
                caller_name,
                agent=agent,
                ring_s=ring_s,
                talk_s=talk_s,
                answered=answered,
            )
        )

    def begin_replay(self, trace: Trace) -> "asyncio.Task[str]":
        """A trace as a task of its own, as it was but for fresh ids; see `replay`."""
        return self._begun(self.replay(trace))

    def _begun(self, telling: Coroutine[None, None, str]) -> "asyncio.Task[str]":
        call = asyncio.create_task(telling)
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        return call

    async def place_call(
        self,
        caller_number: str,
        caller_name: str = "",
        *,
        agent: str = "8003",
        ring_s: float = 2.0,
        talk_s: float = 6.0,
        answered: bool = True,
    ) -> str:
        """Plays one call to its end and answers its linkedid; its WAV is in `ready/` then.

        `ring_s`: simulated seconds until the agent answers, or until the caller gives up.
        """
        trace = _trace(_ANSWERED if answered else _ABANDONED)
        ids = self._aliases.of(trace, self._clock() // 1_000_000, agent)
        pauses = {"HangupRequest": talk_s if answered else ring_s}
        if answered:
            pauses["DialEnd"] = ring_s
        told = trace.told(ids, Caller(caller_number, caller_name, agent))
        await self._tell(told, pauses, talk_s)
        return ids[trace.linkedid]

    async def replay(self, trace: Trace) -> str:
        """Tells a trace to its end, with its own callers, agents and pauses; answers the linkedid
        of its first call."""
        ids = self._aliases.of(trace, self._clock() // 1_000_000)
        await self._tell(trace.told(ids, Caller(trace.caller, "", trace.agent)), {}, TALK_S)
        return ids[trace.linkedid]

    async def _tell(self, beats: Iterable[Beat], pauses: dict[str, float], talk_s: float) -> None:
        """Tells `beats`, and keeps a tape for each channel recorded. `pauses`: those that are not
        the trace's, by the event they come before."""
        tapes = Tapes(self._spool, self._clock, lambda: self._speech(talk_s))
        for beat in beats:
            await asyncio.sleep(pauses.pop(event_of(beat.headers), beat.pause_s) / self._speed)
            self._send(beat)
            if (deed := tapes.due(beat.headers)) is not None:
                await asyncio.to_thread(deed)
        await asyncio.to_thread(tapes.finish)

    def _speech(self, talk_s: float) -> bytes:
        """What is said in `talk_s` seconds: made once a length: it costs more than the call."""
        if talk_s not in self._speeches:
            self._speeches[talk_s] = voice.speech(talk_s, self._rng)
        return self._speeches[talk_s]

    def _send(self, beat: Beat) -> None:
        at = self._clock()
        headers: Headers = tuple(
            (key, f"{at // 1_000_000}.{at % 1_000_000:06d}" if key == "Timestamp" else value)
            for key, value in beat.headers
        )
        self._listing.note(headers)
        self._roll.note(headers)
        self._teller.say(headers)
        values = dict(headers)
        lines = cel_lines.of(headers, at, values.get("Linkedid", ""), self._listing.peer(values))
        if lines:
            with self._cel.open("a", encoding="utf-8", newline="") as file:
                file.write(lines)


@cache
def _trace(name: str) -> Trace:
    return Trace.read((files("telephony") / "traces" / name).read_bytes())
