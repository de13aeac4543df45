"""A PBX that floods, and the barest reader of the same bytes: each a process of its own, so that
neither shares an interpreter lock with the reader that is tried.

`python -m tests.unit.telephony.flood RATE SECONDS`: prints its AMI port and a second one; after a
login at the first and a connection at the second sends RATE events a second to both, each stamped
with the moment before it was handed to the first socket (ns, monotonic, one clock for the machine).
`python -m tests.unit.telephony.flood read PORT`: reads there until the end, then prints how long
(ns) each stamp had waited: what this machine, as busy as it is, grants a reader with nothing to do.
"""

import json
import re
import socket
import sys
import time
from contextlib import suppress

from tests.unit.telephony.peer import Peer, event

EVERY_S = 0.01
STAMP = re.compile(rb"\r\nSent: (\d+)\r\n")


def main(rate: int, seconds: float) -> None:
    """Floods, says so, and waits until nobody wants it any more."""
    with Peer() as peer, socket.create_server(("127.0.0.1", 0)) as server:
        sys.stdout.write(f"{peer.port} {server.getsockname()[1]}\n")
        sys.stdout.flush()
        bare, _ = server.accept()
        peer.signed_in.wait(10)
        for link in (bare, *peer._links):  # as Asterisk does; else Nagle's 40 ms are measured
            with suppress(OSError):  # gone already
                link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        padding = "x" * 300
        number, began = 0, time.monotonic()
        while (now := time.monotonic()) < began + seconds:
            due = int((now - began) * rate)
            sent = str(time.monotonic_ns())
            said = b"".join(
                event("VarSet", ("N", str(n)), ("Sent", sent), ("Value", padding))
                for n in range(number, due)
            )
            peer.say(said)
            bare.sendall(said)
            number = due
            time.sleep(EVERY_S)
        bare.close()
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        sys.stdin.read()


def read(port: int) -> None:
    """The barest reader."""
    waited: dict[int, int] = {}
    with socket.create_connection(("127.0.0.1", port)) as link:
        while data := link.recv(65_536):
            note(waited, data)
    sys.stdout.write(json.dumps(waited))


def note(waited: dict[int, int], data: bytes) -> None:
    """How long the oldest stamp in what was just read has waited."""
    now = time.monotonic_ns()
    if found := STAMP.search(data):
        waited.setdefault(int(found[1]), now - int(found[1]))


if __name__ == "__main__":
    if sys.argv[1] == "read":
        read(int(sys.argv[2]))
    else:
        main(int(sys.argv[1]), float(sys.argv[2]))
