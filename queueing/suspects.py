"""Which messages of a queue others take and give back again and again. Pure: it knows no clock.

RabbitMQ counts how often each message was taken by anybody (`x-acquired-count`, from 4.3 on), and
since then a nack counts against no limit. Whoever looks at a queue takes its messages too. So
counted is what the number grew by since it was first seen, less our own looks: what is left over
is what others did with it between our looks.

Always holds: a message that nobody but us has touched is never told, however often we look; one
that was not there at the last look is forgotten.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from queueing.topology import DELIVERY_LIMIT

LIMIT: Final = DELIVERY_LIMIT
"""As often as a failed delivery is tried."""


@dataclass(frozen=True, slots=True)
class _Seen:
    first: int
    looks: int
    others: int


@dataclass(slots=True)
class Suspects:
    """What was seen in one queue, by the key of each message."""

    _seen: dict[str, _Seen] = field(default_factory=dict)

    def looked(self, counts: Mapping[str, int]) -> set[str]:
        """Take note of a look's counts; the keys of those that others took `LIMIT` times or more
        since they were first seen."""
        before, self._seen = self._seen, {}
        for key, count in counts.items():
            known = before.get(key, _Seen(count, 0, 0))
            others = count - known.first - known.looks
            self._seen[key] = _Seen(known.first, known.looks + 1, others)
        return {key for key, seen in self._seen.items() if seen.others >= LIMIT}

    @property
    def any(self) -> bool:
        """Whether it is worth to look again soon: others have taken one between two looks, or one
        seen for the first time had been taken often."""
        return any(
            seen.others > 0 or (seen.looks == 1 and seen.first >= LIMIT)
            for seen in self._seen.values()
        )
