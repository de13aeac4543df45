"""One WAV as MixMonitor leaves it: it grows, has no lengths in its header until it is closed, and
then is renamed into `ready/`. For the simulator only. All methods block.
"""

from datetime import UTC, datetime
from pathlib import Path

from telephony import voice


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
