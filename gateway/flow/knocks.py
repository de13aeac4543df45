"""Who knocks at a closed door again and again: how many of those refusals become lines in the log.

Anybody on the network can ask for a page of recordings without being signed in. Each such refusal
is on record, but a line costs a transaction and lasts for ever; so each origin has one line in a
minute, and all origins together a bounded number. What was left out is counted, and the next line
tells the count. The counts are this process's own and end with it. Who is signed in is always
written down; that is not decided here.
"""

MINUTE_US = 60 * 1_000_000
ORIGINS = 1000  # in one minute; an attacker with a network of addresses has no more lines


class Knocks:
    """The refusals of who is not signed in, in this minute of the clock. For one event loop."""

    def __init__(self) -> None:
        self._minute = 0
        self._written: set[str] = set()
        self._left_out = 0

    def left_out(self, origin: str, now: int) -> int | None:
        """None if this refusal is to be left out of the log; else how many have been since the
        last line, whatever their origin. `now` is in µs since the epoch."""
        if now // MINUTE_US != self._minute:
            self._minute, self._written = now // MINUTE_US, set()
        if origin in self._written or len(self._written) >= ORIGINS:
            self._left_out += 1
            return None
        self._written.add(origin)
        told, self._left_out = self._left_out, 0
        return told
