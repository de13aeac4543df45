"""Calls for the bench: real traces told over and over as calls of their own, many at once.

`Tale` is one trace, taken apart once: bytes with holes for the ids, the numbers and the clock, so
that telling it again costs little beside what is measured. `stream` lets calls begin at an even
rate and mixes their events by time, as a PBX with that many calls at once would send them: rings
and talks last as long as the seeded generator says. The same seed gives the same bytes.
"""

import heapq
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from telephony.trace import Caller, Trace, event_of

ROOT: Final = Path(__file__).resolve().parents[1]
AGENTS: Final = tuple(str(number) for number in range(8001, 8201))
CHUNK: Final = 65_536
"""As much as one read of the socket brings."""
_BEGAN_S: Final = 1_795_400_000
_MARK: Final = re.compile(rb"hole([0-9]{4})x")


@dataclass(frozen=True, slots=True)
class Beat:
    """One message: the pause before it in seconds, what it is, its bytes with holes."""

    pause_s: float
    event: str
    template: bytes


class Tale:
    """A trace that can be told as any number of calls."""

    def __init__(self, data: bytes) -> None:
        trace = Trace.read(data)
        self.names = trace.names()
        marks = {name: _mark(n) for n, name in enumerate(self.names)}
        self._agent = trace.agent
        caller = Caller(_mark(9000), "", _mark(9001))
        self.beats = [
            Beat(beat.pause_s, event_of(beat.headers), _template(beat.headers))
            for beat in trace.told(marks, caller)
        ]

    def holes(self, number: int, caller: str, agent: str) -> dict[bytes, bytes]:
        """What call `number` fills the holes with."""
        filled = {b"9000": caller.encode(), b"9001": agent.encode()}
        for n, name in enumerate(self.names):
            count = number * 100 + n
            if "/" in name:
                device = agent if f"/{self._agent}-" in name else re.split(r"[/-]", name)[1]
                fresh = f"PJSIP/{device}-{count:010x}"
            else:
                fresh = f"{_BEGAN_S}.{count}" if "." in name else f"{count:032x}"
            filled[b"%04d" % n] = fresh.encode()
        return filled


def _mark(number: int) -> str:
    return f"hole{number:04d}x"


def _template(headers: Sequence[tuple[str, str]]) -> bytes:
    said = ((key, "hole9002x" if key == "Timestamp" else value) for key, value in headers)
    text = "".join(f"{key}: {value}\r\n" for key, value in said).encode("utf-8", "surrogateescape")
    return _MARK.sub(rb"%(\1)b", text.replace(b"%", b"%%")) + b"\r\n"


def filtered() -> list[tuple[Tale, int]]:
    """What the shipped manager.conf lets through, and how many of a hundred calls each is."""
    shares = {"answered": 78, "abandoned": 10, "held": 4, "ring-no-answer": 3,
              "blind-to-agent": 3, "attended": 2}  # fmt: skip
    return [(Tale(_trace(f"{name}.ami")), share) for name, share in shares.items()]


def everything() -> list[tuple[Tale, int]]:
    """The same kinds of call as an account is told that nothing is filtered for."""
    here = ROOT / "bench" / "traces"
    shares = {"answered": 90, "abandoned": 10}
    return [(Tale((here / f"{name}.ami").read_bytes()), share) for name, share in shares.items()]


def _trace(name: str) -> bytes:
    packaged = files("telephony") / "traces" / name
    return packaged.read_bytes() if packaged.is_file() else (ROOT / "traces" / name).read_bytes()


def stream(
    tales: Sequence[tuple[Tale, int]],
    calls: int,
    *,
    rate: float = 300.0,
    talk_s: float = 10.0,
    seed: int = 12333,
    first: int = 0,
) -> Iterator[bytes]:
    """The messages of `calls` calls, numbered from `first`, mixed by time; about `rate` begin in a
    second and each talk (or wait in vain) lasts about `talk_s`."""
    rng = random.Random(seed)
    kinds = rng.choices([tale for tale, _ in tales], [share for _, share in tales], k=calls)
    going: list[tuple[float, int, int, Tale, dict[bytes, bytes]]] = []
    for number, tale in enumerate(kinds, first):
        at = number / rate
        yield from _until(going, at, rng, talk_s)
        caller = f"138{rng.randrange(10**8):08d}"
        holes = tale.holes(number, caller, rng.choice(AGENTS))
        heapq.heappush(going, (at, number, 0, tale, holes))
    yield from _until(going, float("inf"), rng, talk_s)


def _until(
    going: list[tuple[float, int, int, Tale, dict[bytes, bytes]]],
    end: float,
    rng: random.Random,
    talk_s: float,
) -> Iterator[bytes]:
    while going and going[0][0] <= end:
        at, number, n, tale, holes = going[0]
        holes[b"9002"] = b"%d.%06d" % (_BEGAN_S + int(at), int(at % 1 * 1_000_000))
        yield tale.beats[n].template % holes
        if n + 1 == len(tale.beats):
            heapq.heappop(going)
            continue
        after = tale.beats[n + 1]
        long = after.event == "HangupRequest"
        pause = rng.uniform(0.5, 1.5) * talk_s if long else after.pause_s
        heapq.heapreplace(going, (at + pause, number, n + 1, tale, holes))


def chunks(messages: Iterator[bytes], size: int = CHUNK) -> Iterator[bytes]:
    """The bytes as a socket gives them: cut anywhere, `size` at a time."""
    held = bytearray()
    for message in messages:
        held += message
        while len(held) >= size:
            yield bytes(held[:size])
            del held[:size]
    if held:
        yield bytes(held)
