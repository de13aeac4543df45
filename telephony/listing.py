"""Which channels the simulator has up, as CoreShowChannels would list them, and who is bridged.

It is told every event the simulator sends, and knows nothing else.
"""

from collections.abc import Mapping
from typing import Final

from telephony.trace import Headers, event_of

_NOT_LISTED: Final = frozenset({"Event", "Timestamp"})


class Listing:
    """The channels that are up, by unique id."""

    def __init__(self) -> None:
        self._up: dict[str, dict[str, str]] = {}

    def channels(self) -> list[dict[str, str]]:
        """One mapping of headers for each channel."""
        return list(self._up.values())

    def note(self, headers: Headers) -> None:
        """Keeps what the list would say from now on."""
        event, values = event_of(headers), dict(headers)
        channel = values.get("Uniqueid", "")
        if event == "Newchannel":
            listed = {key: value for key, value in values.items() if key not in _NOT_LISTED}
            self._up[channel] = listed | {"Application": "", "Duration": "00:00:00"}
        elif event == "QueueCallerJoin" and channel in self._up:
            self._up[channel] |= {"Application": "Queue", "ApplicationData": values["Queue"]}
        elif event == "BridgeEnter" and channel in self._up:
            self._up[channel] |= {"BridgeId": values["BridgeUniqueid"]}
        elif event == "Hangup":
            self._up.pop(channel, None)

    def peer(self, values: Mapping[str, str]) -> str:
        """The channel that shares this one's bridge, '' when alone."""
        bridge = values.get("BridgeUniqueid")
        others = (
            up["Channel"]
            for uniqueid, up in self._up.items()
            if bridge and up.get("BridgeId") == bridge and uniqueid != values.get("Uniqueid")
        )
        return next(others, "")
