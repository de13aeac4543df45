"""What the simulated PBX would answer to QueueStatus: its agents, and who waits.

Drawn from the events the simulator itself sends, so that list and events never disagree. It is no
proof of what a real PBX does.
"""

from collections.abc import Callable, Collection
from typing import Final

from telephony.trace import Headers, event_of

QUEUE: Final = "hotline"
_FREE: Final = "1"
_QUEUE_OF_STATUS: Final = {"QueueMemberStatus", "QueueMemberAdded", "QueueMemberPause"}


class Roll:
    """The agents (extensions) of the one queue, and the callers in it."""

    def __init__(self, agents: Collection[str], clock: Callable[[], int]) -> None:
        self._clock = clock
        self._members = {f"PJSIP/{agent}": _member(agent) for agent in agents}
        self._waiting: dict[str, tuple[int, dict[str, str]]] = {}

    def note(self, headers: Headers) -> None:
        """Keeps what an event that is being sent changes."""
        event, values = event_of(headers), dict(headers)
        if event in _QUEUE_OF_STATUS:
            member = self._members.setdefault(values["Interface"], {})
            member |= {"Location": values["Interface"], "Name": values["MemberName"]}
            kept = ("Queue", "Status", "Paused", "PausedReason", "LastPause")
            member |= {key: values[key] for key in kept}
        elif event == "QueueCallerJoin":
            self._waiting[values["Uniqueid"]] = (self._clock(), values)
        elif event == "QueueCallerLeave":
            self._waiting.pop(values["Uniqueid"], None)

    def listed(self) -> list[Headers]:
        """The lines of the answer, as Asterisk orders them."""
        now = self._clock()
        members: list[Headers] = [
            (("Event", "QueueMember"), *member.items()) for member in self._members.values()
        ]
        waiting: list[Headers] = [
            (
                ("Event", "QueueEntry"),
                *((key, values[key]) for key in ("Queue", "Channel", "Uniqueid")),
                ("Wait", str((now - since) // 1_000_000)),
            )
            for since, values in self._waiting.values()
        ]
        return [(("Event", "QueueParams"), ("Queue", QUEUE)), *members, *waiting]


def _member(agent: str) -> dict[str, str]:
    return {
        "Queue": QUEUE,
        "Name": f"agent-{agent}",
        "Location": f"PJSIP/{agent}",
        "Status": _FREE,
        "Paused": "0",
        "PausedReason": "",
        "LastPause": "0",
    }
