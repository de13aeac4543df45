"""Keeps what a real PBX says of each scenario: `python -m tests.rig.record [--both] [NAME …]`.

Writes `tests/traces/NAME.ami` as the account of the shipped manager.conf is sent it, byte for byte,
and prints the table of its events for the README beside it. With `--both` it writes into
`tests/traces/both` what AMI said of one play of it and what the PBX's own log (CEL) holds of the
same play. Nothing is edited by hand.
"""

import socket
import sys
import time
from pathlib import Path

from telephony.events import interface_of
from telephony.message import Message
from telephony.wire import Wire
from tests.rig.asterisk import Pbx, asterisk
from tests.rig.scenarios.play import SCENARIOS, play

TRACES = Path(__file__).resolve().parents[1] / "traces"


class Ear:
    """A manager session that only listens."""

    def __init__(self, pbx: Pbx, user: str = "hotline") -> None:
        self._socket = socket.create_connection(("127.0.0.1", pbx.ami_port))
        login = f"Action: Login\r\nUsername: {user}\r\nSecret: {pbx.secret}\r\n\r\n"
        self._socket.sendall(login.encode())
        self._socket.settimeout(0.5)
        self.hear()

    def hear(self) -> bytes:
        """All that came until it is quiet."""
        heard = b""
        try:
            while data := self._socket.recv(65536):
                heard += data
        except TimeoutError:
            return heard
        raise ConnectionError("the PBX closed")

    def ask(self, action: str) -> None:
        """One action; its answer is heard like everything else."""
        self._socket.sendall(f"Action: {action}\r\n\r\n".encode())

    def close(self) -> None:
        self._socket.close()


QUEUES = "queue-status"


def queues(pbx: Pbx, ear: Ear) -> None:
    """QueueStatus asked for while two agents pause, two talk and one caller waits"""
    pbx.phones("answer")
    pbx.cli("queue pause member PJSIP/8001 queue hotline reason meal")
    pbx.cli("queue pause member PJSIP/8002 queue hotline reason wrapup")
    callers = pbx.begin_calls(3, 2, 4000)
    time.sleep(3)
    ear.ask("QueueStatus")
    callers.communicate()
    for agent in ("PJSIP/8001", "PJSIP/8002"):
        pbx.cli(f"queue unpause member {agent}")
    pbx.phones(None)


def table(data: bytes) -> str:
    """A stream's events, a line each: when, what, which channel, what about it."""
    heard = [m for m in Wire(greeted=True).feed(data) if m.kind == "event"]
    names: dict[str, str] = {}
    ids = ((m.get("Uniqueid"), m.get("Linkedid")) for m in heard)
    lead = next(uniqueid for uniqueid, linkedid in ids if uniqueid and uniqueid == linkedid)
    at = start = float(heard[0].get("Timestamp"))
    lines = []
    for message in heard:
        words = [_who(names, lead, message, ""), *_about(names, lead, message)]
        at = float(message.get("Timestamp") or at)  # the lines of a list have none
        lines.append(
            f"{at - start:>8.3f}  {message.name:<22} {' '.join(w for w in words if w)}".rstrip()
        )
    return "\n".join(lines)


def section(name: str, data: bytes) -> str:
    """What the README says of one trace."""
    heading = queues.__doc__ if name == QUEUES else SCENARIOS[name].__doc__
    return f"\n## {heading}\n`tests/traces/{name}.ami`\n```\n{table(data)}\n```\n"


def _who(names: dict[str, str], lead: str, message: Message, prefix: str) -> str:
    uniqueid = message.get(f"{prefix}Uniqueid")
    if not uniqueid:
        return ""
    if uniqueid not in names:
        device = interface_of(message.get(f"{prefix}Channel")).partition("/")[2]
        nth = sum(name.startswith(device) for name in names.values())
        names[uniqueid] = "caller" if uniqueid == lead else device + "'" * nth
    linkedid = message.get(f"{prefix}Linkedid")
    merged = "" if linkedid == lead else f"@{names.get(linkedid, linkedid)}"
    return names[uniqueid] + merged


_PARTIES = ("Dest", "Target", "Transferer", "Transferee", "OrigTransferer", "SecondTransferer",
            "TransferTarget", "Parkee", "Parker", "Retriever", "LocalOne", "LocalTwo")  # fmt: skip
_WORDS = ("Queue", "Interface", "DialStatus", "Reason", "Cause", "BridgeNumChannels", "DestType",
          "Result", "Extension", "ParkingSpace", "Conference", "DestApp", "Location",
          "PausedReason", "Wait")  # fmt: skip


def _about(names: dict[str, str], lead: str, message: Message) -> list[str]:
    others = [
        f"{prefix if prefix != 'Dest' else ''}→{_who(names, lead, message, prefix)}"
        for prefix in _PARTIES
        if message.get(f"{prefix}Uniqueid")
    ]
    bridge = message.get("BridgeUniqueid")[:4]
    words = [f"{key}={message.get(key)}" for key in _WORDS if message.get(key)]
    return [*others, f"bridge {bridge}" if bridge else "", *words]


def main(wanted: list[str]) -> None:
    """Each on a fresh ear, one PBX for all."""
    both = "--both" in wanted
    with asterisk(phones=None) as pbx:
        for name in [name for name in wanted if name != "--both"] or [*SCENARIOS, QUEUES]:
            ear = Ear(pbx)
            logged = pbx.cel.stat().st_size if pbx.cel.exists() else 0
            try:
                queues(pbx, ear) if name == QUEUES else play(pbx, name)
            except AssertionError as error:
                sys.stderr.write(f"# {name} failed: {error!r}\n")
            time.sleep(0.5)
            data = ear.hear()
            ear.close()
            if both:
                (TRACES / "both" / f"{name}.ami").write_bytes(data)
                (TRACES / "both" / f"{name}.cel.csv").write_bytes(pbx.cel.read_bytes()[logged:])
                continue
            (TRACES / f"{name}.ami").write_bytes(data)
            sys.stdout.write(section(name, data))


if __name__ == "__main__":
    main(sys.argv[1:])
