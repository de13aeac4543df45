"""What may go wrong on the simulator's link, as a small literal plan. Pure: the same plan and the
same seed give the same bytes in the same order.

A fault names the message it happens at, counted from 1 over the whole run:

    cut@40            after message 40 the connection is dropped
    tear@40           it is dropped in the middle of a line of message 40
    stall@40:3        3 s of silence before message 40; what is said meanwhile comes after, at once
    flood@40:2000:5   from message 40 on, 2000 further events a second for 5 s
    twice@40:10       each of the 10 messages from 40 on comes twice
    mix@40:10         the 10 messages from 40 on come in another order
    drip@40:10        the 10 messages from 40 on come byte by byte
    any:5             five of these, drawn by the seed

What is cut off is lost, as it is on a real PBX. Faults of the link alone: the simulator's CEL file
and recordings tell the truth whatever the plan.
"""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from telephony.errors import FaultUnreadable

FORMS: Final[Mapping[str, tuple[str, ...]]] = {
    "cut": (),
    "tear": (),
    "stall": ("seconds",),
    "flood": ("count", "seconds"),
    "twice": ("count",),
    "mix": ("count",),
    "drip": ("count",),
}
"""Each kind, and the numbers written after its message."""
COUNT_MOST: Final = 100_000
SECONDS_MOST: Final = 3_600.0

_WRITTEN: Final = re.compile(r"([a-z]+)@([0-9]{1,9})((?::[0-9]{1,9}(?:\.[0-9]{1,6})?)*)")
_DRAWN: Final = re.compile(r"any:([0-9]{1,3})")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; `count`: messages, or events a second of a flood."""

    kind: str
    at: int
    count: int = 1
    seconds: float = 0.0

    def __str__(self) -> str:
        """As it is written in a plan."""
        numbers = {"count": str(self.count), "seconds": f"{self.seconds:g}"}
        return ":".join([f"{self.kind}@{self.at}", *(numbers[name] for name in FORMS[self.kind])])

    def covers(self, number: int) -> bool:
        """Whether message `number` is one of those it touches."""
        return self.at <= number < self.at + self.count


@dataclass(frozen=True, slots=True)
class Say:
    """Bytes to be sent, one by one when `slowly`."""

    data: bytes
    slowly: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Silence."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Cut:
    """The end of every connection, after these last bytes."""

    last: bytes = b""


@dataclass(frozen=True, slots=True)
class Flood:
    """So many events a second besides, for so long."""

    rate: int
    seconds: float


Deed = Say | Wait | Cut | Flood


def read(words: Sequence[str], messages: int, rng: random.Random) -> tuple[Fault, ...]:
    """The plan that `words` write, in the order it happens. `messages`: how many there will be.

    Raises `FaultUnreadable`.
    """
    plan: list[Fault] = []
    for word in words:
        drawn = _DRAWN.fullmatch(word)
        plan += draw(rng, messages, int(drawn[1])) if drawn else [_fault(word)]
    return tuple(sorted(plan, key=lambda fault: fault.at))


def draw(rng: random.Random, messages: int, count: int) -> Iterator[Fault]:
    """`count` faults somewhere in `messages`, each short enough to be waited for."""
    for _ in range(count):
        kind = rng.choice(tuple(FORMS))
        numbers = {
            "count": rng.randint(100, 2_000) if kind == "flood" else rng.randint(2, 12),
            "seconds": rng.randint(1, 10) / 10,
        }
        given = {name: numbers[name] for name in FORMS[kind]}
        yield Fault(kind, rng.randint(1, max(1, messages)), **given)  # type: ignore[arg-type]


def _fault(word: str) -> Fault:
    found = _WRITTEN.fullmatch(word)
    names = FORMS.get(found[1]) if found else None
    if found is None or names is None:
        raise _unreadable(word)
    numbers = [float(number) for number in found[3].split(":")[1:]]
    given = dict(zip(names, numbers, strict=False))
    count, seconds = given.get("count", 1.0), given.get("seconds", 0.0)
    if len(numbers) != len(names) or not int(found[2]) or not count.is_integer():
        raise _unreadable(word)
    if not 1 <= count <= COUNT_MOST or seconds > SECONDS_MOST:
        raise _unreadable(word)
    return Fault(found[1], int(found[2]), int(count), seconds)


def _unreadable(word: str) -> FaultUnreadable:
    forms = ", ".join(
        ":".join([f"{kind}@N", *(name.upper() for name in names)]) for kind, names in FORMS.items()
    )
    return FaultUnreadable(
        f"看不懂的故障 {word!r}，N 为第几条消息。 Not a fault: {word!r}. Known are {forms}, "
        f"any:COUNT; N is a message's number from 1, COUNT at most {COUNT_MOST}, SECONDS at most "
        f"{SECONDS_MOST:g}."
    )


class Spoiler:
    """Messages in, deeds out, by the plan."""

    def __init__(self, plan: Sequence[Fault], rng: random.Random) -> None:
        """`rng` decides the order of what is mixed."""
        self._plan = tuple(plan)
        self._rng = rng
        self._number = 0
        self._held: list[Say] = []

    def feed(self, data: bytes) -> list[Deed]:
        """What to do for the next message, in order."""
        self._number += 1
        number = self._number
        deeds: list[Deed] = [Wait(fault.seconds) for fault in self._at("stall")]
        deeds += [Flood(fault.count, fault.seconds) for fault in self._at("flood")]
        if any(self._at("tear")):
            half = data[: len(data) // 2].rstrip(b"\r\n")
            return [*deeds, *self.flush(), Cut(half)]
        said = Say(data, slowly=self._covered("drip", number))
        self._held += [said] * (2 if self._covered("twice", number) else 1)
        if not (self._covered("mix", number) and self._covered("mix", number + 1)):
            deeds += self.flush()
        if any(self._at("cut")):
            deeds += [*self.flush(), Cut()]
        return deeds

    def flush(self) -> list[Say]:
        """What was held back to be mixed and is not said yet."""
        held, self._held = self._held, []
        if len(held) > 1:
            self._rng.shuffle(held)
        return held

    def _at(self, kind: str) -> Iterator[Fault]:
        return (f for f in self._plan if f.kind == kind and f.at == self._number)

    def _covered(self, kind: str, number: int) -> bool:
        return any(fault.kind == kind and fault.covers(number) for fault in self._plan)
