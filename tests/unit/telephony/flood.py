"""A PBX that floods: a process of its own, so that it shares no interpreter lock with the reader.

`python -m tests.unit.telephony.flood RATE SECONDS`: prints its port, and after the login sends RATE
events a second, each stamped with the moment it was handed to the socket (ns, monotonic, which is
one clock for the whole machine).
"""

import socket
import sys
import time

from tests.unit.telephony.peer import Peer, event

EVERY_S = 0.01


def main(rate: int, seconds: float) -> None:
    """Floods, says so, and waits until nobody wants it any more."""
    with Peer() as peer:
        sys.stdout.write(f"{peer.port}\n")
        sys.stdout.flush()
        peer.signed_in.wait(10)
        for link in peer._links:  # as Asterisk does; else it is Nagle's 40 ms that are measured
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        padding = "x" * 300
        number, began = 0, time.monotonic()
        while (now := time.monotonic()) < began + seconds:
            due = int((now - began) * rate)
            sent = str(time.monotonic_ns())
            peer.say(
                b"".join(
                    event("VarSet", ("N", str(n)), ("Sent", sent), ("Value", padding))
                    for n in range(number, due)
                )
            )
            number = due
            time.sleep(EVERY_S)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
