"""How many publishes may be in flight, and which of them are stuck. Pure: it knows no clock.

The window begins small, doubles each time a whole window was confirmed, and falls back when the
link breaks: what is in flight then is what is published twice. Time is counted in *ages*: `tick` is
called once a second, and only a second in which the broker was heard of is one: it answered for a
row, or when it was asked. So a broker that is frozen or blocked ages nothing, keeps its window and
is sent nothing twice; a row that five such seconds have passed by is stuck in a sick queue. It
leaves the window to the others, and its department gets few more until it is answered.

    flying ── SICK ages ──▶ stuck ── LOST ages ──▶ given up (published again, as an unknown)
      └───────────────────────┴── answered ──▶ out

Always holds: never more than `size` fly, never more than `bytes_most` in bodies unless one alone is
larger; a row is in at most one of the two sets, and leaves it once.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

LEAST: Final = 16
MOST: Final = 256
BYTES_MOST: Final = 8 << 20
BURST: Final = 4
SICK: Final = 5
LOST: Final = 120
OF_THE_SICK: Final = 8
"""Of a department whose queue does not answer, so many rows may wait for it."""


@dataclass(frozen=True, slots=True)
class _Flight:
    department: str
    size: int
    age: int


class Window:
    """The rows in flight, by id."""

    def __init__(self, least: int = LEAST, most: int = MOST, bytes_most: int = BYTES_MOST) -> None:
        self.size = least
        self._least, self._most, self._bytes_most = least, most, bytes_most
        self._flying: dict[int, _Flight] = {}  # as they were begun, so the oldest is the first
        self._stuck: dict[int, _Flight] = {}
        self._stuck_of: Counter[str] = Counter()
        self._flying_of: Counter[str] = Counter()
        self._bytes = 0
        self._well = 0
        self._age = 0
        self._answered = False

    @property
    def flying(self) -> int:
        """How many fill the window."""
        return len(self._flying)

    @property
    def sick(self) -> list[str]:
        """Departments that have as many unanswered as they may."""
        return [code for code in self._stuck_of if self.shuns(code)]

    def shuns(self, department: str) -> bool:
        """Whether this department's queue has to answer before it gets another."""
        stuck = self._stuck_of[department]
        return stuck > 0 and stuck + self._flying_of[department] >= OF_THE_SICK

    @property
    def open(self) -> bool:
        """Whether so much of it is empty that it is worth filling: a row for each answer would be a
        call into the kernel for each, a quarter of a window at a time is a few."""
        return len(self._flying) <= self.size - self.size // BURST

    def room(self, size: int) -> bool:
        """Whether a body of `size` bytes may be sent now."""
        if not self._flying:
            return True
        return len(self._flying) < self.size and self._bytes + size <= self._bytes_most

    def begin(self, row: int, department: str, size: int) -> None:
        """This row is being published."""
        self._flying[row] = _Flight(department, size, self._age)
        self._flying_of[department] += 1
        self._bytes += size

    def answered(self, row: int, *, well: bool) -> None:
        """The broker has said what became of it; `well`: it has it."""
        self._answered = True
        self._leave(row)
        self._well += well
        if self._well >= self.size:
            self._well, self.size = 0, min(self._most, 2 * self.size)

    def broken(self, row: int) -> None:
        """No answer will come for it any more."""
        self._leave(row)
        self._well, self.size = 0, self._least

    @property
    def quiet(self) -> bool:
        """Whether somebody waits and nobody was answered since the last tick."""
        return not self._answered and bool(self._flying or self._stuck)

    def tick(self, *, heard: bool = False) -> list[int]:
        """A second has passed; `heard`: the broker lives, though it may have answered for no row.
        Which rows are not to be waited for any longer."""
        if not (self._answered or heard):
            return []
        self._answered = False
        self._age += 1
        for row, flight in list(self._flying.items()):
            if self._age - flight.age < SICK:
                break
            self._leave(row)
            self._stuck[row] = flight
            self._stuck_of[flight.department] += 1
        return [row for row, flight in self._stuck.items() if self._age - flight.age >= LOST]

    def _leave(self, row: int) -> None:
        if (flight := self._flying.pop(row, None)) is not None:
            self._flying_of[flight.department] -= 1
            self._bytes -= flight.size
        elif (flight := self._stuck.pop(row, None)) is not None:
            self._stuck_of[flight.department] -= 1
