"""How far a long command is: one line on a terminal, nothing anywhere else."""

import sys
import time

_WIDTH = 30
_EVERY_S = 0.1


class Bar:
    """Called with what is done and with all there is; drawn on standard error, if a terminal."""

    def __init__(self, unit: str) -> None:
        self._unit, self._shown, self._drawn_at = unit, sys.stderr.isatty(), 0.0

    def __call__(self, done: int, of: int) -> None:
        """Draw it, a few times a second and at the end."""
        now = time.monotonic()
        if not self._shown or (done < of and now - self._drawn_at < _EVERY_S):
            return
        self._drawn_at = now
        part = done / of if of else 1.0
        filled = int(part * _WIDTH)
        self._say(f"\r{'█' * filled}{'░' * (_WIDTH - filled)} {part:4.0%} {done}/{of} {self._unit}")

    def clear(self) -> None:
        """Take the line away; what is printed next stands alone."""
        if self._shown:
            self._say("\r\x1b[K")

    def _say(self, text: str) -> None:
        print(text, end="", file=sys.stderr, flush=True)
