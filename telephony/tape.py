"""One WAV as MixMonitor leaves it: it grows, has no lengths in its header until it is closed, and
then is renamed into `ready/`. For the simulator only. All methods block, but for `Tapes.due`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from telephony import voice
from telephony.trace import Headers, event_of


class Tape:
    """The recording of the channel `uniqueid`, begun at `at` (µs, UTC)."""

    def __init__(self, spool: Path, uniqueid: str, at: int) -> None:
        day = datetime.fromtimestamp(at / 1_000_000, UTC)
        self._path = spool / f"{day:%Y/%m/%d}" / f"{uniqueid}.wav"
        self._ready = spool / "ready" / f"{uniqueid}.wav"

    def begin(self) -> None:
        """The file, with a header that promises nothing."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._ready.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_bytes(voice.header(0))

    def write(self, samples: bytes) -> None:
        """What is said."""
        with self._path.open("ab") as file:
            file.write(samples)

    def finish(self) -> None:
        """The header's lengths, and the new name."""
        with self._path.open("r+b") as file:
            file.write(voice.header(self._path.stat().st_size - 44))
        self._path.rename(self._ready)


class Tapes:
    """Those of the channels that one telling records, by what is told of them."""

    def __init__(self, spool: Path, clock: Callable[[], int], said: Callable[[], bytes]) -> None:
        """`said`: makes the sound of a talk; it may take its time."""
        self._spool = spool
        self._clock = clock
        self._said = said
        self._running: dict[str, Tape] = {}

    def due(self, headers: Headers) -> Callable[[], None] | None:
        """What this event makes a tape do, to be done at once, where it blocks nobody."""
        event, values = event_of(headers), dict(headers)
        uniqueid = values.get("Uniqueid", "")
        if event == "MixMonitorStart":
            tape = self._running[uniqueid] = Tape(self._spool, uniqueid, self._clock())
            return tape.begin
        running = self._running.get(uniqueid)
        if running is None:
            return None
        if event == "AgentConnect":
            return partial(self._talk, running)
        return self._running.pop(uniqueid).finish if event == "Hangup" else None

    def finish(self) -> None:
        """The telling is over, and with it every tape that still runs."""
        for tape in self._running.values():
            tape.finish()

    def _talk(self, tape: Tape) -> None:
        tape.write(self._said())
