"""The CEL lines a PBX would write beside an AMI event: for the simulator only. Pure.

The columns are those of the cel_custom.conf we ship (`cel.COLUMNS`), times UTC to the millisecond.
"""

import csv
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from telephony.cel import COLUMNS
from telephony.trace import Headers, event_of

_LINES: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "Newchannel": (("CHAN_START", ""),),
    "MixMonitorStart": (("APP_START", "MixMonitor"), ("APP_END", "MixMonitor")),
    "QueueCallerJoin": (("APP_START", "Queue"),),
    "BridgeEnter": (("BRIDGE_ENTER", "Queue"),),
    "BridgeLeave": (("BRIDGE_EXIT", "Queue"),),
    "Hangup": (("HANGUP", ""), ("CHAN_END", "")),
}
"""AMI event → CEL events with their application, in order."""


def of(headers: Headers, at: int, linkedid: str, peer: str = "") -> str:
    """The lines for one AMI event of the call `linkedid` at `at` (µs); '' for most.

    `peer`: the channel already at the other end of the bridge.
    """
    event, values = event_of(headers), dict(headers)
    kinds = list(_LINES.get(event, ()))
    if event == "Hangup" and values.get("Uniqueid") == linkedid:
        kinds.append(("LINKEDID_END", ""))
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    moment = datetime.fromtimestamp(at / 1_000_000, UTC)
    for kind, application in kinds:
        row = {
            "type": kind,
            "time": f"{moment:%Y-%m-%d %H:%M:%S}.{at // 1000 % 1000:03d}",
            "name": values.get("CallerIDName", ""),
            "number": values.get("CallerIDNum", ""),
            "dnid": values.get("Exten", ""),
            "exten": values.get("Exten", ""),
            "context": values.get("Context", ""),
            "channel": values.get("Channel", ""),
            "application": application,
            "data": _data(application, values),
            "uniqueid": values.get("Uniqueid", ""),
            "linkedid": values.get("Linkedid", ""),
            "peer": peer,
        }
        writer.writerow([_plain(row.get(column, "")) for column in COLUMNS])
    return out.getvalue()


def _data(application: str, values: Mapping[str, str]) -> str:
    return f"{values['Queue']},,,,60" if application == "Queue" and "Queue" in values else ""


def _plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
