"""What callers and agents do in the torture: the mix, one line a part, chosen by weight and seed.

An act is what one agent does with one ring of their phone; acts know nothing of each other, and the
phone that a transfer rings chooses its own. A caller only waits, talks and hangs up after a while:
with fewer agents than callers that alone gives up in the queue, while a phone rings, and after
both queues' patience. `DESKS` and `CALLERS` are the whole mix: a further part is one more line.
Nothing here checks anything: whatever the people did, the books must agree.
"""

import contextlib
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.rig.asterisk import PHONES_AT, Pbx
from tests.rig.phone import Dialog, Phones

OUTSIDE = "013900139000"
PATIENCE_S = 9
"""What each queue keeps a caller, for the timeouts and overflows to come up in minutes."""


class Desks(Phones):
    """Every agent's phone; each ring is played by an act of its own, in a thread of its own."""

    def __init__(self, pbx: Pbx, chance: random.Random) -> None:
        self._chance = chance
        self.acted: dict[str, int] = {}
        super().__init__((PHONES_AT, pbx.phone_port), pbx.sip_port, answers=False)

    def _ring(self, text: str) -> None:
        super()._ring(text)
        names, weights = list(DESKS), [part.weight for part in DESKS.values()]
        name = self._chance.choices(names, weights)[0]
        ring = Ring(self, self.dialogs[-1], random.Random(self._chance.random()))
        threading.Thread(target=self._act, args=(name, ring), daemon=True).start()

    def _act(self, name: str, ring: "Ring") -> None:
        self.acted[name] = self.acted.get(name, 0) + 1
        with contextlib.suppress(AssertionError, OSError):  # the call ended under it, or the PBX
            DESKS[name].act(ring)

    def dropped(self) -> None:
        """The PBX died: no call of before is still one."""
        for dialog in self.dialogs:
            dialog.state = "over"


@dataclass(frozen=True, slots=True)
class Ring:
    """One ring of one phone, and who may help with it."""

    desks: Desks
    dialog: Dialog
    chance: random.Random

    def pause(self, least: float = 0.3, most: float = 1.2) -> None:
        """As long as a person takes."""
        time.sleep(self.chance.uniform(least, most))

    def taken(self) -> Dialog:
        """The call, picked up after a moment; raises when the caller was quicker."""
        self.pause(0.1, 0.8)
        assert self.dialog.state == "ringing"
        dialog = self.dialog.answer()
        self.pause()
        return dialog

    def colleague(self) -> str:
        """Somebody else's extension."""
        others = {"8001", "8002", "8003", "8004"} - {self.dialog.extension}
        return self.chance.choice(sorted(others))

    def asked(self) -> Dialog:
        """A call of the same phone to a colleague, the caller being on hold."""
        self.dialog.hold()
        return self.desks.dial(self.dialog.extension, self.colleague())


def talks(ring: Ring) -> None:
    """Until the caller hangs up."""
    ring.taken()


def hangs_up(ring: Ring) -> None:
    """The agent ends it."""
    call = ring.taken()
    ring.pause(0.5, 3)
    assert call.state == "up"
    call.hang_up()


def refuses(ring: Ring) -> None:
    """The button that refuses."""
    ring.pause(0.1, 0.6)
    assert ring.dialog.state == "ringing"
    ring.dialog.refuse()


def rings_out(ring: Ring) -> None:
    """Nobody is at the desk."""
    del ring


def holds(ring: Ring) -> None:
    """Music, and back."""
    call = ring.taken().hold()
    ring.pause()
    call.resume()


def sends_to_colleague(ring: Ring) -> None:
    """Blind, to a colleague's phone."""
    ring.taken().transfer(ring.colleague())


def sends_to_queue(ring: Ring) -> None:
    """Blind, to the second queue."""
    ring.taken().transfer("7002")


def sends_outside(ring: Ring) -> None:
    """Blind, to an outside number."""
    ring.taken().transfer(OUTSIDE)


def joins(ring: Ring) -> None:
    """With consultation: the colleague has answered."""
    call = ring.taken()
    asked = ring.asked().up()
    ring.pause()
    call.transfer_to(asked)


def joins_unanswered(ring: Ring) -> None:
    """With consultation, given away while the colleague's phone still rings."""
    call = ring.taken()
    asked = ring.asked()
    ring.pause(0.15, 0.4)
    call.transfer_to(asked)


def asks_only(ring: Ring) -> None:
    """Consultation, and back to the caller."""
    call = ring.taken()
    asked = ring.asked().up()
    ring.pause()
    asked.hang_up()
    call.resume()


def picked_up(ring: Ring) -> None:
    """A colleague takes the call that rings here."""
    ring.pause(0.3, 1)
    ring.desks.dial(ring.colleague(), "*8")


def parks(ring: Ring) -> None:
    """Into a parking place; a colleague fetches whoever is in the first."""
    ring.taken().transfer("700")
    ring.pause(0.8, 2)
    ring.desks.dial(ring.colleague(), "701")


def confers(ring: Ring) -> None:
    """Into a conference, where a colleague is for a while."""
    call, room = ring.taken(), str(ring.chance.randint(7900, 7999))
    call.transfer(room)
    there = ring.desks.dial(ring.colleague(), room).up()
    ring.pause(1, 3)
    there.hang_up()


@dataclass(frozen=True, slots=True)
class Part:
    """One way of answering a ring, and how often it is chosen beside the others."""

    weight: int
    act: Callable[[Ring], None]


DESKS: dict[str, Part] = {
    "talks": Part(40, talks),
    "agent hangs up": Part(10, hangs_up),
    "refuses": Part(8, refuses),
    "rings out": Part(5, rings_out),
    "holds": Part(8, holds),
    "blind to colleague": Part(6, sends_to_colleague),
    "blind to queue": Part(4, sends_to_queue),
    "blind outside": Part(3, sends_outside),
    "attended": Part(6, joins),
    "attended unanswered": Part(3, joins_unanswered),
    "consults only": Part(3, asks_only),
    "picked up": Part(5, picked_up),
    "parks": Part(5, parks),
    "confers": Part(3, confers),
}

CALLERS: dict[str, tuple[int, int, int]] = {
    "hangs up at once": (15, 700, 2_000),
    "gives up": (25, 2_000, 5_000),
    "talks": (40, 5_000, 10_000),
    "is patient": (15, 12_000, 20_000),
    "waits in vain": (5, 21_000, 25_000),
}
"""Weight, and between how many milliseconds after the PBX took the call the caller hangs up."""


def stay_ms(chance: random.Random) -> int:
    """How long the next caller stays."""
    _, least, most = chance.choices(list(CALLERS.values()), [part[0] for part in CALLERS.values()])[
        0
    ]
    return chance.randint(least, most)
