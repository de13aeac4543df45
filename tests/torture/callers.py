"""Callers from outside, one small SIPp after another, as long as the torture wants more.

Each process plays a few callers who stay equally long. A caller whom a dead PBX does not answer is
no call: what counts is the PBX's own log.
"""

import random
import subprocess
import threading
import time
from types import TracebackType

from tests.rig.asterisk import Pbx
from tests.torture import mix

AT_ONCE = 4
"""Callers of one process, and about one every 1 / rate seconds."""
GIVE_UP_S = 60.0


class Callers:
    """Rings at 12333 from the moment it is entered until `enough`."""

    def __init__(self, pbx: Pbx, chance: random.Random, rate: float) -> None:
        self._pbx = pbx
        self._chance = chance
        self._rate = rate
        self._placed = 0
        self._stop = threading.Event()
        self._waves: list[subprocess.Popen[bytes]] = []
        self._thread = threading.Thread(target=self._run, name="callers", daemon=True)

    def __enter__(self) -> "Callers":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.enough()
        for wave in self._waves:
            wave.kill()
            wave.communicate()

    def enough(self) -> None:
        """No new callers; those who are there stay as long as they would."""
        self._stop.set()
        self._thread.join()

    def gone(self) -> None:
        """Waits until the last caller has hung up, or was given up."""
        deadline = time.monotonic() + GIVE_UP_S
        for wave in self._waves:
            try:
                wave.communicate(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                wave.kill()

    def _run(self) -> None:
        while not self._stop.is_set():
            people = [self._person() for _ in range(AT_ONCE)]
            stay_ms = mix.stay_ms(self._chance)
            wave = self._pbx.begin_calls(AT_ONCE, self._rate, stay_ms, callers=people)
            self._waves.append(wave)
            self._waves = [one for one in self._waves if not _over(one)]
            self._stop.wait(AT_ONCE / self._rate)

    def _person(self) -> tuple[str, str]:
        self._placed += 1
        return f"1380{self._placed:07d}", f"来电{self._placed}"


def _over(wave: "subprocess.Popen[bytes]") -> bool:
    """Whether that process has ended; what it printed is read, or it would wait for ever."""
    if wave.poll() is None:
        return False
    wave.communicate()
    return True
