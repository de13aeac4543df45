"""A PBX that is none: it tells real traces again over a real AMI socket, and writes the WAVs.

For the demonstration and for tests of what lies above telephony; never the proof of what a real PBX
does. Each call gets fresh ids, the caller and agent asked for, and the pauses asked for; beside AMI
it leaves what Asterisk would: a WAV under `<spool>/<yyyy>/<mm>/<dd>/<uniqueid>.wav` that grows, has
no lengths in its header until it is closed and then is renamed into `<spool>/ready/`, and the lines
of the call in a CEL file. Times are UTC.
"""

import asyncio
import random
import ssl
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from telephony import cel_lines, voice
from telephony.manager import Manager
from telephony.roll import Roll
from telephony.trace import Beat, Caller, Headers, Trace, event_of

_ANSWERED: Final = "answered.ami"
_ABANDONED: Final = "abandoned.ami"
_NOT_LISTED: Final = frozenset({"Event", "Timestamp"})


class Simulator:
    """`async with Simulator(...) as pbx`: listens on 127.0.0.1, port `pbx.port`."""

    def __init__(
        self,
        spool: Path,
        cel: Path,
        *,
        secret: str,
        clock: Callable[[], int],
        rng: random.Random,
        user: str = "hotline",
        speed: float = 1.0,
        agents: Collection[str] = ("8001", "8002", "8003", "8004"),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`clock`: µs since the epoch; `speed`: how many simulated seconds a real one holds;
        `agents`: the extensions in the queue."""
        self._spool = spool
        self._cel = cel
        self._clock = clock
        self._rng = rng
        self._speed = speed
        self._count = 0
        self._up: dict[str, dict[str, str]] = {}
        self._calls: set[asyncio.Task[str]] = set()
        self._roll = Roll(agents, clock)
        self._manager = Manager(
            user=user,
            secret=secret,
            channels=lambda: list(self._up.values()),
            challenge=lambda: str(rng.randrange(10**8, 10**9)),
            queues=self._roll.listed,
            tls=tls,
        )

    async def __aenter__(self) -> Self:
        await self._manager.start()
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
        await self._manager.stop()

    @property
    def port(self) -> int:
        """Where the manager interface listens."""
        return self._manager.port

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
        call = asyncio.create_task(
            self.place_call(
                caller_number,
                caller_name,
                agent=agent,
                ring_s=ring_s,
                talk_s=talk_s,
                answered=answered,
            )
        )
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
        ids = self._fresh(trace, agent)
        uniqueid = ids[trace.linkedid]
        recording = _Recording(self._spool, uniqueid, self._clock())
        pauses = {"HangupRequest": talk_s if answered else ring_s}
        if answered:
            pauses["DialEnd"] = ring_s
        for beat in trace.told(ids, Caller(caller_number, caller_name, agent)):
            event = event_of(beat.headers)
            await asyncio.sleep(pauses.pop(event, beat.pause_s) / self._speed)
            self._send(beat, uniqueid)
            if event == "MixMonitorStart":
                await asyncio.to_thread(recording.begin)
            elif event == "AgentConnect":
                sound = await asyncio.to_thread(voice.speech, talk_s, self._rng)
                await asyncio.to_thread(recording.write, sound)
        await asyncio.to_thread(recording.finish)
        return uniqueid

    def _fresh(self, trace: Trace, agent: str) -> dict[str, str]:
        """Names never used before for all the recording's ids, channels and bridges."""
        now_s = self._clock() // 1_000_000
        fresh: dict[str, str] = {}
        for name in trace.names():
            number, self._count = self._count, self._count + 1
            if name.startswith("PJSIP/"):
                device = f"PJSIP/{agent}" if f"/{trace.agent}-" in name else "PJSIP/trunk"
                fresh[name] = f"{device}-{number:08x}"
            elif "." in name:
                fresh[name] = f"{now_s}.{number}"
            else:
                fresh[name] = f"{self._rng.getrandbits(64):016x}"
        return fresh

    def _send(self, beat: Beat, linkedid: str) -> None:
        at = self._clock()
        headers: Headers = tuple(
            (key, f"{at // 1_000_000}.{at % 1_000_000:06d}" if key == "Timestamp" else value)
            for key, value in beat.headers
        )
        self._note(headers)
        self._roll.note(headers)
        self._manager.send(headers)
        lines = cel_lines.of(headers, at, linkedid, self._peer(dict(headers)))
        if lines:
            with self._cel.open("a", encoding="utf-8", newline="") as file:
                file.write(lines)

    def _note(self, headers: Headers) -> None:
        """Keeps what CoreShowChannels would list."""
        event, values = event_of(headers), dict(headers)
        channel = values.get("Uniqueid", "")
        if event == "Newchannel":
            listed = {key: value for key, value in values.items() if key not in _NOT_LISTED}
            self._up[channel] = listed | {"Application": "", "Duration": "00:00:00"}
        elif event == "QueueCallerJoin" and channel in self._up:
            self._up[channel] |= {"Application": "Queue", "ApplicationData": values["Queue"]}
        elif event == "BridgeEnter" and channel in self._up:
            self._up[channel] |= {"BridgeId": values["BridgeUniqueid"]}
        elif event == "Hangup":
            self._up.pop(channel, None)

    def _peer(self, values: Mapping[str, str]) -> str:
        """The channel that shares this one's bridge, '' when alone."""
        bridge = values.get("BridgeUniqueid")
        others = (
            up["Channel"]
            for uniqueid, up in self._up.items()
            if bridge and up.get("BridgeId") == bridge and uniqueid != values.get("Uniqueid")
        )
        return next(others, "")


class _Recording:
    """One WAV as MixMonitor leaves it. All methods block."""

    def __init__(self, spool: Path, uniqueid: str, at: int) -> None:
        day = datetime.fromtimestamp(at / 1_000_000, UTC)
        self._path = spool / f"{day:%Y/%m/%d}" / f"{uniqueid}.wav"
        self._ready = spool / "ready" / f"{uniqueid}.wav"

    def begin(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._ready.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_bytes(voice.header(0))

    def write(self, samples: bytes) -> None:
        with self._path.open("ab") as file:
            file.write(samples)

    def finish(self) -> None:
        with self._path.open("r+b") as file:
            file.write(voice.header(self._path.stat().st_size - 44))
        self._path.rename(self._ready)


@cache
def _trace(name: str) -> Trace:
    return Trace.read((files("telephony") / "traces" / name).read_bytes())
