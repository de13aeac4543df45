"""Up to when all that the PBX said is surely here. Pure.

Bytes that are read now need not have been said now. While a process stands still (stopped, swapped
out, a suspended machine) the kernel takes the PBX's words for it, as long as its buffers last; then
the PBX drops the session, and what it says from then on is lost (decision 0019). Whoever wakes up
finds the older words in the socket, as if the link had been up until a moment ago. So:

- Read without a break, all that was said is here.
- An answer proves all that was said before its question was asked: the PBX answers in order, and
  cannot have answered earlier. A Ping goes out every few seconds, so a quiet link is known by that.
- After a break, whatever is read proves nothing more, until something asked since is answered.

An interval without the link begins at `at`. For silence, what counts is `read_at`.
"""

from typing import Final

BREAK_US: Final = 1_000_000
"""Between two reads. The error of `at` is never more than this."""


class Hearing:
    """One connection's; times in µs. `asked` may be called by another thread than the rest."""

    def __init__(self) -> None:
        self._asked: dict[str, int] = {}
        self._woke_at: int | None = None
        self.read_at: int | None = None
        """When bytes were read last; None: never."""
        self.at: int | None = None
        """See the module; None: nothing was read yet."""

    def read(self, now: int) -> None:
        """Bytes came out of the socket."""
        if self.read_at is not None and now - self.read_at > BREAK_US:
            self._woke_at = now
        self.read_at = now
        if self._woke_at is None:
            self.at = now

    def asked(self, action_id: str, now: int) -> None:
        """An action goes out."""
        self._asked[action_id] = now

    def answered(self, action_id: str) -> None:
        """The PBX's answer to it was read."""
        asked_at = self._asked.pop(action_id, None)
        if asked_at is None or self._woke_at is None or self.at is None:
            return
        self.at = max(self.at, asked_at)
        if asked_at >= self._woke_at:
            self._woke_at, self.at = None, self.read_at
